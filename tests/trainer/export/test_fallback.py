"""The fallback: what a server would decode of any tables is what its classifier reads, and its figures are counted."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from shared.bundle import Golden
from shared.jpeg import Decoder, Fit, Stream, TableSet, inspect
from tests.trainer.training.runs import training_of
from trainer.data import Dataset, SplitName, synthetic
from trainer.diff_jpeg import Planes
from trainer.encoding.encodings import steps_of
from trainer.encoding.random_tables import RandomTables
from trainer.errors import ParityError, RecipeError, RunError
from trainer.export import fallback
from trainer.export.bundle import PARITY_TOLERANCE
from trainer.export.classifier import OnnxClassifier, check_parity
from trainer.export.fallback import FallbackClassifier, FallbackEvaluation
from trainer.export.golden import GoldenPictures
from trainer.export.int8 import EightBits
from trainer.export.model_folder import ModelFiles
from trainer.models import DctNet
from trainer.recipes.goals import AnyTablesGoal
from trainer.recipes.recipe import Recipe
from trainer.training.compute import Compute
from trainer.training.improved import new_net
from trainer.training.run_dir import Asked, Finished, Summary

RECIPE = Recipe.model_validate(
    {
        "data": {"name": "synthetic"},
        "net": {"widths": [8, 12]},
        "optimiser": {"epochs": 3, "batch": 64, "learning_rate": 0.02},
        "tables": {"rate_frames": 256},
    },
)
SUMMARY = Summary(data="none", tables="", validation_accuracy=0.5, scan_bytes=1, n=2, epochs=3, parameters=4, seconds=5)
MADE: dict[str, Any] = {"family": "gate", "created_at": datetime(2026, 1, 1, tzinfo=UTC)}


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    sizes = {SplitName.TRAIN: 1024, SplitName.VALIDATION: 256, SplitName.TEST: 96}
    splits = {name: synthetic.generate(name, count, size=32, seed=11) for name, count in sizes.items()}
    return Dataset.of("synthetic-32/test", synthetic.CLASSES, splits)


@pytest.fixture(scope="module")
def run(dataset: Dataset) -> Finished:
    """A run of any tables, trained for seconds."""
    training = training_of(RECIPE, dataset, AnyTablesGoal(), Compute.local("cpu"))
    while not training.is_done:
        training.run_epoch()
    asked = Asked(recipe=RECIPE, goal=AnyTablesGoal(), data=dataset.name)
    return Finished(asked, SUMMARY, training.method.finished_encoding(), training.method.net.state_dict())


@pytest.fixture(scope="module")
def net(run: Finished, dataset: Dataset) -> DctNet:
    net = new_net(RECIPE, dataset)
    net.load_state_dict(run.net_state)
    return net.eval()


@pytest.fixture(scope="module")
def content(run: Finished, dataset: Dataset) -> FallbackClassifier:
    return fallback.exportable(run, dataset)


@pytest.fixture(scope="module")
def measured(content: FallbackClassifier, dataset: Dataset) -> FallbackEvaluation:
    return fallback.measure(content, dataset, SplitName.TEST)


@pytest.fixture(scope="module")
def golden(content: FallbackClassifier, dataset: Dataset) -> Golden:
    return fallback.golden_of(content, GoldenPictures.HELD_OUT, dataset)


@pytest.fixture(scope="module")
def twin(content: FallbackClassifier, dataset: Dataset) -> EightBits:
    return fallback.twin_of(content, dataset)


def served(tables: TableSet, frames: list[bytes]) -> Planes:
    """What a server's decoder gives a classifier of any tables."""
    y = np.empty((len(frames), 64, 4, 4), np.float32)
    c = np.empty((len(frames), 128, 2, 2), np.float32)
    assert not any(Decoder(tables).decode_batch(frames, y, c, dequantise=True))
    return Planes(torch.from_numpy(y), torch.from_numpy(c))


def test_the_exported_classifier_says_what_the_net_says_of_frames_as_a_server_decodes_them(
    content: FallbackClassifier, net: DctNet, dataset: Dataset
) -> None:
    for encoding in fallback.encodings().values():
        frames = encoding.encoder().encode_batch(dataset.test.pixels, Stream.ABBREVIATED)
        planes = served(encoding.tables, frames)
        with torch.no_grad():
            expected = net(planes).numpy()
        assert check_parity(expected, OnnxClassifier(content.model).logits(planes), PARITY_TOLERANCE) < 1e-4
        levels = Planes(planes.y / 2, planes.c / 2)
        with pytest.raises(ParityError):
            check_parity(expected, OnnxClassifier(content.model).logits(levels), PARITY_TOLERANCE)


def test_its_inputs_are_float_coefficients(content: FallbackClassifier) -> None:
    inputs = onnx.load_model_from_string(content.model).graph.input
    assert [(value.name, value.type.tensor_type.elem_type) for value in inputs] == [("y", 1), ("c", 1)]  # 1: float32


