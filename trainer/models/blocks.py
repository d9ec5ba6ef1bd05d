"""Blocks that bodies of serving nets are made of; every convolution has a batch norm behind it and no bias."""

from torch import Tensor, nn
from torch.nn import functional

WIDENING = 4  # channels inside an inverted residual block, by its inputs


class Residual(nn.Module):
    """relu(shortcut + two 3x3 convolutions)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = conv_norm(inputs, outputs, 3, stride)
        self.second = conv_norm(outputs, outputs, 3)
        same = inputs == outputs and stride == 1
        self.shortcut: nn.Module = nn.Identity() if same else conv_norm(inputs, outputs, 1, stride)

    def forward(self, cells: Tensor) -> Tensor:
        change = self.second(functional.relu(self.first(cells)))
        return functional.relu(self.shortcut(cells) + change)


class InvertedResidual(nn.Module):
    """MobileNetV2's block: widen (1x1), look around (3x3, each channel alone), narrow (1x1, not activated).

    The shortcut joins the narrow ends; a block that changes the shape has none.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        wide = WIDENING * inputs
        self.widen = conv_norm(inputs, wide, 1)
        self.depthwise = conv_norm(wide, wide, 3, stride, groups=wide)
        self.narrow = conv_norm(wide, outputs, 1)
        self.has_shortcut = inputs == outputs and stride == 1

    def forward(self, cells: Tensor) -> Tensor:
        wide = functional.relu(self.depthwise(functional.relu(self.widen(cells))))
        change: Tensor = self.narrow(wide)
        return cells + change if self.has_shortcut else change


def conv_norm(inputs: int, outputs: int, side: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """A convolution that keeps the grid (or divides it by `stride`), and its batch norm."""
    conv = nn.Conv2d(inputs, outputs, side, stride, side // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs))
