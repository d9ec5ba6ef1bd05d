"""The serving net's shape for each picture size, which a recipe without [net] trains. Another size joins here."""

from collections.abc import Callable, Mapping

from trainer.models.dct_net import BodyKind, DctNetConfig


def shape_32(classes: int) -> DctNetConfig:
    """For 32 x 32 pictures."""
    return DctNetConfig(classes, (96, 192))


def shape_64(classes: int) -> DctNetConfig:
    """For 64 x 64 pictures."""
    return DctNetConfig(classes, (64, 128, 256))


def shape_224(classes: int) -> DctNetConfig:
    """For 224 x 224 pictures: MobileNet's blocks on the grid of luma blocks."""
    return DctNetConfig(classes, (64, 128, 256), blocks=3, expansion=1, kind=BodyKind.INVERTED)


SHAPES: Mapping[int, Callable[[int], DctNetConfig]] = {32: shape_32, 64: shape_64, 224: shape_224}
"""By a square picture's side in pixels: from the number of classes to the net's shape."""
