"""
Workflows behind HTTP.

Needs the extra `serve`; nothing outside this room and `nodetool serve` imports it.
"""
