"""Trains the small network that enlarges pictures four times, from the same drawn landscapes as tiny-landscapes."""
