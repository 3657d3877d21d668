"""Code that made the weights the package ships."""
