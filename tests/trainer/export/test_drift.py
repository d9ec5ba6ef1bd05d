"""Histograms for drift: what held-out frames look like, made of what the server will see of such frames."""

import numpy as np
import pytest

from shared.bundle import Drift
from shared.bundle.coefficients import coefficient_statistics
from shared.bundle.signals import CLASS_BINS, Signal
from shared.jpeg import Decoder, Stream
from trainer.data import Dataset, SplitName, synthetic
from trainer.encoding.encodings import of_standard, steps_of
from trainer.export.bundle import Exportable
from trainer.export.drift import BINS, drift_of, histograms, said, signals
from trainer.export.onnx_graph import to_onnx
from trainer.recipes.recipe import Recipe
from trainer.training.improved import new_net

RECIPE = Recipe.model_validate({"data": {"name": "synthetic"}, "net": {"widths": [8, 8]}, "optimiser": {"epochs": 3}})


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    splits = {name: synthetic.generate(name, 400, size=32, seed=11) for name in SplitName}
    return Dataset.of("synthetic-32/test", synthetic.CLASSES, splits)


@pytest.fixture(scope="module")
def content(dataset: Dataset) -> Exportable:
    encoding = of_standard(50)
    model = to_onnx(new_net(RECIPE, dataset).eval(), steps_of(encoding), 32, 32)
    return Exportable(encoding=encoding, model=model, labels=dataset.classes, height=32, width=32)


@pytest.fixture(scope="module")
def drift(content: Exportable, dataset: Dataset) -> Drift:
    return drift_of(content, dataset.validation)


def test_every_signal_that_varies_has_a_histogram_over_all_held_out_frames(drift: Drift, dataset: Dataset) -> None:
    assert drift.n == len(dataset.validation)
    assert set(drift.signals) >= {"luma_level", "luma_low", "zeros", "confidence", "labels"}
    assert set(drift.signals) <= {signal.value for signal in Signal}


def test_the_frames_are_those_that_a_camera_would_send(content: Exportable, dataset: Dataset) -> None:
    """Against the decoder alone."""
    pictures = dataset.validation.head(7)
    frames = content.encoding.encoder().encode_batch(pictures.pixels, Stream.ABBREVIATED)
    y, c = np.empty((7, 64, 4, 4), np.int16), np.empty((7, 128, 2, 2), np.int16)
    assert not any(Decoder(content.encoding.tables).decode_batch(frames, y, c))
    found = signals(content, pictures)
    assert np.allclose(found[:, 0], y[:, 0].mean((1, 2)), atol=1e-4)


def test_bins_of_what_varies_smoothly_hold_as_many_frames_each(drift: Drift) -> None:
    shares = drift.signals["luma_low"].shares
    assert BINS - 2 <= len(shares) <= BINS
    assert max(shares) < 2 * min(shares)


def test_few_frames_make_few_bins() -> None:
    found = np.random.default_rng(1).random((100, len(Signal)), np.float32)
    assert len(histograms(found, 10).signals["luma_low"].shares) == 4


def test_a_signal_that_is_the_same_of_all_frames_is_left_out() -> None:
    found = np.random.default_rng(1).random((500, len(Signal)), np.float32)
    found[:, list(Signal).index(Signal.LUMA_HIGH)] = 0
    made = histograms(found, 10)
    assert "luma_high" not in made.signals
    assert "luma_mid" in made.signals


def test_a_signal_with_many_equal_values_has_no_empty_bin() -> None:
    found = np.random.default_rng(1).random((1_000, len(Signal)), np.float32)
    column = list(Signal).index(Signal.LUMA_HIGH)
    found[:900, column] = 0
    histogram = histograms(found, 10).signals["luma_high"]
    assert histogram.shares[0] == pytest.approx(0.9)
    assert min(histogram.shares) > 0


def test_the_last_bits_of_a_signal_move_no_frame_to_another_bin() -> None:
    rng = np.random.default_rng(1)
    found = np.zeros((1_000, len(Signal)), np.float32)
    column = list(Signal).index(Signal.LUMA_LOW)
    found[:, column] = rng.integers(0, 40, 1_000) / np.float32(80)
    histogram = histograms(found, 10).signals["luma_low"]
    for nearly in (found[:, column] * np.float32(1 - 1e-6), found[:, column] * np.float32(1 + 1e-6)):
        counts = np.bincount(np.searchsorted(histogram.edges, nearly, side="right"), minlength=len(histogram.shares))
        assert counts / 1_000 == pytest.approx(histogram.shares)


def test_labels_have_a_bin_each_and_of_many_classes_as_many_as_there_are() -> None:
    found = np.zeros((500, len(Signal)), np.float32)
    found[:, list(Signal).index(Signal.LABELS)] = np.arange(500) % 10
    assert histograms(found, 10).signals["labels"].shares == pytest.approx([0.1] * 10)
    assert len(histograms(found, 1_000).signals["labels"].shares) == CLASS_BINS


def test_a_higher_temperature_lowers_confidences_and_leaves_labels() -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(20, 5)).astype(np.float32)
    statistics = coefficient_statistics(np.zeros((20, 64, 4, 4), np.int16), np.zeros((20, 128, 2, 2), np.int16))
    cold, hot = (dict(zip(Signal, said(statistics, logits, t).T, strict=True)) for t in (1.0, 3.0))
    assert (hot[Signal.CONFIDENCE] < cold[Signal.CONFIDENCE]).all()
    assert (hot[Signal.LABELS] == cold[Signal.LABELS]).all()
    odds = np.exp(logits.astype(float))
    assert np.allclose(cold[Signal.CONFIDENCE], (odds / odds.sum(1, keepdims=True)).max(1), atol=1e-5)
