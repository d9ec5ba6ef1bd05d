"""What both ends of the wire must agree on: pure, no sockets, no settings."""
