"""Serving nets as ONNX graphs on levels: dequantisation and coefficient scale folded into the stem's weights."""

from torch import Tensor, nn

from trainer.diff_jpeg.transform import FREQUENCIES
from trainer.export.onnx_writer import GraphWriter, Weights, numbers
from trainer.models import DctNet
from trainer.models.blocks import InvertedResidual, Residual

# Names in the graph, by which the quantiser is told what to spare.
LEVELS = ("y_levels", "c_levels")
STEM = ("y_weighed", "y_cells", "c_weighed", "c_cells")
MEANS = "means"


def to_onnx(net: DctNet, steps: Tensor | None, height: int, width: int) -> bytes:
    """A model that maps levels, or dequantised coefficients, to logits.

    Args:
        net: trained; only read.
        steps: (3, 64) quantisation steps that the levels were made with. None for a net that reads any tables': its
            inputs are dequantised coefficients.
        height, width: of frames, in pixels.

    Returns:
        Serialised ONNX with inputs y [N, 64, height/8, width/8] and c [N, 128, height/16, width/16], int16 levels or
        float32 coefficients, output logits float32 [N, classes]; any N.

    Raises:
        RecipeError: the net's stages do not suit such frames.
    """
    pool = net.config.pooled_cells(height, width)
    writer = GraphWriter()
    factors = numbers(net.coefficient_scale if steps is None else net.coefficient_scale * steps)
    y, c = ("y", "c") if steps is None else map(writer.as_float, ("y", "c"), LEVELS)
    luma = _spread(writer, y, net.luma_stem, factors[0], net.config.expansion, STEM[:2])
    chroma = _spread(writer, c, net.chroma_stem, factors[1:].reshape(-1), 2 * net.config.expansion, STEM[2:])
    cells = writer.relu(writer.conv_norm(writer.node("Concat", [luma, chroma], axis=1), net.merge))
    for layer in net.body:
        cells = write_layer(writer, cells, layer)
    writer.linear(writer.means(cells, pool, MEANS), net.head, output="logits")
    dtype = "float32" if steps is None else "int16"
    return writer.model(
        {
            "y": (dtype, ("N", FREQUENCIES, height // 8, width // 8)),
            "c": (dtype, ("N", 2 * FREQUENCIES, height // 16, width // 16)),
        },
        {"logits": ("float32", ("N", net.config.classes))},
    )


def write_layer(writer: GraphWriter, cells: str, layer: nn.Module) -> str:
    """A block of a body, an activation, or a convolution and its batch norm."""
    match layer:
        case Residual():
            return _residual(writer, cells, layer)
        case InvertedResidual():
            return _inverted_residual(writer, cells, layer)
        case nn.ReLU():
            return writer.relu(cells)
    return writer.conv_norm(cells, layer)


def _spread(
    writer: GraphWriter, blocks: str, stem: nn.Conv2d, factors: Weights, cells: int, names: tuple[str, ...]
) -> str:
    """Spread the coefficients of blocks over finer cells.

    Args:
        factors: (channels,), multiplied onto the input.
        names: of the two results.
    """
    assert stem.bias is not None
    weight = numbers(stem.weight) * factors[None, :, None, None]
    weighed, spread = names
    return writer.pixel_shuffle(writer.conv(blocks, weight, numbers(stem.bias), stem, weighed), cells, spread)


def _residual(writer: GraphWriter, cells: str, block: Residual) -> str:
    change = writer.conv_norm(writer.relu(writer.conv_norm(cells, block.first)), block.second)
    is_plain = isinstance(block.shortcut, nn.Identity)
    shortcut = cells if is_plain else writer.conv_norm(cells, block.shortcut)
    return writer.relu(writer.add(shortcut, change))


def _inverted_residual(writer: GraphWriter, cells: str, block: InvertedResidual) -> str:
    wide = writer.relu(writer.conv_norm(cells, block.widen))
    change = writer.conv_norm(writer.relu(writer.conv_norm(wide, block.depthwise)), block.narrow)
    return writer.add(cells, change) if block.has_shortcut else change
