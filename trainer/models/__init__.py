"""Classifiers that work on DCT coefficients and never rebuild pixels."""

from trainer.models.dct_net import DctNet, DctNetConfig, quarter

__all__ = ["DctNet", "DctNetConfig", "quarter"]
