"""Replicate's API: predictions, files, models and their versions, webhooks."""
