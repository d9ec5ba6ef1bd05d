"""RGB nets for 224 px as published: MobileNetV2 (Sandler et al. 2018) and ResNet-50 (He et al. 2015), 1000 classes.

ResNet-50 strides in the 3x3 convolutions, as nearly every implementation of it does by now.
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.pixel_nets import PixelNet
from trainer.diff_jpeg import Planes
from trainer.export.onnx_graph import write_layer
from trainer.export.onnx_writer import GraphWriter
from trainer.models import DctNet
from trainer.models.blocks import conv_norm

SHRINK = 32
CLASSES = 1000
# widening, channels, blocks, first stride: MobileNetV2's table 2
MOBILENET_V2 = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
# narrow channels, blocks, first stride
RESNET50 = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))
BOTTLENECK = 4  # channels outside a block, by those inside


class MobileBlock(nn.Module):
    """Widen (1x1), look around (3x3, each channel alone), narrow (1x1, not activated); a shortcut where it fits."""

    def __init__(self, inputs: int, outputs: int, stride: int, widening: int) -> None:
        super().__init__()
        wide = widening * inputs
        widen = [conv_norm(inputs, wide, 1), nn.ReLU6()] if widening > 1 else []
        self.layers = nn.Sequential(
            *widen, conv_norm(wide, wide, 3, stride, groups=wide), nn.ReLU6(), conv_norm(wide, outputs, 1)
        )
        self.has_shortcut = inputs == outputs and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        change: Tensor = self.layers(x)
        return x + change if self.has_shortcut else change


class Bottleneck(nn.Module):
    """relu(shortcut + 1x1, 3x3 and 1x1 convolutions)."""

    def __init__(self, inputs: int, narrow: int, stride: int) -> None:
        super().__init__()
        outputs = BOTTLENECK * narrow
        self.layers = nn.Sequential(
            conv_norm(inputs, narrow, 1),
            nn.ReLU(),
            conv_norm(narrow, narrow, 3, stride),
            nn.ReLU(),
            conv_norm(narrow, outputs, 1),
        )
        same = inputs == outputs and stride == 1
        self.shortcut: nn.Module = nn.Identity() if same else conv_norm(inputs, outputs, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.shortcut(x) + self.layers(x))


def mobilenet_v2() -> PixelNet:
    """Width 1: 300 million multiplications a picture, as published."""
    layers: list[nn.Module] = [conv_norm(3, 32, 3, 2), nn.ReLU6()]
    inputs = 32
    for widening, outputs, blocks, stride in MOBILENET_V2:
        for block in range(blocks):
            layers.append(MobileBlock(inputs, outputs, stride if block == 0 else 1, widening))
            inputs = outputs
    return PixelNet([*layers, conv_norm(inputs, 1280, 1), nn.ReLU6()], 1280, CLASSES, _write)


def resnet50() -> PixelNet:
    """4.1 thousand million multiplications a picture."""
    layers: list[nn.Module] = [conv_norm(3, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    inputs = 64
    for narrow, blocks, stride in RESNET50:
        for block in range(blocks):
            layers.append(Bottleneck(inputs, narrow, stride if block == 0 else 1))
            inputs = BOTTLENECK * narrow
    return PixelNet(layers, inputs, CLASSES, _write)


@torch.no_grad()
def multiplications(net: nn.Module, pictures: Tensor | Planes) -> int:
    """Multiply-accumulates of the convolutions and linear layers, for each of the pictures."""
    counted = 0

    def count(layer: nn.Module, _: object, output: Tensor) -> None:
        nonlocal counted
        assert isinstance(layer, nn.Conv2d | nn.Linear)
        counted += output[0].numel() * layer.weight[0].numel()

    layers = [layer for layer in net.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    net(pictures)
    for hook in hooks:
        hook.remove()
    return counted


@torch.no_grad()
def settle(net: PixelNet | DctNet, pictures: Tensor | Planes) -> None:
    """Fit an untrained net to pictures: batch norms take their statistics, and no label is likelier than another.

    Without it some activations would be too small for ordinary floating-point numbers, and slow, and one label would
    be the answer to everything.
    """
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = None  # the plain mean of what is shown
    net.train()
    net(pictures)
    net.eval()
    net.head.bias.sub_(net(pictures).mean(0))


def _write(writer: GraphWriter, x: str, layer: nn.Module) -> str:
    match layer:
        case MobileBlock():
            change = _write_all(writer, x, layer.layers)
            return writer.add(x, change) if layer.has_shortcut else change
        case Bottleneck():
            is_plain = isinstance(layer.shortcut, nn.Identity)
            shortcut = x if is_plain else writer.conv_norm(x, layer.shortcut)
            return writer.relu(writer.add(shortcut, _write_all(writer, x, layer.layers)))
        case nn.ReLU6():
            return writer.node("Clip", [x, *(writer.constant(np.full((), limit, np.float32)) for limit in (0, 6))])
        case nn.MaxPool2d():
            return writer.node("MaxPool", [x], kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    return write_layer(writer, x, layer)


def _write_all(writer: GraphWriter, x: str, layers: nn.Sequential) -> str:
    for layer in layers:
        x = _write(writer, x, layer)
    return x
