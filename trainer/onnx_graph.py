"""The net as an ONNX graph on quantised levels: dequantisation, coefficient scale and batch norms folded into weights.

Written node by node instead of traced: ten kinds of nodes, the same bytes for the same net, no exporter to follow.
"""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from trainer.diff_jpeg.transform import FREQUENCIES
from trainer.models.dct_net import DctNet, Residual, quarter

OPSET = 17
IR_VERSION = 8  # the one opset 17 came with: older runtimes read it

Weights = NDArray[np.float32]


def to_onnx(net: DctNet, steps: Tensor, height: int, width: int) -> bytes:
    """A model that maps levels to logits.

    Args:
        net: trained; only read.
        steps: (3, 64) quantisation steps that the levels were made with.
        height, width: of frames, in pixels.

    Returns:
        Serialised ONNX with inputs y int16 [N, 64, height/8, width/8] and c int16 [N, 128, height/16, width/16], output
        logits float32 [N, classes]; any N.
    """
    writer = _Writer()
    expansion = net.config.expansion
    factors = (net.coefficient_scale * steps).numpy()
    luma = writer.stem("y", net.luma_stem, factors[0], expansion)
    chroma = writer.stem("c", net.chroma_stem, factors[1:].reshape(-1), 2 * expansion)
    cells = writer.relu(writer.conv_norm(writer.node("Concat", [luma, chroma], axis=1), net.merge))
    for block in net.body:
        assert isinstance(block, Residual)
        cells = _residual(writer, cells, block)
    pooled = writer.node("Flatten", [_quadrants(writer, cells, net, height, width)])
    head = [writer.constant(_numbers(net.head.weight)), writer.constant(_numbers(net.head.bias))]
    writer.node("Gemm", [pooled, *head], output="logits", transB=1)
    model: bytes = writer.model(height, width, net.config.classes).SerializeToString(deterministic=True)
    return model


def _residual(writer: "_Writer", cells: str, block: Residual) -> str:
    change = writer.conv_norm(writer.relu(writer.conv_norm(cells, block.first)), block.second)
    is_plain = isinstance(block.shortcut, nn.Identity)
    shortcut = cells if is_plain else writer.conv_norm(cells, block.shortcut)
    return writer.relu(writer.node("Add", [shortcut, change]))


def _quadrants(writer: "_Writer", cells: str, net: DctNet, height: int, width: int) -> str:
    """Means of the four quarters of the last stage's grid."""
    window = list(quarter(net.config, height, width))
    return writer.node("AveragePool", [cells], kernel_shape=window, strides=window)


class _Writer:
    """Collects nodes and weights; names are serial numbers."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._weights: list[onnx.TensorProto] = []

    def node(self, kind: str, inputs: list[str], output: str | None = None, **attributes: Any) -> str:
        output = output or f"t{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(self, values: Weights) -> str:
        name = f"w{len(self._weights)}"
        self._weights.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def relu(self, x: str) -> str:
        return self.node("Relu", [x])

    def stem(self, levels: str, stem: nn.Conv2d, factors: Weights, cells: int) -> str:
        """Levels to cells: cast, 1x1 convolution that dequantises as well, sub-pixel shuffle."""
        assert stem.bias is not None
        weight = _numbers(stem.weight) * factors[None, :, None, None]
        numbers = self.node("Cast", [levels], to=TensorProto.FLOAT)
        spread = self._conv(numbers, weight, _numbers(stem.bias), stem)
        return self.node("DepthToSpace", [spread], blocksize=cells, mode="CRD")

    def conv_norm(self, x: str, pair: nn.Module) -> str:
        """A convolution without bias and the batch norm behind it, as one convolution."""
        assert isinstance(pair, nn.Sequential)
        conv, norm = pair
        assert isinstance(conv, nn.Conv2d)
        assert isinstance(norm, nn.BatchNorm2d) and norm.running_mean is not None and norm.running_var is not None
        gain = _numbers(norm.weight) / np.sqrt(_numbers(norm.running_var) + norm.eps)
        bias = _numbers(norm.bias) - _numbers(norm.running_mean) * gain
        return self._conv(x, _numbers(conv.weight) * gain[:, None, None, None], bias, conv)

    def _conv(self, x: str, weight: Weights, bias: Weights, like: nn.Conv2d) -> str:
        inputs = [x, self.constant(weight.astype(np.float32)), self.constant(bias.astype(np.float32))]
        pad = like.padding[0]
        return self.node(
            "Conv", inputs, kernel_shape=list(like.kernel_size), strides=list(like.stride), pads=[int(pad)] * 4
        )

    def model(self, height: int, width: int, classes: int) -> onnx.ModelProto:
        y = helper.make_tensor_value_info("y", TensorProto.INT16, ["N", FREQUENCIES, height // 8, width // 8])
        c = helper.make_tensor_value_info("c", TensorProto.INT16, ["N", 2 * FREQUENCIES, height // 16, width // 16])
        logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", classes])
        graph = helper.make_graph(self._nodes, "dct_net", [y, c], [logits], self._weights)
        opset = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION, producer_name="dctwire")
        onnx.checker.check_model(model, full_check=True)
        return model


def _numbers(tensor: Tensor) -> Weights:
    numbers: Weights = tensor.detach().float().contiguous().numpy()
    return numbers
