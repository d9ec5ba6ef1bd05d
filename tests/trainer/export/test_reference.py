"""What a server is told: a temperature that makes confidences hold, a factor that gives back ordinary JPEG's bytes."""

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.bundle import EncoderSettings, Encoding
from shared.jpeg import Encoder, Stream, TableSet, Transcoder
from trainer.data import Dataset, SplitName, synthetic
from trainer.encoding.encodings import of_standard, steps_of
from trainer.export.bundle import Exportable, measure
from trainer.export.drift import drift_of
from trainer.export.onnx_graph import to_onnx
from trainer.export.predecessor import Predecessor
from trainer.export.reference import (
    PART,
    TEMPERATURES,
    baseline_factor_of,
    reference_of,
    temperature_of,
)
from trainer.recipes.recipe import Recipe
from trainer.training.improved import new_net
from trainer.training.reporter import Silent

COARSE = Encoding(TableSet.standard(10), EncoderSettings.nearest(rounding=0.3, mask=np.arange(64) > 30))
PICTURES = synthetic.generate(SplitName.VALIDATION, PART + 76, size=32, seed=11)
FRAMES, CLASSES = 4_000, 7
RECIPE = Recipe.model_validate({"data": {"name": "synthetic"}, "net": {"widths": [8, 8]}, "optimiser": {"epochs": 3}})


class Told(Silent):
    """Keeps the words of what a person is warned of."""

    def __init__(self) -> None:
        self.warned: list[str] = []

    def warn(self, word: str, text: str) -> None:
        """Keep the word."""
        self.warned.append(word)


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    splits = {name: synthetic.generate(name, 100, size=32, seed=11) for name in SplitName}
    return Dataset.of("synthetic-32/test", synthetic.CLASSES, splits)


@pytest.fixture(scope="module")
def content(dataset: Dataset) -> Exportable:
    """Of a net that has learned nothing, so its temperature is far from 1."""
    encoding = of_standard(50)
    model = to_onnx(new_net(RECIPE, dataset).eval(), steps_of(encoding), 32, 32)
    return Exportable(encoding=encoding, model=model, labels=dataset.classes, height=32, width=32)


def drawn(seed: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Logits, and labels that are drawn with just the probabilities that softmax makes of these."""
    draw = np.random.default_rng(seed)
    logits = draw.normal(scale=2, size=(FRAMES, CLASSES))
    noise = draw.gumbel(size=logits.shape)  # the largest of logits and Gumbel noise has softmax's distribution
    return logits.astype(np.float32), (logits + noise).argmax(1)


def shares(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    odds = np.exp(logits.astype(np.float64) - logits.max(1, keepdims=True))
    softmax: NDArray[np.float64] = odds / odds.sum(1, keepdims=True)
    return softmax


@pytest.mark.parametrize("too_sure", [0.4, 1.0, 3.0])
def test_a_classifier_that_is_too_sure_by_a_factor_is_given_that_factor(too_sure: float) -> None:
    logits, truth = drawn(1)
    assert temperature_of(logits * np.float32(too_sure), truth) == pytest.approx(too_sure, rel=0.05)


def test_under_its_temperature_the_mean_confidence_is_the_accuracy() -> None:
    logits, truth = drawn(2)
    boasting = logits * np.float32(4)
    accuracy = float((boasting.argmax(1) == truth).mean())
    assert shares(boasting).max(1).mean() > accuracy + 0.1
    tempered = shares(boasting / np.float32(temperature_of(boasting, truth)))
    assert tempered.max(1).mean() == pytest.approx(accuracy, abs=0.015)


def test_no_temperature_nearby_is_likelier() -> None:
    logits, truth = drawn(3)
    found = temperature_of(logits, truth)

    def likelihood(temperature: float) -> float:
        return float(np.log(shares(logits / np.float32(temperature))[np.arange(FRAMES), truth]).mean())

    assert all(likelihood(found * by) < likelihood(found) for by in (0.97, 1.03))


@pytest.mark.parametrize(("is_right", "end"), [(True, 0), (False, 1)])
def test_a_few_frames_that_are_all_right_or_all_wrong_give_an_end_and_no_infinity(is_right: bool, end: int) -> None:
    logits = np.eye(3, dtype=np.float32) / np.float32(2)
    truth = np.array([0, 1, 2] if is_right else [1, 2, 0])
    assert temperature_of(logits, truth) == pytest.approx(TEMPERATURES[end], rel=0.01)


def test_the_factor_times_what_frames_make_is_what_the_pictures_make() -> None:
    told: list[tuple[int, int]] = []
    factor = baseline_factor_of(COARSE, 75, PICTURES, lambda done, of: told.append((done, of)))
    ordinary = TableSet.standard(75)
    around = 625 - 609  # libjpeg's segments over ours, which hold several tables each
    originals = [len(Encoder(ordinary).encode(each, Stream.INTERCHANGE)) + around for each in PICTURES.pixels]
    transcoder = Transcoder(ordinary, source=COARSE.tables)
    again = [
        len(transcoder.transcode(COARSE.encoder().encode(each), Stream.INTERCHANGE)) + around
        for each in PICTURES.pixels
    ]
    assert factor.factor == sum(originals) / sum(again)
    assert factor.factor > 1.1
    assert (factor.quality, factor.n) == (75, len(PICTURES))
    assert told == [(PART, PART + 76), (PART + 76, PART + 76)]


def test_frames_that_lost_nothing_need_no_correction() -> None:
    same = Encoding(TableSet.standard(75))
    assert baseline_factor_of(same, 75, PICTURES).factor == 1


def test_drift_is_told_of_the_confidences_that_the_server_will_give(content: Exportable, dataset: Dataset) -> None:
    outcomes = measure(content, dataset, SplitName.VALIDATION, "").outcomes
    reference = reference_of(content, outcomes, dataset, None, 75, Silent())
    assert reference.temperature is not None
    assert reference.drift == drift_of(content, dataset.validation, reference.temperature)
    assert reference.drift != drift_of(content, dataset.validation)
    assert reference.disagreement is None


@pytest.mark.parametrize(("data", "warned"), [("synthetic-32/test", []), ("other-32/test", ["other pictures"])])
def test_a_bundle_of_other_pictures_is_compared_with_a_warning(
    content: Exportable, dataset: Dataset, data: str, warned: list[str]
) -> None:
    outcomes = measure(content, dataset, SplitName.VALIDATION, "").outcomes
    before, told = Predecessor(family="gate", counter=3, data=data, content=content), Told()
    disagreement = reference_of(content, outcomes, dataset, before, 75, told).disagreement
    assert disagreement is not None
    assert (disagreement.counter, disagreement.share, disagreement.n) == (3, 0, 100)
    assert told.warned == warned
