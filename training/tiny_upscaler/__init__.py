"""
Trains the small network that enlarges images four times, from the same drawn landscapes as
tiny-landscapes.
"""
