"""
What the nodes of hosted services share.

Patience, addresses that may be fetched, answers and what they mean. No nodes.
"""
