"""Deconvolution-RFA (Gueguen et al. 2018, "Faster Neural Networks Straight from JPEG"): a ResNet-50 on coefficients.

Cb and Cr are each brought to luma's grid by a transposed convolution of their own. What follows is ResNet-50 (He et al.
2015) from stage 3 on, with one group of three blocks before it that makes it aware of receptive fields: a coefficient
sees 8x8 pixels already, so that group's kernels are only 1, 2 and 3 wide and neither it nor stage 3 halves the grid.

    CB4(k=1, s=1) IB(k=2) IB  CB3(s=1) IB IB IB  CB4 IB IB IB IB IB  CB5 IB IB  mean  linear

CBn is a block with a projecting shortcut and the channels of ResNet-50's stage n, IB one with an identity shortcut.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainer.diff_jpeg.transform import FREQUENCIES, Planes

WIDENING = 4  # a block's outputs over its inner channels


@dataclass(frozen=True)
class DeconvolutionRfaConfig:
    """Shape of the net.

    Args:
        classes: how many labels.
        width: inner channels of ResNet's stage 2; 64 is ResNet-50's.
    """

    classes: int
    width: int = 64


class DeconvolutionRfa(nn.Module):
    """Logits from dequantised coefficients; normalises them itself (batch norm behind the concatenation)."""

    def __init__(self, config: DeconvolutionRfaConfig) -> None:
        super().__init__()
        self.config = config
        self.cb = nn.ConvTranspose2d(FREQUENCIES, FREQUENCIES, 2, 2)
        self.cr = nn.ConvTranspose2d(FREQUENCIES, FREQUENCIES, 2, 2)
        self.norm = nn.BatchNorm2d(3 * FREQUENCIES)
        third, fourth, fifth = 2 * config.width, 4 * config.width, 8 * config.width
        self.body = nn.Sequential(
            *_group(3 * FREQUENCIES, fourth, stride=1, kernels=(1, 2, 3)),
            *_group(WIDENING * fourth, third, stride=1, kernels=(3,) * 4),
            *_group(WIDENING * third, fourth, stride=2, kernels=(3,) * 6),
            *_group(WIDENING * fourth, fifth, stride=2, kernels=(3,) * 3),
        )
        self.head = nn.Linear(WIDENING * fifth, config.classes)
        self.apply(_start)

    def forward(self, dequantised: Planes) -> Tensor:
        """Logits (n, classes); 224 px frames have y (n, 64, 28, 28) and c (n, 128, 14, 14)."""
        cb, cr = dequantised.c.chunk(2, dim=1)
        cells = self.norm(torch.cat([dequantised.y, self.cb(cb), self.cr(cr)], dim=1))
        logits: Tensor = self.head(self.body(cells).mean((2, 3)))
        return logits


class Bottleneck(nn.Module):
    """relu(shortcut + 1x1, kernel x kernel and 1x1 convolutions), each with batch norm; the first one strides."""

    def __init__(self, inputs: int, inner: int, kernel: int, stride: int, projects: bool) -> None:
        super().__init__()
        outputs = WIDENING * inner
        self.first = _normed(nn.Conv2d(inputs, inner, 1, stride, bias=False))
        self.second = nn.Sequential(_same(kernel), *_normed(nn.Conv2d(inner, inner, kernel, bias=False)))
        self.third = _normed(nn.Conv2d(inner, outputs, 1, bias=False))
        shortcut = _normed(nn.Conv2d(inputs, outputs, 1, stride, bias=False)) if projects else nn.Identity()
        self.shortcut: nn.Module = shortcut

    def forward(self, cells: Tensor) -> Tensor:
        inner = functional.relu(self.second(functional.relu(self.first(cells))))
        return functional.relu(self.shortcut(cells) + self.third(inner))


def _group(inputs: int, inner: int, stride: int, kernels: tuple[int, ...]) -> list[Bottleneck]:
    """A projecting block and identity blocks behind it."""
    first, *others = kernels
    blocks = [Bottleneck(inputs, inner, first, stride, projects=True)]
    return blocks + [Bottleneck(WIDENING * inner, inner, kernel, 1, projects=False) for kernel in others]


def _normed(convolution: nn.Conv2d) -> nn.Sequential:
    return nn.Sequential(convolution, nn.BatchNorm2d(convolution.out_channels))


def _same(kernel: int) -> nn.Module:
    """Pad the grid with zeros so that it keeps its size; an even kernel needs one more to the right and below."""
    before, after = (kernel - 1) // 2, kernel // 2
    return nn.ZeroPad2d((before, after, before, after))


def _start(module: nn.Module) -> None:
    """Give every layer the first weights that He et al. use."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
