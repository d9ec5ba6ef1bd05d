"""Writes ONNX graphs node by node, batch norms folded into the convolutions before them. The trainer's door to onnx.

Nothing is traced: a dozen kinds of nodes, the same bytes for the same net, no exporter to follow.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

OPSET = 17
IR_VERSION = 8  # the one opset 17 came with: older runtimes read it
ELEMENT_TYPES = {"float32": TensorProto.FLOAT, "int16": TensorProto.INT16}

Weights = NDArray[np.float32]
Shape = tuple[int | str, ...]


class GraphWriter:
    """Collects nodes and weights; a value is known by its name, a serial number."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._weights: list[onnx.TensorProto] = []

    def node(self, kind: str, inputs: list[str], output: str | None = None, **attributes: Any) -> str:
        """Any node with one output, which it is called after; returns that name."""
        output = output or f"t{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, inputs, [output], output, **attributes))
        return output

    def constant(self, values: Weights) -> str:
        """Add a constant array to the graph; returns its name."""
        name = f"w{len(self._weights)}"
        self._weights.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def as_float(self, x: str, output: str | None = None) -> str:
        """Integers as float32."""
        return self.node("Cast", [x], output, to=TensorProto.FLOAT)

    def relu(self, x: str) -> str:
        """max(x, 0)."""
        return self.node("Relu", [x])

    def add(self, x: str, y: str) -> str:
        """x + y."""
        return self.node("Add", [x, y])

    def pixel_shuffle(self, x: str, factor: int, output: str | None = None) -> str:
        """torch's pixel_shuffle."""
        return self.node("DepthToSpace", [x], output, blocksize=factor, mode="CRD")

    def means(self, x: str, window: tuple[int, int], output: str | None = None) -> str:
        """Means of windows that lie side by side."""
        return self.node("AveragePool", [x], output, kernel_shape=list(window), strides=list(window))

    def linear(self, x: str, layer: nn.Linear, output: str) -> str:
        """A linear layer on everything but the batch axis."""
        weights = [self.constant(numbers(layer.weight)), self.constant(numbers(layer.bias))]
        return self.node("Gemm", [self.node("Flatten", [x]), *weights], output=output, transB=1)

    def conv_norm(self, x: str, pair: nn.Module) -> str:
        """A convolution without bias and the batch norm behind it, as one convolution."""
        assert isinstance(pair, nn.Sequential)
        conv, norm = pair
        assert isinstance(conv, nn.Conv2d)
        assert isinstance(norm, nn.BatchNorm2d) and norm.running_mean is not None and norm.running_var is not None
        gain = numbers(norm.weight) / np.sqrt(numbers(norm.running_var) + norm.eps)
        bias = numbers(norm.bias) - numbers(norm.running_mean) * gain
        return self.conv(x, numbers(conv.weight) * gain[:, None, None, None], bias, conv)

    def conv(self, x: str, weight: Weights, bias: Weights, like: nn.Conv2d, output: str | None = None) -> str:
        """A convolution with these weights and the geometry of `like`."""
        inputs = [x, self.constant(weight.astype(np.float32)), self.constant(bias.astype(np.float32))]
        return self.node(
            "Conv",
            inputs,
            output,
            kernel_shape=list(like.kernel_size),
            strides=list(like.stride),
            pads=[int(like.padding[0])] * 4,
            group=like.groups,
        )

    def model(self, inputs: Mapping[str, tuple[str, Shape]], outputs: Mapping[str, tuple[str, Shape]]) -> bytes:
        """The whole graph as a model, checked and serialised.

        Args:
            inputs, outputs: by name, dtype and shape each; a text in a shape is a size that may vary.
        """
        graph = helper.make_graph(self._nodes, "dct_net", _values(inputs), _values(outputs), self._weights)
        opset = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION, producer_name="dctwire")
        onnx.checker.check_model(model, full_check=True)
        serialised: bytes = model.SerializeToString(deterministic=True)
        return serialised


def numbers(tensor: Tensor) -> Weights:
    """A net's weight as a float32 array."""
    weights: Weights = tensor.detach().float().contiguous().numpy()
    return weights


def with_float_inputs(model: bytes) -> bytes:
    """The same graph for inputs in float32: a cast to float32 comes first in it, and does nothing to what is float.

    So a classifier of levels also reads what lies between two levels of its tables.
    """
    loaded = onnx.load_model_from_string(model)
    for value in loaded.graph.input:
        value.type.tensor_type.elem_type = TensorProto.FLOAT
    serialised: bytes = loaded.SerializeToString(deterministic=True)
    return serialised


def write_for_quantiser(model: bytes, path: Path) -> None:
    """Write a model for ONNX Runtime's quantiser, with the mark that nothing is left to fold first."""
    loaded = onnx.load_model_from_string(model)
    helper.set_model_props(loaded, {"onnx.quant.pre_process": "onnxruntime.quant"})
    onnx.save_model(loaded, path)


def _values(kinds: Mapping[str, tuple[str, Shape]]) -> list[onnx.ValueInfoProto]:
    return [helper.make_tensor_value_info(name, ELEMENT_TYPES[dtype], shape) for name, (dtype, shape) in kinds.items()]
