"""Pipelines that are lent, called, batched, and called again where memory runs out."""
