"""Nodes of the Qolaba API."""
