"""Workflow files of other tools, read as workflows of ours."""
