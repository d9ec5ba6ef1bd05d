"""The exported graph computes what torch computes, on levels, for any batch size."""

from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto

from trainer.encoding.encodings import dequantised
from trainer.encoding.streams import Levels
from trainer.errors import ParityError, RecipeError
from trainer.export.bundle import PARITY_TOLERANCE
from trainer.export.classifier import OnnxClassifier, check_parity
from trainer.export.onnx_graph import to_onnx
from trainer.models import BodyKind, DctNet, DctNetConfig


def _trained_net(height: int, width: int, **config: Any) -> tuple[DctNet, torch.Tensor]:
    """A net whose batch norms have seen data, and steps that are no round numbers."""
    torch.manual_seed(1)
    scale = 0.01 + 0.05 * torch.rand(3, 64)
    net = DctNet(DctNetConfig(**{"classes": 5, "widths": (8, 12), **config}), scale)
    steps = torch.randint(1, 256, (3, 64)).float()
    for _ in range(3):
        net(dequantised(_levels(16, height, width).planes(slice(None)), steps))
    return net.eval(), steps


def _levels(n: int, height: int = 32, width: int = 32) -> Levels:
    y = torch.randint(-9, 10, (n, 64, height // 8, width // 8), dtype=torch.int16)
    c = torch.randint(-5, 6, (n, 128, height // 16, width // 16), dtype=torch.int16)
    return Levels(y, c, torch.zeros(n, dtype=torch.int64))


MOBILE = {"kind": BodyKind.INVERTED, "expansion": 1, "widths": (8, 12, 16), "blocks": 2}
NETS = pytest.mark.parametrize(
    ("size", "config"),
    [
        ((32, 32), {}),
        ((64, 64), {"widths": (8, 12, 16), "blocks": 2}),
        ((64, 32), {}),
        ((32, 32), {"expansion": 4, "widths": (4, 8, 8)}),
        ((64, 96), MOBILE),
        ((32, 32), {"widths": (96, 192)}),
        ((64, 64), {"widths": (64, 128, 256)}),
        ((224, 224), {"kind": BodyKind.INVERTED, "expansion": 1, "widths": (64, 128, 256), "blocks": 3}),
    ],
)


@NETS
def test_onnx_runtime_and_torch_agree(size: tuple[int, ...], config: dict[str, Any]) -> None:
    net, steps = _trained_net(*size, **config)
    levels = _levels(9, *size)
    with torch.no_grad():
        expected = net(dequantised(levels.planes(slice(None)), steps)).numpy()
    actual = OnnxClassifier(to_onnx(net, steps, *size)).logits(levels)
    assert actual.shape == (9, 5)
    assert check_parity(expected, actual, PARITY_TOLERANCE) < PARITY_TOLERANCE / 10


@NETS
def test_a_net_for_any_tables_reads_dequantised_coefficients(size: tuple[int, ...], config: dict[str, Any]) -> None:
    net, steps = _trained_net(*size, **config)
    frames = dequantised(_levels(3, *size).planes(slice(None)), steps)
    with torch.no_grad():
        expected = net(frames).numpy()
    actual = OnnxClassifier(to_onnx(net, None, *size)).logits(frames)
    assert check_parity(expected, actual, PARITY_TOLERANCE) < PARITY_TOLERANCE / 10


def test_logits_of_a_frame_do_not_depend_on_its_batch() -> None:
    net, steps = _trained_net(32, 32)
    classifier, levels = OnnxClassifier(to_onnx(net, steps, 32, 32)), _levels(300)
    alone = Levels(levels.y[299:], levels.c[299:], levels.labels[299:])
    assert np.allclose(classifier.logits(levels)[299], classifier.logits(alone)[0], atol=1e-5)


@pytest.mark.parametrize(("any_tables", "kind"), [(False, TensorProto.INT16), (True, TensorProto.FLOAT)])
def test_the_graph_has_the_inputs_and_outputs_that_the_server_expects(any_tables: bool, kind: int) -> None:
    net, steps = _trained_net(64, 32)
    model = onnx.load_from_string(to_onnx(net, None if any_tables else steps, 64, 32))
    shapes = {
        node.name: (
            node.type.tensor_type.elem_type,
            [d.dim_value or d.dim_param for d in node.type.tensor_type.shape.dim],
        )
        for node in (*model.graph.input, *model.graph.output)
    }
    assert shapes == {
        "y": (kind, ["N", 64, 8, 4]),
        "c": (kind, ["N", 128, 4, 2]),
        "logits": (TensorProto.FLOAT, ["N", 5]),
    }
    assert model.opset_import[0].version >= 17


@pytest.mark.parametrize("config", [{}, MOBILE], ids=["residual", "inverted"])
def test_the_same_net_gives_the_same_bytes(config: dict[str, Any]) -> None:
    first, again = (to_onnx(*_trained_net(32, 32, **config), 32, 32) for _ in range(2))
    assert first == again


def test_a_wrong_fold_is_noticed() -> None:
    net, steps = _trained_net(32, 32)
    levels = _levels(20)
    with torch.no_grad():
        expected = net(dequantised(levels.planes(slice(None)), steps)).numpy()
    wrong = steps.clone()
    wrong[0, 5] += 1
    with pytest.raises(ParityError, match="differ by"):
        check_parity(expected, OnnxClassifier(to_onnx(net, wrong, 32, 32)).logits(levels), PARITY_TOLERANCE)


def test_frames_too_small_for_the_stages_are_refused() -> None:
    net, steps = _trained_net(32, 32)
    with pytest.raises(RecipeError, match="multiples of 16 pixels"):
        to_onnx(net, steps, 16, 24)
