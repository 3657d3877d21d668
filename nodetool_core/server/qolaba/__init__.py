"""The Qolaba API of image-to-image."""
