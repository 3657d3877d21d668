"""What a running server is made of, and how requests come to their run."""
