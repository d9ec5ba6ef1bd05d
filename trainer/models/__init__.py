"""Classifiers that work on DCT coefficients and never rebuild pixels."""

from trainer.models.dct_net import BodyKind, DctNet, DctNetConfig

__all__ = ["BodyKind", "DctNet", "DctNetConfig"]
