"""Eight bits: integer kernels everywhere that counts, levels untouched on their way in, and no twin that is worse."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from tests.trainer.training.runs import training_of
from trainer.data import Dataset, Split, noise
from trainer.diff_jpeg import Planes
from trainer.encoding.encodings import dequantised, steps_of
from trainer.encoding.files import Encoding
from trainer.encoding.streams import Levels, quantise
from trainer.export.classifier import OnnxClassifier
from trainer.export.int8 import EightBits, eight_bits, to_int8
from trainer.export.onnx_graph import to_onnx
from trainer.models import BodyKind, DctNet, DctNetConfig
from trainer.recipes.goals import StandardGoal
from trainer.recipes.recipe import Recipe
from trainer.training.compute import Compute

RECIPE = Recipe.model_validate(
    {
        "data": {"name": "synthetic"},
        "net": {"widths": [16, 24]},
        "optimiser": {"epochs": 4, "batch": 64, "learning_rate": 0.02},
        "tables": {"rate_frames": 256},
    },
)
BODIES = {
    "residual": DctNetConfig(10, (16, 24)),
    "inverted": DctNetConfig(10, (16, 24), blocks=2, expansion=1, kind=BodyKind.INVERTED),
}


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    """Noise with a tint, one of eight: learned in seconds, and not without errors."""
    labels = np.arange(2048 + 512) % 8
    tints = np.array([[label >> bit & 1 for bit in range(3)] for label in range(8)]) * 60
    pixels = noise.pictures(len(labels), 32, 32) // 2 + tints[labels][:, None, None]
    whole = Split(pixels.astype(np.uint8), labels)
    train, held_out = whole.take(slice(2048)), whole.take(slice(2048, None))
    return Dataset("tints", tuple("01234567"), train, held_out, held_out)


@pytest.fixture(scope="module")
def trained(dataset: Dataset) -> tuple[DctNet, Encoding]:
    """A net that was trained for seconds, so that its logits mean something."""
    training = training_of(RECIPE, dataset, StandardGoal(quality=30), Compute.local("cpu"))
    while not training.is_done:
        training.run_epoch()
    net = training.method.net.eval()
    assert isinstance(net, DctNet)
    return net, training.method.finished_encoding()


@pytest.fixture(scope="module")
def twin(trained: tuple[DctNet, Encoding], dataset: Dataset) -> EightBits:
    net, encoding = trained
    return eight_bits(to_onnx(net, steps_of(encoding), 32, 32), dataset, partial(quantise, encoding))


def some_levels(count: int, largest: int) -> Levels:
    random = torch.Generator().manual_seed(1)
    y = torch.randint(-largest, largest + 1, (count, 64, 4, 4), generator=random, dtype=torch.int16)
    c = torch.randint(-largest, largest + 1, (count, 128, 2, 2), generator=random, dtype=torch.int16)
    return Levels(y, c, torch.zeros(count, dtype=torch.int64))


def untrained(body: str = "residual") -> DctNet:
    torch.manual_seed(0)
    return DctNet(BODIES[body], torch.full((3, 64), 0.02)).eval()


def kernels(model: bytes, tmp_path: Path) -> list[str]:
    """What ONNX Runtime really runs."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return [node.op_type for node in onnx.load(tmp_path / "optimised.onnx").graph.node]


def test_a_trained_net_keeps_its_accuracy_and_shrinks_to_a_third(
    twin: EightBits, trained: tuple[DctNet, Encoding]
) -> None:
    net, encoding = trained
    assert twin.holds
    assert twin.n / 2 < twin.float_right < twin.n
    assert len(twin.model) < len(to_onnx(net, steps_of(encoding), 32, 32)) / 2


def test_its_figures_are_those_of_real_frames(
    twin: EightBits, trained: tuple[DctNet, Encoding], dataset: Dataset
) -> None:
    net, encoding = trained
    levels = quantise(encoding, dataset.validation)
    with torch.no_grad():
        likeliest = net(dequantised(levels.planes(slice(None)), steps_of(encoding))).argmax(1)
    assert twin.float_right == (likeliest == levels.labels).sum().item()
    assert twin.right == (OnnxClassifier(twin.model).logits(levels).argmax(1) == levels.labels.numpy()).sum()
    assert twin.n == 512


@pytest.mark.parametrize("body", BODIES)
def test_every_convolution_runs_on_integers_and_inputs_and_output_stay(body: str, tmp_path: Path) -> None:
    model = to_onnx(untrained(body), torch.full((3, 64), 20.0), 32, 32)
    made = to_int8(model, some_levels(64, 20))
    ran = kernels(made, tmp_path)
    assert "Conv" not in ran
    assert ran.count("QLinearConv") == sum(node.op_type == "Conv" for node in onnx.load_from_string(model).graph.node)
    before, after = onnx.load_from_string(model).graph, onnx.load_from_string(made).graph
    assert list(after.input) == list(before.input)
    assert list(after.output) == list(before.output)


def test_the_same_net_and_frames_give_the_same_bytes() -> None:
    model = to_onnx(untrained(), torch.full((3, 64), 20.0), 32, 32)
    assert to_int8(model, some_levels(64, 20)) == to_int8(model, some_levels(64, 20))


def test_levels_that_fit_go_in_as_they_are_and_larger_ones_keep_the_stem_in_float(tmp_path: Path) -> None:
    model = to_onnx(untrained(), torch.full((3, 64), 20.0), 32, 32)
    assert kernels(to_int8(model, some_levels(64, 127)), tmp_path).count("Conv") == 0
    assert kernels(to_int8(model, some_levels(64, 128)), tmp_path).count("Conv") == 2
    weights = {
        w.name: onnx.numpy_helper.to_array(w)
        for w in onnx.load_from_string(to_int8(model, some_levels(9, 5))).graph.initializer
    }
    for name in ("y_levels", "c_levels"):
        assert weights[f"{name}_scale"] == 1
        assert weights[f"{name}_zero_point"] == 128


def test_coefficients_keep_the_stem_in_float(tmp_path: Path) -> None:
    model = to_onnx(untrained(), None, 32, 32)
    levels = some_levels(64, 20)
    made = to_int8(model, Planes(levels.y.float() * 20, levels.c.float() * 20))
    assert kernels(made, tmp_path).count("Conv") == 2
    assert {value.type.tensor_type.elem_type for value in onnx.load_from_string(made).graph.input} == {1}  # float32


@pytest.mark.parametrize(("right", "holds"), [(805, True), (795, True), (794, False)])
def test_half_a_point_is_what_a_twin_may_lose(right: int, holds: bool) -> None:
    twin = EightBits(b"", right, float_right=800, n=1000)
    assert twin.holds is holds
    assert ("exported" in twin.describe()) is holds
    assert f"accuracy {right / 10:.2f}%, in float32 80.00%" in twin.describe()


def test_a_twin_that_lost_its_accuracy_is_found_out(trained: tuple[DctNet, Encoding], dataset: Dataset) -> None:
    # Ranges taken from frames of one grey say nothing about real ones.
    net, encoding = trained
    grey = Split(np.full((64, 32, 32, 3), 128, np.uint8), np.zeros(64, np.int64))
    model = to_onnx(net, steps_of(encoding), 32, 32)
    blind = eight_bits(model, replace(dataset, train=grey), partial(quantise, encoding))
    assert not blind.holds
