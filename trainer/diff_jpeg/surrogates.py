"""Rounding with named gradients: exact values forward, a stated substitute derivative backward.

`StraightThrough`: rounding counts as the identity (derivative 1).
`Staircase`: a function of the rounded magnitude counts as a sum of steps, each smeared over half a level on both sides
    of its threshold by a triangle of area 1: the derivative is what the step moves on average when coefficients jitter.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class StraightThrough(torch.autograd.Function):
    """Round half away from zero, like the codec; derivative 1."""

    @staticmethod
    def forward(_ctx: Any, x: Tensor) -> Tensor:
        return round_half_away(x)

    @staticmethod
    def backward(_ctx: Any, gradient: Tensor) -> Tensor:
        return gradient


class Staircase(torch.autograd.Function):
    """(1 if the level is not 0, log2(1 + |level|)) of level = round(x); derivative: triangles at the thresholds."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(x)
        magnitude = round_half_away(x.abs())
        return (magnitude > 0).to(x.dtype), torch.log2(1 + magnitude)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, counted: Tensor, logarithm: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        magnitude = x.abs()
        step = torch.floor(magnitude) + 1  # the threshold nearest to |x| is step - 1/2: levels step-1 | step
        bump = 2 * (1 - 2 * (magnitude - (step - 0.5)).abs())
        jump = counted * (step == 1) + logarithm * torch.log2((step + 1) / step)
        slope: Tensor = x.sign() * bump * jump
        return slope


def round_half_away(x: Tensor) -> Tensor:
    """Nearest integer, halves away from zero, as JPEG encoders quantise (torch.round takes halves to even)."""
    return torch.trunc(x + 0.5 * x.sign())


def straight_through(x: Tensor) -> Tensor:
    """Apply `StraightThrough`, with types."""
    rounded: Tensor = StraightThrough.apply(x)  # type: ignore[no-untyped-call]
    return rounded


def staircase(x: Tensor) -> tuple[Tensor, Tensor]:
    """Apply `Staircase`, with types."""
    counted: Tensor
    logarithm: Tensor
    counted, logarithm = Staircase.apply(x)  # type: ignore[no-untyped-call]
    return counted, logarithm
