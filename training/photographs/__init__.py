"""The images of `graphs/assets` that look like photographs, computed: the rights are ours."""
