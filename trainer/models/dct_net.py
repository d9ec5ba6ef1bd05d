"""Serving nets on DCT coefficients: a sub-pixel stem instead of an inverse DCT, one of two bodies, a linear head."""

import math
from dataclasses import dataclass
from enum import StrEnum

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainer.diff_jpeg.transform import FREQUENCIES, SIDE, Planes, dct_basis
from trainer.errors import RecipeError
from trainer.models.blocks import WIDENING, InvertedResidual, Residual, conv_norm

CHROMA_SHARE = 4  # luma channels a chroma channel on the body's grid: chroma says little
FIRST_GAIN = 1 / 60  # what the stem multiplies pixels with at first: their usual spread becomes about 1


class BodyKind(StrEnum):
    """What the body is made of, and how much of the grid the head tells apart."""

    RESIDUAL = "residual"  # two 3x3 convolutions a block: small frames
    INVERTED = "inverted-residual"  # MobileNet's blocks: large frames


# The head sees the means of so many equal rectangles along each side of the grid. In small frames the place of a stroke
# tells a 6 from a 9.
POOLS_PER_SIDE = {BodyKind.RESIDUAL: 2, BodyKind.INVERTED: 1}


@dataclass(frozen=True)
class DctNetConfig:
    """Shape of the net.

    Args:
        classes: how many labels.
        widths: channels of the body's stages; each stage after the first halves the grid.
        blocks: blocks a stage.
        expansion: sub-pixel factor from the grid of luma blocks to the body's grid; 2 gives 4x4 pixels a cell.
        kind: the kind of blocks that the body is made of.
    """

    classes: int
    widths: tuple[int, ...] = (64, 128)
    blocks: int = 1
    expansion: int = 2
    kind: BodyKind = BodyKind.RESIDUAL

    def pooled_cells(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns of the last stage's grid that the head takes one mean of, for frames of this size in pixels.

        Raises:
            RecipeError: the grid has no such equal rectangles: too many stages for such frames.
        """
        pools = POOLS_PER_SIDE[self.kind]
        cell = SIDE // self.expansion * 2 ** (len(self.widths) - 1)
        multiple = math.lcm(cell * pools, 2 * SIDE)  # of whole chroma blocks as well
        if height % multiple or width % multiple:
            raise RecipeError(
                f"{height} x {width} frames do not suit [net]: its {len(self.widths)} stages at expansion "
                f"{self.expansion} need sides that are multiples of {multiple} pixels"
            )
        return height // cell // pools, width // cell // pools


class DctNet(nn.Module):
    """Logits from dequantised coefficients.

    Each 1x1 convolution and pixel shuffle spreads a block's coefficients over finer cells (it can learn the inverse
    DCT of a cell), chroma twice as far as luma so that both meet on one grid; the body's blocks follow.
    """

    def __init__(self, config: DctNetConfig, coefficient_scale: Tensor) -> None:
        """
        Args:
            coefficient_scale: float (3, 64), multiplied onto the coefficients; fixed, folded into the stem on export.
        """
        super().__init__()
        self.config = config
        first = config.widths[0]
        chroma = first // CHROMA_SHARE
        self.register_buffer("coefficient_scale", coefficient_scale.clone())
        self.luma_stem = nn.Conv2d(FREQUENCIES, first * config.expansion**2, 1)
        self.chroma_stem = nn.Conv2d(2 * FREQUENCIES, chroma * (2 * config.expansion) ** 2, 1)
        self.merge = conv_norm(first + chroma, first, 1)
        self.body = nn.Sequential(*_blocks(config))
        self.head = nn.Linear(_features(config) * POOLS_PER_SIDE[config.kind] ** 2, config.classes)
        _start_as_pixel_features(self.luma_stem, coefficient_scale[:1], config.expansion)
        _start_as_pixel_features(self.chroma_stem, coefficient_scale[1:], 2 * config.expansion)

    coefficient_scale: Tensor

    def forward(self, dequantised: Planes) -> Tensor:
        """Logits (n, classes) of coefficients."""
        scale = self.coefficient_scale
        y = dequantised.y * scale[0].view(-1, 1, 1)
        c = dequantised.c * scale[1:].reshape(-1, 1, 1)
        return self.of_scaled(y, c)

    def of_scaled(self, y: Tensor, c: Tensor) -> Tensor:
        """Logits of coefficients that already carry `coefficient_scale`."""
        luma = functional.pixel_shuffle(self.luma_stem(y), self.config.expansion)
        chroma = functional.pixel_shuffle(self.chroma_stem(c), 2 * self.config.expansion)
        cells = functional.relu(self.merge(torch.cat([luma, chroma], dim=1)))
        body = self.body(cells)
        pools = POOLS_PER_SIDE[self.config.kind]
        means = functional.avg_pool2d(body, (body.shape[2] // pools, body.shape[3] // pools))
        logits: Tensor = self.head(means.flatten(1))
        return logits


@torch.no_grad()
def _start_as_pixel_features(stem: nn.Conv2d, scale: Tensor, cells: int) -> None:
    """Let every channel start as one random sum of a cell's pixels, the same in each cell of a block.

    A random 1x1 stem would start with unrelated features in each cell, and the convolutions behind it could not share
    what they learn. (32x32 synthetic, quality 50, 4 epochs: validation accuracy 0.90 without, 0.92 with.)

    Args:
        scale: (components, 64), what the stem's input is multiplied with.
        cells: cells along a side of a block, as the pixel shuffle behind the stem lays them out.
    """
    components, pixels = len(scale), SIDE // cells
    channels = stem.out_channels // cells**2
    features = torch.randn(channels, components, pixels**2) * FIRST_GAIN / (components * pixels**2) ** 0.5
    # coefficients to pixels, by cell: (row, column, pixel of the cell, frequency)
    inverse = dct_basis().T.view(cells, pixels, cells, pixels, FREQUENCIES).transpose(1, 2).flatten(2, 3)
    weights = torch.einsum("okp,rspf,kf->orskf", features, inverse, 1 / scale)
    stem.weight.copy_(weights.reshape(stem.weight.shape))
    assert stem.bias is not None
    stem.bias.zero_()


def _blocks(config: DctNetConfig) -> list[nn.Module]:
    kind = Residual if config.kind is BodyKind.RESIDUAL else InvertedResidual
    blocks: list[nn.Module] = []
    inputs = config.widths[0]
    for stage, outputs in enumerate(config.widths):
        for block in range(config.blocks):
            halves = stage > 0 and block == 0
            blocks.append(kind(inputs, outputs, 2 if halves else 1))
            inputs = outputs
    if config.kind is BodyKind.INVERTED:
        # Its blocks end narrow and not activated: the last ones are widened once more for the head, as inside a block.
        blocks += [conv_norm(inputs, _features(config), 1), nn.ReLU()]
    return blocks


def _features(config: DctNetConfig) -> int:
    """How many values the head sees of one frame."""
    return config.widths[-1] * (WIDENING if config.kind is BodyKind.INVERTED else 1)
