"""One module a revision. While nothing is released there is one, `0001`, and it is the whole schema."""
