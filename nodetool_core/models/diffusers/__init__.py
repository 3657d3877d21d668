"""The only place that knows the insides of diffusers: a new release of it is met here."""
