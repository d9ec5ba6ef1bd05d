"""What a server that wants pixels would run instead of a `DctNet`: rivals of the same parts to time it against."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from trainer.diff_jpeg.transform import FREQUENCIES, SIDE, Planes, dct_basis, reconstruct
from trainer.export.onnx_graph import MEANS, write_layer
from trainer.export.onnx_writer import GraphWriter, numbers
from trainer.models import DctNet
from trainer.models.blocks import InvertedResidual, Residual, conv_norm

RESNET20 = ((16, 16, 16), (32, 32, 32), (64, 64, 64))
GREY = 128

WriteLayer = Callable[[GraphWriter, str, nn.Module], str]


class Rebuilding(nn.Module):
    """A `DctNet`'s body and head on pixels that the graph rebuilds itself: the same grid and work behind the stem."""

    def __init__(self, net: DctNet) -> None:
        super().__init__()
        side = SIDE // net.config.expansion
        patches = nn.Conv2d(3, net.config.widths[0], side, side, bias=False)
        self.stem = nn.Sequential(patches, nn.BatchNorm2d(net.config.widths[0]))
        self.net = net

    def forward(self, dequantised: Planes) -> Tensor:
        """Logits (n, classes) of coefficients."""
        pixels = reconstruct(dequantised)
        cells = self.net.body(functional.relu(self.stem(pixels)))
        window = self.net.config.pooled_cells(*pixels.shape[2:])
        logits: Tensor = self.net.head(functional.avg_pool2d(cells, window).flatten(1))
        return logits

    def to_onnx(self, steps: Tensor, height: int, width: int) -> bytes:
        """Inputs and output as those of the `DctNet`."""
        writer = GraphWriter()
        luma = _inverse_dct(writer, "y", steps[:1], offset=GREY)
        small = _inverse_dct(writer, "c", steps[1:], offset=0)
        scales = writer.constant(np.array([1, 1, 2, 2], np.float32))
        chroma = writer.node("Resize", [small, "", scales], mode="linear", coordinate_transformation_mode="half_pixel")
        pixels = writer.node("Concat", [luma, chroma], axis=1)
        cells = writer.relu(writer.conv_norm(pixels, self.stem))
        for layer in self.net.body:
            cells = write_layer(writer, cells, layer)
        config = self.net.config
        writer.linear(writer.means(cells, config.pooled_cells(height, width), MEANS), self.net.head, output="logits")
        return writer.model(
            {
                "y": ("int16", ("N", FREQUENCIES, height // 8, width // 8)),
                "c": ("int16", ("N", 2 * FREQUENCIES, height // 16, width // 16)),
            },
            {"logits": ("float32", ("N", config.classes))},
        )


class PixelNet(nn.Module):
    """Layers, the mean over the grid, a linear head; float32 pixels (n, 3, h, w) go in.

    Args:
        write: adds one of the layers to a graph.
    """

    def __init__(self, layers: list[nn.Module], features: int, classes: int, write: WriteLayer = write_layer) -> None:
        super().__init__()
        self._write = write
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear(features, classes)

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits (n, classes)."""
        logits: Tensor = self.head(self.layers(pixels).mean((2, 3)))
        return logits

    def to_onnx(self, height: int, width: int, shrink: int) -> bytes:
        """Input pixels float32 [N, 3, height, width], output logits; the layers divide the sides by `shrink`."""
        writer = GraphWriter()
        x = "pixels"
        for layer in self.layers:
            x = self._write(writer, x, layer)
        writer.linear(writer.means(x, (height // shrink, width // shrink), MEANS), self.head, output="logits")
        return writer.model(
            {"pixels": ("float32", ("N", 3, height, width))},
            {"logits": ("float32", ("N", self.head.out_features))},
        )


def resnet20(classes: int) -> PixelNet:
    """He et al. 2015, for CIFAR, with projections as shortcuts; its last grid is a quarter of the picture's sides."""
    layers: list[nn.Module] = [conv_norm(3, 16, 3), nn.ReLU()]
    inputs = 16
    for stage, widths in enumerate(RESNET20):
        for block, outputs in enumerate(widths):
            layers.append(Residual(inputs, outputs, 2 if stage and not block else 1))
            inputs = outputs
    return PixelNet(layers, inputs, classes)


def mobilenet_with(net: DctNet) -> PixelNet:
    """A `DctNet`'s body behind MobileNetV2's way from pixels to the grid of 8x8 pixels a cell; global mean as head."""
    first = net.config.widths[0]
    layers: list[nn.Module] = [conv_norm(3, 32, 3, 2), nn.ReLU(), conv_norm(32, 32, 3, groups=32), nn.ReLU()]
    layers += [conv_norm(32, 16, 1), InvertedResidual(16, 24, 2), InvertedResidual(24, 24, 1)]
    layers += [InvertedResidual(24, first, 2), *net.body]
    return PixelNet(layers, net.head.in_features, net.config.classes)


def _inverse_dct(writer: GraphWriter, levels: str, steps: Tensor, offset: float) -> str:
    """Levels [N, 64k, h, w] of k components to samples [N, k, 8h, 8w]: a 1x1 convolution and a pixel shuffle."""
    components = len(steps)
    like = nn.Conv2d(FREQUENCIES * components, FREQUENCIES * components, 1, groups=components)
    weight = torch.cat([dct_basis().T * of_component for of_component in steps])[:, :, None, None]
    bias = np.full(FREQUENCIES * components, offset, np.float32)
    return writer.pixel_shuffle(writer.conv(writer.as_float(levels), numbers(weight), bias, like), SIDE)
