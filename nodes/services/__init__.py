"""What the nodes of hosted services share: patience, addresses that may be fetched, answers and what they mean. No nodes."""
