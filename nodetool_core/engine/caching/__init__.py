"""
The result cache: a tier in memory, a tier on disk, both as one. Keys are made in `engine/keys.py`.
"""
