"""
Jobs: workflows that are accepted now and run when their turn comes.

They outlive the process that took them.
"""
