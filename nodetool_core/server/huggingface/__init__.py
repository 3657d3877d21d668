"""The Hugging Face API of image-to-image and text-to-image."""
