"""What every dialect needs of HTTP: bodies, images, failures, parts of the OpenAPI document."""
