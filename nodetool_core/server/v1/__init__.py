"""Our own API, under /v1: workflows, runs, jobs, uploads and files."""
