"""How often two bundles differ: the same count as by single frames, and refusals of what no camera makes pairs of."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared.bundle import EncoderSettings, Encoding
from shared.jpeg import Decoder, Fit, FitMode, Stream, TableSet
from trainer.data import Dataset, Split, SplitName, synthetic
from trainer.errors import RecipeError, RunError
from trainer.export import bundle as exporting
from trainer.export.bundle import Exportable
from trainer.export.classifier import OnnxClassifier
from trainer.export.golden import GoldenPictures
from trainer.export.predecessor import PART, Predecessor
from trainer.recipes.goals import StandardGoal
from trainer.recipes.recipe import Recipe
from trainer.training.improved import new_net
from trainer.training.run_dir import Asked, Finished, Summary

RECIPE = Recipe.model_validate(
    {"data": {"name": "synthetic"}, "net": {"widths": [8, 8]}, "optimiser": {"epochs": 3}},
)
SUMMARY = Summary(data="none", tables="", validation_accuracy=0.5, scan_bytes=1, n=2, epochs=3, parameters=4, seconds=5)
COARSE = Encoding(TableSet.standard(10), EncoderSettings.nearest(rounding=0.3, mask=np.arange(64) > 30))
FINE = Encoding(TableSet.standard(90))
PICTURES = synthetic.generate(SplitName.VALIDATION, PART + 76, size=32, seed=11)


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    splits = {name: synthetic.generate(name, 64, size=32, seed=11) for name in SplitName}
    return Dataset.of("synthetic-32/test", synthetic.CLASSES, splits)


@pytest.fixture(scope="module")
def old(dataset: Dataset) -> Exportable:
    """A net that learned nothing, and names one label or another."""
    asked = Asked(recipe=RECIPE, goal=StandardGoal(quality=30), data=dataset.name)
    return exporting.exportable(Finished(asked, SUMMARY, COARSE, new_net(RECIPE, dataset).state_dict()), dataset)


@pytest.fixture(scope="module")
def new(old: Exportable) -> Exportable:
    """The same graph, fed with other levels: its answers are often other ones."""
    return replace(old, encoding=FINE)


def before(of: Exportable) -> Predecessor:
    return Predecessor(family="gate", counter=3, data="synthetic-32/test", content=of)


def named(by: Exportable, pictures: Split = PICTURES) -> list[str]:
    """The label of each picture, frame by frame, from whole JPEG files that any library reads."""
    classifier, encoder, decoder = OnnxClassifier(by.model), by.encoding.encoder(), Decoder()
    files = [encoder.encode(pixels, Stream.INTERCHANGE) for pixels in pictures.pixels]
    y, c = np.empty((1, 64, 4, 4), np.int16), np.empty((1, 128, 2, 2), np.int16)
    labels = []
    for file in files:
        assert decoder.decode_batch([file], y, c) == [None]
        labels.append(by.labels[int(classifier.run({"y": y, "c": c}).argmax())])
    return labels


def test_the_share_is_what_single_frames_by_each_bundles_own_encoder_say(old: Exportable, new: Exportable) -> None:
    ours, theirs = named(old), named(new)
    differing = sum(one != other for one, other in zip(ours, theirs, strict=True))
    done: list[tuple[int, int]] = []
    measured = before(old).disagreement(PICTURES, np.array(theirs), lambda *counts: done.append(counts))
    assert (measured.counter, measured.n) == (3, len(PICTURES))
    assert measured.share == differing / len(PICTURES)
    assert 0 < measured.share < 1, "bundles that always or never agree would prove nothing"
    assert done == [(PART, len(PICTURES)), (len(PICTURES), len(PICTURES))]


def test_identical_bundles_never_differ(old: Exportable) -> None:
    assert before(old).disagreement(PICTURES, np.array(named(old))).share == 0


def test_labels_are_compared_by_name_in_whatever_order_a_classifier_has_them(old: Exportable) -> None:
    turned = replace(old, labels=old.labels[::-1])
    before(old).require_comparable(turned)
    differing = np.mean([one != other for one, other in zip(named(old), named(turned), strict=True)])
    assert before(old).disagreement(PICTURES, np.array(named(turned))).share == differing > 0.9


def test_a_bundle_folder_is_read_with_the_data_set_that_it_was_made_for(
    old: Exportable, dataset: Dataset, tmp_path: Path
) -> None:
    exporting.write_bundle(
        old,
        exporting.golden_of(old, GoldenPictures.HELD_OUT, dataset),
        exporting.twin_of(old, dataset),
        exporting.measure(old, dataset, SplitName.VALIDATION, "coarse").evaluation,
        tmp_path,
        family="gate",
        counter=3,
        min_counter=1,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        selftest_seed=1,
    )
    assert Predecessor.read(tmp_path) == before(old)
    (tmp_path / "classifier.onnx").write_bytes(b"")
    with pytest.raises(RunError, match=r"classifier\.onnx is not the file"):
        Predecessor.read(tmp_path)


@pytest.mark.parametrize(
    ("family", "counter", "words"),
    [
        ("door", 4, "door/4 cannot follow gate/3, which is another family's"),
        ("gate", 3, "gate/3 cannot follow gate/3: its counter must be above 3"),
        ("gate", 2, "gate/2 cannot follow gate/3: its counter must be above 3"),
    ],
)
def test_another_family_or_a_counter_that_is_not_above_is_refused(
    old: Exportable, family: str, counter: int, words: str
) -> None:
    with pytest.raises(RecipeError, match=words):
        before(old).require_before(family, counter)


def test_the_next_counter_and_any_higher_one_may_follow(old: Exportable) -> None:
    before(old).require_before("gate", 4)
    before(old).require_before("gate", 40)


def test_frames_of_another_size_or_part_and_other_labels_are_refused(old: Exportable) -> None:
    before(old).require_comparable(old)
    changes: dict[str, dict[str, Any]] = {
        r"whose frames are 32 x 32 pixels \(crop, share 1\), not 64 x 32 pixels": {"width": 64},
        "not 32 x 48 pixels": {"height": 48},
        r"not 32 x 32 pixels \(crop, share 0.5\)": {"fit": Fit(share=0.5)},
        r"not 32 x 32 pixels \(stretch, share 1\)": {"fit": Fit(FitMode.STRETCH)},
        "the run has the label '!', gate/3 has not": {"labels": ("!", *old.labels[1:])},
        f"gate/3 has the label '{old.labels[0]}', the run has not": {"labels": old.labels[1:]},
    }
    for words, change in changes.items():
        with pytest.raises(RecipeError, match=words):
            before(old).require_comparable(replace(old, **change))
