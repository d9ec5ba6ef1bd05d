"""The paper's quantisation layer: trainable reciprocals q = 1/Q of real steps, and the tables a camera gets of them.

Seed paper, section III.A: level = round(F * q) with the gradient of rounding replaced by 1, dequantised = level / q.
Where the paper is silent: the sign of q means nothing, so |q| is used everywhere; and a q too small for any picture to
reach level 1 counts as 0, dequantises to 0 and gets no gradient from the task, so that neither 0 * inf nor a gradient
of 1 / q^2 ever appears. `docs/paper.md` lists all such readings.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from trainer.diff_jpeg.quantise import COMPONENTS, LARGEST, as_channels, rounded
from trainer.diff_jpeg.transform import FREQUENCIES, Planes

# 128 * 8: what a level-shifted block's coefficient can be at most (T.81 A.3.3), here its DC.
LARGEST_COEFFICIENT = 1024
ALIVE = 0.5 / LARGEST_COEFFICIENT


@dataclass(frozen=True)
class CompliantTables:
    """Kernels as the wire can carry them.

    Args:
        steps: float (3, 64), integers 1..255: the nearest to 1 / |q|.
        dropped: bool (3, 64), dead entries; their step is 255 and an encoder leaves them out.
    """

    steps: Tensor
    dropped: Tensor


class ReciprocalKernels(nn.Module):
    """The compression kernels q, float (3, 64): Y, Cb and Cr, natural frequency order.

    Args:
        kernels: (3, 64) first values.
    """

    def __init__(self, kernels: Tensor) -> None:
        super().__init__()
        self.q = nn.Parameter(kernels.detach().float().clone())

    @classmethod
    def ones(cls) -> "ReciprocalKernels":
        """Kernels as the paper starts them: every q = 1, the finest tables there are."""
        return cls(torch.ones(COMPONENTS, FREQUENCIES))

    @classmethod
    def of(cls, quant: Sequence[bytes]) -> "ReciprocalKernels":
        """Kernels of a table set's `quant`: three tables of 64 steps."""
        return cls(1 / torch.tensor([list(table) for table in quant], dtype=torch.float32))

    @property
    def is_alive(self) -> Tensor:
        """bool (3, 64): false where no picture's coefficient can reach level 1."""
        return self.q.detach().abs() >= ALIVE

    @property
    def dead(self) -> int:
        """How many of the 192 entries are not alive."""
        return int((~self.is_alive).sum())

    @property
    def magnitudes(self) -> Tensor:
        """The magnitudes |q|, 0 where an entry is dead; differentiable."""
        return self.q.abs() * self.is_alive

    @property
    def steps(self) -> Tensor:
        """1 / |q|, 0 where dead: real steps that levels are multiplied with; differentiable."""
        alive = self.is_alive
        return alive / torch.where(alive, self.q.abs(), 1)

    def forward(self, coefficients: Planes) -> Planes:
        """Quantised and dequantised; every value a multiple of its step."""
        return self.dequantise(rounded(self.scaled(coefficients)))

    def scaled(self, coefficients: Planes) -> Planes:
        """F * |q|, not yet rounded."""
        y, c = as_channels(self.magnitudes)
        return Planes(coefficients.y * y, coefficients.c * c)

    def dequantise(self, levels: Planes) -> Planes:
        """Levels times real steps."""
        y, c = as_channels(self.steps)
        return Planes(levels.y * y, levels.c * c)

    @torch.no_grad()
    def compliant(self) -> CompliantTables:
        """The tables a camera gets: integer steps, dead entries as 255 with the order to leave them out."""
        alive = self.is_alive
        steps = torch.where(alive, self.steps.round().clamp(1, LARGEST), LARGEST)
        return CompliantTables(steps, ~alive)


def hinge_l1_penalty(q: Tensor, c: float, l1: float) -> Tensor:
    """The paper's surrogate for bits, a scalar: sum over all entries of max(q^2 - c, 0) + l1 * |q| (section III.B).

    All 192 entries count alike, although chroma's occur a quarter as often in a frame: so the paper writes it.
    """
    return ((q.square() - c).relu() + l1 * q.abs()).sum()


def l2_penalty(q: Tensor) -> Tensor:
    """The penalty of the paper's ImageNet model: the sum of q^2 over all entries, a scalar (section III.C)."""
    return q.square().sum()
