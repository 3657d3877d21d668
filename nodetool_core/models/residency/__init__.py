"""Between modules and devices: where weights are, and who holds them there."""
