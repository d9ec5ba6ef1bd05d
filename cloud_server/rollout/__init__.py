"""Rollouts: a new bundle goes to a family's devices in stages, and gates say whether it may go further."""
