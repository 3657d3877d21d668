"""Which weights are loaded next, and which go for them."""
