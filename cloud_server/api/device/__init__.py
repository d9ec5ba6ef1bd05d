"""The device plane: what cameras talk to."""
