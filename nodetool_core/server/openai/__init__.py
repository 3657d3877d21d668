"""The OpenAI Images API: generations, edits, variations, and the list of models."""
