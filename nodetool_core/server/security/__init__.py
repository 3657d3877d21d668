"""What clients may ask and send: the middleware before every request, the checks of its content."""
