"""Estimates of accuracy and of what ordinary JPEG would have cost."""
