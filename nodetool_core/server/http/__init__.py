"""What every dialect needs of HTTP: bodies, images, failures, and the parts of the OpenAPI document."""
