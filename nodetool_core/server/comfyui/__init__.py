"""The API of ComfyUI's server: graphs are run by our engine, with its answers and its messages."""
