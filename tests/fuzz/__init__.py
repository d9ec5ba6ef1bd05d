"""Hostile bytes: every one of them must end in a value or a documented error."""
