"""Train the small network that enlarges images four times, on the images of tiny-landscapes."""
