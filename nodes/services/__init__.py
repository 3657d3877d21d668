"""
What the nodes of hosted services share.

Deadlines, addresses that may be fetched, answers and what they mean. No nodes.
"""
