"""Trainable integer quantisation tables, in the log domain with the gradient of learned step sizes (LSQ)."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from trainer.diff_jpeg.surrogates import straight_through
from trainer.diff_jpeg.transform import FREQUENCIES, Planes

COMPONENTS = 3
LARGEST = 255


class QuantTables(nn.Module):
    """Tables of Y, Cb and Cr whose forward values are always the integers 1..255 that the wire can carry.

    With level = round(x / step) and output = level * step, straight-through rounding gives d output / d step =
    round(x / step) - x / step: LSQ's gradient. LSQ's extra scale 1 / sqrt(n * levels) is left to Adam, which does not
    see scales.

    Args:
        steps: (3, 64) first steps, natural frequency order; need not be integers.
    """

    def __init__(self, steps: Tensor) -> None:
        super().__init__()
        self.log_steps = nn.Parameter(steps.detach().float().log())
        self.project()

    @classmethod
    def of(cls, quant: Sequence[bytes]) -> "QuantTables":
        """Trainable tables of a table set's `quant`: three tables of 64 bytes."""
        return cls(torch.tensor([list(table) for table in quant], dtype=torch.float32))

    @property
    def steps(self) -> Tensor:
        """float (3, 64), integers 1..255, differentiable."""
        return straight_through(self.log_steps.exp())

    def quant(self) -> tuple[bytes, ...]:
        """The tables as `shared.jpeg` takes them."""
        return tuple(bytes(table) for table in self.steps.detach().to(torch.uint8).tolist())

    @torch.no_grad()
    def project(self) -> None:
        """Bring the steps back into 1..255; call it after every optimiser step."""
        self.log_steps.clamp_(0, math.log(LARGEST))

    def scaled(self, coefficients: Planes) -> Planes:
        """Coefficients in steps, not yet rounded."""
        y, c = as_channels(self.steps)
        return Planes(coefficients.y / y, coefficients.c / c)

    def dequantise(self, levels: Planes) -> Planes:
        """Levels times steps."""
        y, c = as_channels(self.steps)
        return Planes(levels.y * y, levels.c * c)


def rounded(scaled: Planes) -> Planes:
    """Round to levels; the gradient passes as if nothing had been rounded."""
    return Planes(straight_through(scaled.y), straight_through(scaled.c))


def as_channels(steps: Tensor) -> tuple[Tensor, Tensor]:
    """(3, 64) as factors of the channels: (64, 1, 1) for y, (128, 1, 1) for c."""
    return steps[0].view(FREQUENCIES, 1, 1), steps[1:].reshape(2 * FREQUENCIES, 1, 1)
