"""How many bits a frame's scan takes: a three-term proxy, differentiable, fitted to true Huffman bits.

bits = a * (nonzero AC levels) + b * sum log2(1 + |AC|) + c * sum log2(1 + |DC difference|) + constant. The first two
terms stand for AC codes and their extra bits, the third for DC (T.81 F.1.2), the constant for end-of-block codes.
"""

import torch
from torch import Tensor, nn

from trainer.diff_jpeg.surrogates import staircase, straight_through
from trainer.diff_jpeg.transform import Planes, by_component

# Fitted on 32x32 4:2:0 photographs; where training starts before its first refit.
FIRST_COEFFICIENTS = (3.605, 0.974, 2.297, 69.0)


class RateModel(nn.Module):
    """Predicts scan bits from levels in steps; its four coefficients are fitted, not trained."""

    coefficients: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("coefficients", torch.tensor(FIRST_COEFFICIENTS))

    def forward(self, scaled: Planes) -> Tensor:
        """Bits a frame (n,) of coefficients in steps (not rounded, so that gradients can flow)."""
        return self.bits(features(scaled))

    def bits(self, terms: Tensor) -> Tensor:
        """Bits a frame (n,) of `features` (n, 3)."""
        return terms @ self.coefficients[:3] + self.coefficients[3]

    @torch.no_grad()
    def fit(self, terms: Tensor, true_bits: Tensor) -> None:
        """Least squares on `features` (n, 3) and true bits (n,); coefficients stay >= 0 (a level never saves bits)."""
        design = torch.cat([terms, torch.ones(len(terms), 1)], dim=1).double()
        used = list(range(design.shape[1]))
        while True:
            solution = torch.linalg.lstsq(design[:, used], true_bits.double()[:, None], driver="gelsd").solution[:, 0]
            negative = [column for column, value in zip(used, solution.tolist(), strict=True) if value < 0]
            if not negative:
                break
            used = [column for column in used if column not in negative]
        self.coefficients.zero_()
        self.coefficients[used] = solution.float()

    @torch.no_grad()
    def median_error(self, terms: Tensor, true_bits: Tensor) -> float:
        """Median relative error of the prediction; on held-out frames it says how far the proxy can be trusted."""
        return float(((self.bits(terms) - true_bits).abs() / true_bits).median())


def features(scaled: Planes) -> Tensor:
    """The proxy's three terms, float (n, 3), differentiable."""
    luma_dc, luma_ac = scaled.y[:, :1], scaled.y[:, 1:]
    chroma = by_component(scaled.c)
    chroma_dc, chroma_ac = chroma[:, :, 0], chroma[:, :, 1:]
    luma_count, luma_log = staircase(luma_ac)
    chroma_count, chroma_log = staircase(chroma_ac)
    differences = _log_differences(_mcu_order(luma_dc)) + _log_differences(chroma_dc.flatten(2))
    counts = luma_count.flatten(1).sum(1) + chroma_count.flatten(1).sum(1)
    logs = luma_log.flatten(1).sum(1) + chroma_log.flatten(1).sum(1)
    return torch.stack([counts, logs, differences], dim=1)


def _mcu_order(dc: Tensor) -> Tensor:
    """(n, 1, h/8, w/8) to (n, 1, blocks) in the scan's order: the four blocks of each MCU together (T.81 A.2.3)."""
    n, _, h, w = dc.shape
    return dc.reshape(n, 1, h // 2, 2, w // 2, 2).transpose(3, 4).reshape(n, 1, h * w)


def _log_differences(dc: Tensor) -> Tensor:
    """Sum (n,) of log2(1 + |difference|) along DC coefficients (n, components, blocks), predicted from 0 at first."""
    levels = straight_through(dc)
    differences = torch.diff(levels, dim=2, prepend=torch.zeros_like(levels[..., :1]))
    return torch.log2(1 + differences.abs()).sum((1, 2))
