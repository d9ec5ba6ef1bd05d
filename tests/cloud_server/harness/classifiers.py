"""Tiny classifiers as ONNX files, and what they say worked out in numpy."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from shared.bundle import (
    EncoderSettings,
    Encoding,
)
from shared.jpeg import TableSet
from tests.cloud_server.harness.frames import SIDE, Pixels

LABELS = ("zero", "one", "two", "three", "four")


def write_classifier(
    path: Path, *, seed: int = 0, side: int = SIDE, classes: int = len(LABELS), copies: int = 1
) -> None:
    """An ONNX file with the product's inputs and output: block means of y and c, times random weights.

    Args:
        copies: how many of the logits are made, and their mean given: a million take some 20 ms a frame.
    """
    rng = np.random.default_rng(seed)
    weights = numpy_helper.from_array(rng.normal(0, 1, (192, classes)).astype(np.float32), "weights")
    bias = numpy_helper.from_array(rng.normal(0, 1, classes).astype(np.float32), "bias")
    axes = numpy_helper.from_array(np.array([2, 3]), "axes")
    last = numpy_helper.from_array(np.array([2]), "last")
    repeats = numpy_helper.from_array(np.array([1, 1, copies]), "repeats")
    nodes = [
        helper.make_node("Cast", ["y"], ["y32"], to=TensorProto.FLOAT),
        helper.make_node("Cast", ["c"], ["c32"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["y32", "axes"], ["ym"], keepdims=0),
        helper.make_node("ReduceMean", ["c32", "axes"], ["cm"], keepdims=0),
        helper.make_node("Concat", ["ym", "cm"], ["means"], axis=1),
        helper.make_node("Gemm", ["means", "weights", "bias"], ["each"]),
        helper.make_node("Unsqueeze", ["each", "last"], ["column"]),
        helper.make_node("Tile", ["column", "repeats"], ["copies"]),
        helper.make_node("ReduceMean", ["copies", "last"], ["logits"], keepdims=0),
    ]
    y = helper.make_tensor_value_info("y", TensorProto.INT16, ["N", 64, side // 8, side // 8])
    c = helper.make_tensor_value_info("c", TensorProto.INT16, ["N", 128, side // 16, side // 16])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", classes])
    graph = helper.make_graph(nodes, "tiny", [y, c], [logits], [weights, bias, axes, last, repeats])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(model, path)


def expected_label(
    seed: int,
    tables: TableSet,
    pixels: Pixels,
    settings: EncoderSettings = EncoderSettings(),  # noqa: B008 (frozen)
) -> str:
    """What `write_classifier(seed=seed)` says of a picture (h, w, 3) encoded like this, worked out in numpy."""
    y, c = Encoding(tables, settings).encoder().quantise_batch(pixels[None])
    assert c is not None
    rng = np.random.default_rng(seed)
    weights, bias = rng.normal(0, 1, (192, len(LABELS))), rng.normal(0, 1, len(LABELS))
    means = np.concatenate([y.mean((2, 3)), c.mean((2, 3))], axis=1)
    return LABELS[int((means @ weights + bias).argmax())]


def burden(path: Path, width: int = 10_000) -> None:
    """Give a classifier 192 * `width` more weights that cost memory and time, and say nothing."""
    model = onnx.load(path)
    classes = model.graph.output[0].type.tensor_type.shape.dim[1].dim_value
    idle = np.random.default_rng(width).normal(0, 1, (192, width)).astype(np.float32)
    model.graph.initializer.append(numpy_helper.from_array(idle, "idle"))
    model.graph.initializer.append(numpy_helper.from_array(np.zeros((width, classes), np.float32), "nothing"))
    model.graph.node[-1].output[0] = "said"
    model.graph.node.append(helper.make_node("MatMul", ["means", "idle"], ["wide"]))
    model.graph.node.append(helper.make_node("MatMul", ["wide", "nothing"], ["silence"]))
    model.graph.node.append(helper.make_node("Add", ["said", "silence"], ["logits"]))
    onnx.save(model, path)


def poison(path: Path, value: float, above: float, only: int | None = None) -> None:
    """Have every logit, or `only` this one, be `value` for frames whose mean DC of Y is over `above`: bright ones."""
    model = onnx.load(path)
    model.graph.node[-1].output[0] = "said"
    for name, number in (("threshold", above), ("value", value)):
        model.graph.initializer.append(numpy_helper.from_array(np.array([[number]], np.float32), name))
    poisoned = np.array([[only is None or label == only for label in range(len(LABELS))]])
    model.graph.initializer.append(numpy_helper.from_array(poisoned, "poisoned"))
    for name, index in (("from", 0), ("to", 1), ("axis", 1)):
        model.graph.initializer.append(numpy_helper.from_array(np.array([index]), name))
    model.graph.node.append(helper.make_node("Slice", ["ym", "from", "to", "axis"], ["brightness"]))
    model.graph.node.append(helper.make_node("Greater", ["brightness", "threshold"], ["is_bright"]))
    model.graph.node.append(helper.make_node("And", ["is_bright", "poisoned"], ["is_wrong"]))
    model.graph.node.append(helper.make_node("Where", ["is_wrong", "value", "said"], ["logits"]))
    onnx.save(model, path)


def cut_off(path: Path, rows: int) -> None:
    """Give out logits of the first `rows` frames of a batch only."""
    model = onnx.load(path)
    model.graph.node[-1].output[0] = "said"
    for name, index in (("from", 0), ("to", rows), ("axis", 0)):
        model.graph.initializer.append(numpy_helper.from_array(np.array([index]), name))
    model.graph.node.append(helper.make_node("Slice", ["said", "from", "to", "axis"], ["logits"]))
    onnx.save(model, path)
