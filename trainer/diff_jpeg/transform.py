"""Pixels to DCT coefficients and back: colour, level shift, 4:2:0, orthonormal 8x8 DCT (T.81 A.3.1, A.3.3)."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

from trainer.diff_jpeg.colour import to_ycbcr

SIDE = 8
FREQUENCIES = SIDE * SIDE


@dataclass(frozen=True)
class Planes:
    """Coefficients, dequantised coefficients or levels of n frames.

    Args:
        y: float (n, 64, h/8, w/8).
        c: float (n, 128, h/16, w/16).
    """

    y: Tensor
    c: Tensor

    def to(self, device: torch.device) -> "Planes":
        """A copy of the planes on another device."""
        return Planes(self.y.to(device), self.c.to(device))


def coefficients(pixels: Tensor, colour: Callable[[Tensor], Tensor] = to_ycbcr) -> Planes:
    """Unquantised DCT coefficients of RGB pixels.

    Args:
        pixels: uint8 or float (n, h, w, 3), 0..255, h and w multiples of 16.
        colour: maps RGB to Y, Cb and Cr as `to_ycbcr` does.
    """
    ycbcr = colour(pixels.permute(0, 3, 1, 2).float())
    luma = ycbcr[:, :1] - 128
    chroma = functional.avg_pool2d(ycbcr[:, 1:], 2)
    return Planes(_forward_dct(luma), _forward_dct(chroma))


def reconstruct(dequantised: Planes) -> Tensor:
    """Pixels of dequantised coefficients: IDCT and bilinear chroma, neither rounded nor clipped.

    Returns:
        float (n, 3, h, w): Y 0..255, Cb and Cr around 0.
    """
    luma = _inverse_dct(dequantised.y) + 128
    chroma = _inverse_dct(dequantised.c)
    fine = functional.interpolate(chroma, scale_factor=2, mode="bilinear", align_corners=False)
    return torch.cat([luma, fine], dim=1)


def by_component(channels: Tensor) -> Tensor:
    """Planes (n, 64k, h, w) with the components apart: (n, k, 64, h, w)."""
    n, _, h, w = channels.shape
    return channels.reshape(n, -1, FREQUENCIES, h, w)


@cache
def dct_basis() -> Tensor:
    """T.81 A.3.3's FDCT as an orthonormal float32 (64 frequencies, 64 pixel values), both row-major; DC is 8 x mean."""
    angle = torch.arange(SIDE)[:, None] * (2 * torch.arange(SIDE)[None] + 1) * (math.pi / (2 * SIDE))
    one = torch.cos(angle.double()) * math.sqrt(2 / SIDE)
    one[0] /= math.sqrt(2)
    return torch.kron(one, one).float()


def _forward_dct(planes: Tensor) -> Tensor:
    """(n, k, h, w) to (n, 64k, h/8, w/8)."""
    values = by_component(functional.pixel_unshuffle(planes, SIDE))
    return torch.einsum("fp,nkphw->nkfhw", dct_basis().to(values), values).flatten(1, 2)


def _inverse_dct(blocks: Tensor) -> Tensor:
    """(n, 64k, h/8, w/8) to (n, k, h, w)."""
    values = torch.einsum("fp,nkfhw->nkphw", dct_basis().to(blocks), by_component(blocks))
    return functional.pixel_shuffle(values.flatten(1, 2), SIDE)
