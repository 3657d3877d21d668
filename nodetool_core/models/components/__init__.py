"""From files to modules: what a model is made of, and how each component is read."""
