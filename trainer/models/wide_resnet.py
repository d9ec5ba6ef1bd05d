"""Wide residual nets (Zagoruyko & Komodakis 2016, arXiv:1605.07146) on rebuilt YCbCr pictures: the paper's WRN-28-k.

Pre-activation blocks of two 3x3 convolutions, three stages of widths 16k, 32k and 64k, the second and third at half the
grid of the one before.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainer.diff_jpeg.transform import Planes, reconstruct

STAGES = 3
FIRST_WIDTH = 16


@dataclass(frozen=True)
class WideResNetConfig:
    """WRN-`depth`-`width`.

    Args:
        classes: how many labels.
        depth: convolutions on the longest way, 6 * blocks a stage + 4.
        width: the multiplier k.
        dropout: share of channels' values dropped between a block's convolutions; the paper names none.
    """

    classes: int
    depth: int = 28
    width: int = 10
    dropout: float = 0.0

    @property
    def blocks(self) -> int:
        """Blocks a stage."""
        return (self.depth - 4) // 6


class WideResNet(nn.Module):
    """Logits from dequantised coefficients, which it first turns back into pictures.

    Each of Y, Cb and Cr enters with the mean and the deviation that it had in training pictures taken out, as Zagoruyko
    & Komodakis normalise RGB.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, config: WideResNetConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("mean", torch.zeros(3))
        self.register_buffer("deviation", torch.ones(3))
        widths = [FIRST_WIDTH * config.width * 2**stage for stage in range(STAGES)]
        self.stem = _convolution(3, FIRST_WIDTH, 3)
        self.body = nn.Sequential(*_stages(widths, config))
        self.norm = nn.BatchNorm2d(widths[-1])
        self.head = nn.Linear(widths[-1], config.classes)
        nn.init.zeros_(self.head.bias)

    @torch.no_grad()
    def normalise_by(self, dequantised: Planes) -> None:
        """Take mean and deviation from these training pictures."""
        ycbcr = reconstruct(dequantised)
        self.mean.copy_(ycbcr.mean((0, 2, 3)))
        self.deviation.copy_(ycbcr.std((0, 2, 3)).clamp(min=1))

    def forward(self, dequantised: Planes) -> Tensor:
        """Logits (n, classes) of coefficients, through IDCT and bilinear chroma, which no autocast makes coarser."""
        with torch.autocast(dequantised.y.device.type, enabled=False):
            ycbcr = reconstruct(dequantised)
        return self.of_ycbcr(ycbcr)

    def of_ycbcr(self, ycbcr: Tensor) -> Tensor:
        """Logits of float (n, 3, h, w): Y 0..255, Cb and Cr around 0."""
        pictures = (ycbcr - self.mean.view(-1, 1, 1)) / self.deviation.view(-1, 1, 1)
        features = functional.relu(self.norm(self.body(self.stem(pictures))))
        logits: Tensor = self.head(features.mean((2, 3)))
        return logits


class PreActivation(nn.Module):
    """Twice batch norm, relu and 3x3 convolution, added to a shortcut: the input, or where shapes differ
    a 1x1 convolution of the first relu's output.

    Args:
        stride: of the first convolution and the shortcut.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, dropout: float) -> None:
        super().__init__()
        self.first_norm = nn.BatchNorm2d(inputs)
        self.first = _convolution(inputs, outputs, 3, stride)
        self.second_norm = nn.BatchNorm2d(outputs)
        self.second = _convolution(outputs, outputs, 3)
        self.dropout = nn.Dropout(dropout)
        self.shortcut = None if inputs == outputs and stride == 1 else _convolution(inputs, outputs, 1, stride)

    def forward(self, cells: Tensor) -> Tensor:
        active = functional.relu(self.first_norm(cells))
        shortcut = cells if self.shortcut is None else self.shortcut(active)
        change = functional.relu(self.second_norm(self.first(active)))
        deeper: Tensor = self.second(self.dropout(change))
        return shortcut + deeper


def _stages(widths: list[int], config: WideResNetConfig) -> list[nn.Module]:
    blocks: list[nn.Module] = []
    inputs = FIRST_WIDTH
    for stage, outputs in enumerate(widths):
        for block in range(config.blocks):
            blocks.append(PreActivation(inputs, outputs, 2 if stage and not block else 1, config.dropout))
            inputs = outputs
    return blocks


def _convolution(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
    return convolution
