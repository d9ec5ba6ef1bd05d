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


def trap(path: Path, above: float, *, is_one_operator: bool) -> None:
    """Have a batch take for ever if the mean DC of Y of one of its frames is over `above`: bright ones.

    Args:
        is_one_operator: whether one operator takes all the time; else a thousand take some each.
    """
    model = onnx.load(path)
    for name, value in (("threshold", [[above]]), ("low", [-1.0]), ("full", [1.0])):
        model.graph.initializer.append(numpy_helper.from_array(np.array(value, np.float32), name))
    counts = {
        "from": [0],
        "to": [1],
        "axis": [1],
        "one": [1],
        "many": [400_000 if is_one_operator else 8000],
        "flat": [1],
    }
    for name, values in counts.items():
        model.graph.initializer.append(numpy_helper.from_array(np.array(values), name))
    model.graph.node.extend(
        [
            helper.make_node("Slice", ["ym", "from", "to", "axis"], ["brightness"]),
            helper.make_node("ReduceMax", ["brightness"], ["brightest"], keepdims=1),
            helper.make_node("Greater", ["brightest", "threshold"], ["is_bright"]),
            helper.make_node("Cast", ["is_bright"], ["bright"], to=TensorProto.INT64),
            helper.make_node("Reshape", ["bright", "flat"], ["bright_once"]),
            helper.make_node("Mul", ["bright_once", "many"], ["more"]),
            helper.make_node("Add", ["more", "one"], ["times"]),
        ]
    )
    (_one_endless_operator if is_one_operator else _endless_operators)(model.graph)
    _add_nothing(model)
    onnx.save(model, path)


def delay_first_run(path: Path, boxes: int) -> None:
    """Have every batch take long, in one operator: some 2 s for 50,000 boxes, four times that for twice as many."""
    model = onnx.load(path)
    for name, value in (("low", -1.0), ("full", 1.0)):
        model.graph.initializer.append(numpy_helper.from_array(np.array([value], np.float32), name))
    for name, count in (("one", 1), ("times", boxes)):
        model.graph.initializer.append(numpy_helper.from_array(np.array([count]), name))
    _one_endless_operator(model.graph)
    _add_nothing(model)
    onnx.save(model, path)


def delay_preparing(path: Path, products: int) -> None:
    """Have ONNX Runtime take long to prepare the graph: products of large constants, 0.1 to 0.5 s each.

    It looks whether it is to stop before and after all of them, not between two.
    """
    model = onnx.load(path)
    model.graph.initializer.append(numpy_helper.from_array(np.array([1500, 1500]), "shape"))
    each = helper.make_tensor("each", TensorProto.FLOAT, [1], [0.001])
    model.graph.node.append(helper.make_node("ConstantOfShape", ["shape"], ["toil0"], value=each))
    for index in range(products):
        output = "toil" if index == products - 1 else f"toil{index + 1}"
        model.graph.node.append(helper.make_node("MatMul", [f"toil{index}", "toil0"], [output]))
    _add_nothing(model)
    onnx.save(model, path)


def _add_nothing(model: onnx.ModelProto) -> None:
    """Add nothing times what `toil` sums up to what the classifier says."""
    said = next(node for node in model.graph.node if node.output[0] == "logits")
    said.output[0] = "said"
    model.graph.initializer.append(numpy_helper.from_array(np.array([0.0], np.float32), "zero"))
    model.graph.node.extend(
        [
            helper.make_node("ReduceSum", ["toil"], ["sum"], keepdims=0),
            helper.make_node("Mul", ["sum", "zero"], ["nothing"]),
            helper.make_node("Add", ["said", "nothing"], ["logits"]),
        ]
    )


def _endless_operators(graph: onnx.GraphProto) -> None:
    """A thousand products of a matrix with as many rows as `times` says."""
    graph.initializer.append(numpy_helper.from_array(np.eye(256, dtype=np.float32), "identity"))
    graph.initializer.append(numpy_helper.from_array(np.ones((1, 256), np.float32), "row"))
    graph.initializer.append(numpy_helper.from_array(np.array([256]), "columns"))
    graph.node.append(helper.make_node("Concat", ["times", "columns"], ["shape"], axis=0))
    graph.node.append(helper.make_node("Expand", ["row", "shape"], ["toil0"]))
    for index in range(1000):
        output = "toil" if index == 999 else f"toil{index + 1}"
        graph.node.append(helper.make_node("MatMul", [f"toil{index}", "identity"], [output]))


def _one_endless_operator(graph: onnx.GraphProto) -> None:
    """A non-maximum suppression that compares each of `times` boxes with all before it, and drops none."""
    graph.initializer.append(numpy_helper.from_array(np.ones((1, 1, 4), np.float32), "box"))
    graph.initializer.append(numpy_helper.from_array(np.array([4]), "corners"))
    graph.node.extend(
        [
            helper.make_node("Concat", ["one", "times", "corners"], ["boxes_shape"], axis=0),
            helper.make_node("Expand", ["box", "boxes_shape"], ["boxes"]),
            helper.make_node("Concat", ["one", "one", "times"], ["scores_shape"], axis=0),
            helper.make_node("Expand", ["full", "scores_shape"], ["scores"]),
            helper.make_node("NonMaxSuppression", ["boxes", "scores", "times", "full", "low"], ["kept"]),
            helper.make_node("Cast", ["kept"], ["toil"], to=TensorProto.FLOAT),
        ]
    )
