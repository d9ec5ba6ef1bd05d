"""Accuracy, likeness and bytes of held-out frames, measured through real streams."""
