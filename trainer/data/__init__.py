"""Data sets: each names itself, and that name stands in everything made from it."""

from trainer.data.dataset import Dataset, Split, SplitName

__all__ = ["Dataset", "Split", "SplitName"]
