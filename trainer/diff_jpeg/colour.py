"""RGB to YCbCr and back: JFIF's full-range BT.601, fixed (training it gives nothing)."""

import torch
from torch import Tensor

RED, GREEN, BLUE = 0.299, 0.587, 0.114

# Rows Y, Cb, Cr over columns R, G, B (JFIF 1.02, "Conversion to and from RGB").
TO_YCBCR = (
    (RED, GREEN, BLUE),
    (-RED / (2 * (1 - BLUE)), -GREEN / (2 * (1 - BLUE)), 0.5),
    (0.5, -GREEN / (2 * (1 - RED)), -BLUE / (2 * (1 - RED))),
)

# Rows R, G, B over columns Y, Cb, Cr: the inverse.
TO_RGB = (
    (1.0, 0.0, 2 * (1 - RED)),
    (1.0, -2 * BLUE * (1 - BLUE) / GREEN, -2 * RED * (1 - RED) / GREEN),
    (1.0, 2 * (1 - BLUE), 0.0),
)


def to_ycbcr(rgb: Tensor) -> Tensor:
    """float (n, 3, h, w) RGB 0..255 to Y 0..255 and Cb, Cr around 0 (their 128 left out)."""
    return _mix(rgb, TO_YCBCR)


def to_rgb(ycbcr: Tensor) -> Tensor:
    """The inverse of `to_ycbcr`; not clipped."""
    return _mix(ycbcr, TO_RGB)


def _mix(planes: Tensor, matrix: tuple[tuple[float, float, float], ...]) -> Tensor:
    return torch.einsum("oc,nchw->nohw", torch.tensor(matrix, dtype=planes.dtype), planes)
