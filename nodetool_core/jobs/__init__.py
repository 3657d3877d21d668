"""
Jobs: workflows that are accepted now, run when their turn comes, and outlive the process that took
them.
"""
