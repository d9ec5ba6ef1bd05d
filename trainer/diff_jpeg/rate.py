"""How many bits a frame's scan takes: a linear proxy, differentiable, fitted to true Huffman bits.

A level that is not zero costs its run and size code (T.81 F.1.2.2), which differs by frequency, and its extra bits; DC
costs by its difference to the block before (F.1.2.1); a block that is not empty ends with a code more; the constant
stands for all other ends of blocks. Luma and chroma have Huffman tables of their own, and so coefficients of their own.
"""

import torch
from torch import Tensor, nn

from trainer.diff_jpeg.surrogates import staircase, straight_through
from trainer.diff_jpeg.transform import FREQUENCIES, Planes, by_component

AC = FREQUENCIES - 1
KINDS = ("count", "logarithm", "difference", "nonempty", "constant")
SIZES = (2 * AC, 2, 2, 2, 1)  # terms of each kind: luma's, then chroma's
FIRST = (3.605, 0.974, 2.297, 0.0, 69.0)  # on 32x32 4:2:0 photographs; where training starts before its first refit
RIDGE = 30.0  # frames' worth of trust that terms of a kind cost the same: for frequencies that are hardly ever coded


class RateModel(nn.Module):
    """Predicts scan bits from levels in steps; its coefficients are fitted, not trained."""

    coefficients: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("coefficients", _kinds() @ torch.tensor(FIRST))

    def forward(self, scaled: Planes) -> Tensor:
        """Bits a frame (n,) of coefficients in steps (not rounded, so that gradients can flow)."""
        return self.bits(features(scaled))

    def bits(self, terms: Tensor) -> Tensor:
        """Bits a frame (n,) of `features` (n, terms)."""
        return terms @ self.coefficients[:-1] + self.coefficients[-1]

    @torch.no_grad()
    def fit(self, terms: Tensor, true_bits: Tensor) -> None:
        """Least squares on `features` (n, terms) and true bits (n,), drawn towards one cost for all terms of a kind."""
        design = torch.cat([terms, torch.ones(len(terms), 1)], dim=1).double()
        bits = true_bits.double()
        kinds = _kinds().double()
        shared = kinds @ torch.linalg.lstsq(design @ kinds, bits[:, None], driver="gelsd").solution[:, 0]
        damped = design.T @ design + RIDGE * torch.eye(design.shape[1], dtype=torch.float64)
        own = torch.linalg.solve(damped, design.T @ (bits - design @ shared))
        self.coefficients.copy_(shared + own)

    @torch.no_grad()
    def median_error(self, terms: Tensor, true_bits: Tensor) -> float:
        """Median relative error of the prediction; on held-out frames it says how far the proxy can be trusted."""
        return float(((self.bits(terms) - true_bits).abs() / true_bits).median())


def features(scaled: Planes) -> Tensor:
    """The proxy's terms without the constant, float (n, terms), differentiable."""
    chroma = by_component(scaled.c)
    luma_count, luma_log = staircase(scaled.y[:, 1:])
    chroma_count, chroma_log = staircase(chroma[:, :, 1:])
    counts = [luma_count.sum((2, 3)), chroma_count.sum((1, 3, 4))]
    sums = [
        luma_log.sum((1, 2, 3)),
        chroma_log.sum((1, 2, 3, 4)),
        _log_differences(_mcu_order(scaled.y[:, :1])),
        _log_differences(chroma[:, :, 0].flatten(2)),
        (1 - (1 - luma_count).prod(1)).sum((1, 2)),
        (1 - (1 - chroma_count).prod(2)).sum((1, 2, 3)),
    ]
    return torch.cat([*counts, torch.stack(sums, dim=1)], dim=1)


def _kinds() -> Tensor:
    """Membership of each term, and of the constant, in a kind of terms: float (terms + 1, kinds)."""
    return torch.eye(len(KINDS)).repeat_interleave(torch.tensor(SIZES), dim=0)


def _mcu_order(dc: Tensor) -> Tensor:
    """(n, 1, h/8, w/8) to (n, 1, blocks) in the scan's order: the four blocks of each MCU together (T.81 A.2.3)."""
    n, _, h, w = dc.shape
    return dc.reshape(n, 1, h // 2, 2, w // 2, 2).transpose(3, 4).reshape(n, 1, h * w)


def _log_differences(dc: Tensor) -> Tensor:
    """Sum (n,) of log2(1 + |difference|) along DC coefficients (n, components, blocks), predicted from 0 at first."""
    levels = straight_through(dc)
    differences = torch.diff(levels, dim=2, prepend=torch.zeros_like(levels[..., :1]))
    return torch.log2(1 + differences.abs()).sum((1, 2))
