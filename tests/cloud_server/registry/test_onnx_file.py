"""What an ONNX file may not hold, each made with onnx itself; and no bytes at all do harm."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from cloud_server.errors import ClassifierError
from cloud_server.registry.onnx_file import FILE_MAX_BYTES, check_onnx
from tests.cloud_server.harness.classifiers import write_classifier


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A good classifier's file, to be spoilt."""
    write_classifier(tmp_path / "classifier.onnx")
    return tmp_path / "classifier.onnx"


def refused(path: Path, match: str) -> None:
    with pytest.raises(ClassifierError, match=match):
        check_onnx(path)


def test_a_classifier_is_taken(path: Path) -> None:
    check_onnx(path)


def test_weights_in_other_files_are_refused(path: Path) -> None:
    model = onnx.load(path)
    onnx.save(model, path, save_as_external_data=True, size_threshold=0, location="weights.bin")
    refused(path, "other files")


def test_a_constant_in_another_file_is_refused_too(path: Path) -> None:
    model = onnx.load(path)
    tensor = numpy_helper.from_array(np.zeros(1, np.float32), "outside")
    tensor.external_data.add(key="location", value="/etc/passwd")
    model.graph.node.append(helper.make_node("Constant", [], ["outside"], value=tensor))
    path.write_bytes(model.SerializeToString())
    refused(path, "other files")


def test_operators_from_elsewhere_are_refused(path: Path) -> None:
    model = onnx.load(path)
    model.graph.node[0].domain = "com.example"
    onnx.save(model, path)
    refused(path, "com.example")


def test_loops_are_refused(path: Path) -> None:
    model = onnx.load(path)
    body = helper.make_graph([], "body", [], [])
    model.graph.node.append(helper.make_node("Loop", ["", ""], ["x"], body=body))
    onnx.save(model, path)
    refused(path, "subgraphs")


def test_a_list_of_subgraphs_is_refused_like_one(path: Path) -> None:
    model = onnx.load(path)
    bodies = [helper.make_graph([], f"body{number}", [], []) for number in range(2)]
    model.graph.node.append(helper.make_node("Branches", [""], ["x"], bodies=bodies))
    onnx.save(model, path)
    refused(path, "subgraphs")


def test_functions_are_refused(path: Path) -> None:
    model = onnx.load(path)
    function = helper.make_function("own", "F", ["a"], ["b"], [], [helper.make_opsetid("", 18)])
    model.functions.append(function)
    onnx.save(model, path)
    refused(path, "functions")


def test_sparse_weights_are_refused(path: Path) -> None:
    model = onnx.load(path)
    values = helper.make_tensor("values", TensorProto.FLOAT, [1], [1.0])
    indices = helper.make_tensor("indices", TensorProto.INT64, [1], [0])
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [4]))
    onnx.save(model, path)
    refused(path, "sparse")


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "huge.onnx"
    with path.open("wb") as file:
        file.truncate(FILE_MAX_BYTES + 1)
    refused(path, str(FILE_MAX_BYTES))


def test_a_file_of_nothing_but_fields_ends_soon(tmp_path: Path) -> None:
    path = tmp_path / "many.onnx"
    path.write_bytes(b"\x08\x01" * 1_000_000)
    refused(path, "fields")


@pytest.mark.parametrize(
    "data", [b"", b"\x3a\xff", b"\x3a\x05\x0a", b"\x38\x01", b"\x07", b"\xff" * 11, b"no ONNX file"]
)
def test_what_is_no_onnx_file_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "odd.onnx"
    path.write_bytes(data)
    refused(path, "ONNX file")


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_damaged_files_are_taken_or_refused_and_nothing_else(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("damaged") / "classifier.onnx"
    write_classifier(path)
    content = bytearray(path.read_bytes())
    for at in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=8)):
        content[at] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(content[: data.draw(st.integers(1, len(content)))]))
    try:
        check_onnx(path)
    except ClassifierError as error:
        assert str(error)