def test_figures_are_those_of_each_tables_own_frames(
    measured: FallbackEvaluation, net: DctNet, dataset: Dataset
) -> None:
    for of, (name, encoding) in zip(measured.of_tables, fallback.encodings().items(), strict=True):
        frames = encoding.encoder().encode_batch(dataset.test.pixels, Stream.ABBREVIATED)
        with torch.no_grad():
            right = (net(served(encoding.tables, frames)).argmax(1).numpy() == dataset.test.labels).mean()
        assert (of.tables, of.tables_id, of.n) == (name, encoding.tables.tables_id, 96)
        assert of.accuracy == right
        assert of.low <= of.accuracy < of.high
        assert of.wire.mean == np.mean([len(frame) for frame in frames])


def test_it_is_measured_at_falling_steps_of_annex_k_and_at_tables_that_training_never_drew(
    measured: FallbackEvaluation,
) -> None:
    ordinary = measured.of_tables[: len(fallback.QUALITIES)]
    assert [of.tables_id for of in ordinary] == [TableSet.standard(q).tables_id for q in (10, 25, 50, 75, 95)]
    sizes = [of.scan.mean for of in ordinary]
    assert sizes == sorted(sizes)
    assert len({of.tables_id for of in measured.of_tables}) == 8
    drawn = torch.unique(RandomTables(RECIPE.seed).steps(np.arange(20_000), epoch=0).flatten(1), dim=0)
    for name, encoding in fallback.encodings().items():
        if name.startswith("random"):
            assert not (drawn == steps_of(encoding).flatten()).all(1).any()


def test_golden_frames_are_whole_files_of_all_measured_tables_by_turns(
    content: FallbackClassifier, golden: Golden, dataset: Dataset
) -> None:
    tables = [encoding.tables for encoding in fallback.encodings().values()]
    quant_ids = [inspect(frame).quant_id for frame in golden.frames]
    assert quant_ids == [tables[index % len(tables)].quant_id for index in range(256)]
    assert list(golden.truth) == dataset.validation.labels.tolist()
    logits = OnnxClassifier(content.model).logits(served(tables[0], list(golden.frames[:16])))
    assert np.array_equal(np.array(golden.logits, np.float32), logits)


def test_a_folder_comes_back_as_it_was_written_and_is_no_bundle_any_more(
    content: FallbackClassifier, golden: Golden, twin: EightBits, measured: FallbackEvaluation, tmp_path: Path
) -> None:
    (tmp_path / "bundle.json").write_bytes(b"of another export")
    written = fallback.write_fallback(content, golden, twin, measured, tmp_path, **MADE)
    assert fallback.read_fallback(tmp_path) == (written, ModelFiles(content.model, content.labels, golden, twin.model))
    assert {path.name for path in tmp_path.iterdir()} == {*written.classifier.files, "fallback.json"}
    assert [(of.tables, of.accuracy, of.bytes_p50) for of in written.expected] == [
        (of.tables, of.accuracy, of.scan.p50) for of in measured.of_tables
    ]


def test_a_fallback_says_which_part_of_a_picture_its_classifier_was_measured_on(
    content: FallbackClassifier,
    golden: Golden,
    twin: EightBits,
    measured: FallbackEvaluation,
    run: Finished,
    dataset: Dataset,
    tmp_path: Path,
) -> None:
    closer = replace(dataset, fit=Fit(share=0.875))
    shown = replace(content, fit=fallback.exportable(run, closer).fit)
    fallback.write_fallback(shown, golden, twin, measured, tmp_path, **MADE)
    assert (content.fit, fallback.read_fallback(tmp_path)[0].fit) == (Fit(), Fit(share=0.875))


@pytest.mark.parametrize("name", ["classifier.onnx", "labels.json", "golden.json", "fallback.json"])
def test_a_folder_with_another_or_no_file_is_refused_by_name(
    content: FallbackClassifier,
    golden: Golden,
    twin: EightBits,
    measured: FallbackEvaluation,
    tmp_path: Path,
    name: str,
) -> None:
    fallback.write_fallback(content, golden, twin, measured, tmp_path, **MADE)
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes() + b" ")
    with pytest.raises(RunError, match="canonical" if name == "fallback.json" else name):
        fallback.read_fallback(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(RunError, match=name):
        fallback.read_fallback(tmp_path)


def test_a_family_that_cannot_be_is_refused_before_anything_is_written(
    content: FallbackClassifier, golden: Golden, twin: EightBits, measured: FallbackEvaluation, tmp_path: Path
) -> None:
    with pytest.raises(RecipeError, match="family"):
        fallback.write_fallback(content, golden, twin, measured, tmp_path, **(MADE | {"family": "No Family"}))
    assert not list(tmp_path.iterdir())
