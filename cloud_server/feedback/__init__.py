"""What the server answered, and what turned out to be true."""
