"""The Model Context Protocol: a tool for each workflow, over HTTP and over stdio."""
