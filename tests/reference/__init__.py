"""Slow, readable twins of the fast code: what the standard says, in the standard's words."""
