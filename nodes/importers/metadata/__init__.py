"""Images of other tools: what they state of their making, as workflows."""
