"""What clients may ask and send: the middleware before every request, and the checks of what is in it."""
