"""Classifiers that work on DCT coefficients and never rebuild pixels."""

from trainer.models.dct_net import DctNet, DctNetConfig

__all__ = ["DctNet", "DctNetConfig"]
