"""A classifier is refused by name of what is wrong with it, before it ever sees a frame."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from cloud_server.errors import ClassifierError
from cloud_server.inference.classifier import Classifier
from cloud_server.inference.warm_up import BatchLimits
from shared.bundle import InputGeometry
from tests.cloud_server.harness.classifiers import LABELS, cut_off, delay_preparing, write_classifier

GEOMETRY = InputGeometry(width=32, height=32)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A good classifier's file, to be spoilt."""
    write_classifier(tmp_path / "classifier.onnx")
    return tmp_path / "classifier.onnx"


def test_a_good_one_runs_batches_of_any_size(path: Path) -> None:
    classifier = Classifier.load(path, GEOMETRY, len(LABELS))
    y, c = np.zeros((7, 64, 4, 4), np.int16), np.zeros((7, 128, 2, 2), np.int16)
    assert classifier.run(y, c).shape == (7, len(LABELS))


def test_the_input_type_must_be_levels(path: Path) -> None:
    model = onnx.load(path)
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT
    onnx.save(model, path)
    with pytest.raises(ClassifierError, match="input y must be int16"):
        Classifier.load(path, GEOMETRY, len(LABELS))


def test_the_batch_must_be_free(path: Path) -> None:
    model = onnx.load(path)
    model.graph.input[1].type.tensor_type.shape.dim[0].dim_value = 1
    onnx.save(model, path)
    with pytest.raises(ClassifierError, match="input c must be int16"):
        Classifier.load(path, GEOMETRY, len(LABELS))


def test_logits_must_be_called_so(path: Path) -> None:
    model = onnx.load(path)
    model.graph.output[0].name = model.graph.node[-1].output[0] = "scores"
    onnx.save(model, path)
    with pytest.raises(ClassifierError, match="must have the output logits"):
        Classifier.load(path, GEOMETRY, len(LABELS))


def test_logits_must_be_finite(path: Path) -> None:
    model = onnx.load(path)
    bias = next(tensor for tensor in model.graph.initializer if tensor.name == "bias")
    bias.raw_data = np.full(len(LABELS), np.nan, np.float32).tobytes()
    onnx.save(model, path)
    with pytest.raises(ClassifierError, match="not finite"):
        Classifier.load(path, GEOMETRY, len(LABELS))


def test_a_graph_that_does_not_end_in_time_is_stopped(path: Path) -> None:
    model = onnx.load(path)
    model.graph.node[-1].output[0] = "turn0"
    for turn in range(5000):
        model.graph.node.append(helper.make_node("Sin", [f"turn{turn}"], [f"turn{turn + 1}"]))
    model.graph.node[-1].output[0] = "logits"
    onnx.save(model, path)
    with pytest.raises(ClassifierError, match="terminate"):
        Classifier.load(path, GEOMETRY, len(LABELS), run_max_seconds=0.0, prepare_max_seconds=600.0)


def test_a_graph_that_takes_too_long_to_prepare_is_told_to_stop(path: Path) -> None:
    delay_preparing(path, 3)
    with pytest.raises(ClassifierError, match="MODEL_LOAD_CANCELED"):
        Classifier.load(path, GEOMETRY, len(LABELS), prepare_max_seconds=0.0)


def test_warming_up_finds_a_cap_within_the_limits(path: Path) -> None:
    classifier = Classifier.load(path, GEOMETRY, len(LABELS))
    classifier.warm_up(BatchLimits(frames=6))
    assert 1 <= classifier.batch_max <= 6
    classifier.warm_up(BatchLimits(frames=6, seconds=0.0))
    assert classifier.batch_max == 1


def test_a_classifier_that_fails_on_some_batch_size_is_refused(path: Path) -> None:
    """Each frame takes a row of a table that has three."""
    model = onnx.load(path)
    numbers = {"zero": np.array(0), "step": np.array(1), "table": np.zeros((3, len(LABELS)), np.float32)}
    model.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in numbers.items())
    model.graph.node[-1].output[0] = "said"
    model.graph.node.append(helper.make_node("Shape", ["said"], ["shape"]))
    model.graph.node.append(helper.make_node("Gather", ["shape", "zero"], ["count"]))
    model.graph.node.append(helper.make_node("Range", ["zero", "count", "step"], ["rows"]))
    model.graph.node.append(helper.make_node("Gather", ["table", "rows"], ["taken"]))
    model.graph.node.append(helper.make_node("Add", ["said", "taken"], ["logits"]))
    onnx.save(model, path)
    classifier = Classifier.load(path, GEOMETRY, len(LABELS))
    with pytest.raises(ClassifierError, match="fails when it is tried"):
        classifier.warm_up(BatchLimits(frames=4))


def test_a_classifier_that_leaves_out_frames_of_larger_batches_is_refused(path: Path) -> None:
    cut_off(path, rows=3)
    classifier = Classifier.load(path, GEOMETRY, len(LABELS))
    with pytest.raises(ClassifierError, match="gives 3 rows of logits for 4 frames"):
        classifier.warm_up_to(8)
