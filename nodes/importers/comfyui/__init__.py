"""ComfyUI workflows as ours: a table from its classes to small rules."""
