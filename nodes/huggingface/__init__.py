"""Nodes that run models of the Hugging Face ecosystem."""
