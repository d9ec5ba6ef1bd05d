"""A classifier is refused by name of what is wrong with it, before it ever sees a frame."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from cloud_server.errors import ClassifierError
from cloud_server.inference.session import Classifier
from shared.bundle import InputGeometry
from tests.cloud_server.rig import LABELS, write_classifier

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
