"""Bundle folders: cameras get the tables and settings that the classifier was measured with."""

from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from shared.bundle import Bundle, Disagreement, Golden, Reference, UnsupportedBundleError
from shared.jpeg import Decoder, Fit, Stream, TableSet
from trainer.data import Dataset, SplitName, noise, synthetic
from trainer.encoding.files import EncoderSettings, Encoding
from trainer.errors import RunError
from trainer.export import bundle as exporting
from trainer.export.bundle import Exportable
from trainer.export.classifier import OnnxClassifier
from trainer.export.golden import CLEAREST, GENERATED, GoldenPictures
from trainer.export.int8 import EightBits
from trainer.recipes.goals import StandardGoal
from trainer.recipes.recipe import Recipe
from trainer.training.improved import new_net
from trainer.training.run_dir import Asked, Finished, Summary

RECIPE = Recipe.model_validate(
    {"data": {"name": "synthetic"}, "net": {"widths": [8, 8]}, "optimiser": {"epochs": 3}},
)
SUMMARY = Summary(data="none", tables="", validation_accuracy=0.5, scan_bytes=1, n=2, epochs=3, parameters=4, seconds=5)
TABLES = TableSet.standard(30)
STEPS = np.array([list(table) for table in TABLES.quant], float)
THRIFTY = Encoding(TABLES, EncoderSettings.nearest(0.4, np.arange(64) > 50, 1 / (0.2 * STEPS**2)))


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    splits = {name: synthetic.generate(name, 64, size=32, seed=11) for name in SplitName}
    return Dataset.of("synthetic-32/test", synthetic.CLASSES, splits)


def finished(dataset: Dataset) -> Finished:
    asked = Asked(recipe=RECIPE, goal=StandardGoal(quality=30), data=dataset.name)
    return Finished(asked, SUMMARY, THRIFTY, new_net(RECIPE, dataset).state_dict())


@pytest.fixture(scope="module")
def content(dataset: Dataset) -> Exportable:
    return exporting.exportable(finished(dataset), dataset)


@pytest.fixture(scope="module")
def folder(content: Exportable, dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("bundle")
    written(content, exporting.golden_of(content, GoldenPictures.HELD_OUT, dataset), dataset, out)
    return out


def written(
    content: Exportable, golden: Golden, dataset: Dataset, out: Path, reference: Reference | None = None
) -> Bundle:
    return exporting.write_bundle(
        content,
        golden,
        exporting.twin_of(content, dataset),
        exporting.measure(content, dataset, SplitName.VALIDATION, "thrifty").evaluation,
        out,
        family="gate",
        counter=3,
        min_counter=1,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        selftest_seed=1,
        reference=reference,
    )


def test_a_bundle_folder_comes_back_as_it_was_exported(content: Exportable, folder: Path) -> None:
    bundle, files = exporting.read_bundle(folder)
    assert Exportable.of(bundle, files) == content
    assert bundle.encoding == THRIFTY
    bundle.check_selftest()


def test_a_bundle_says_which_part_of_a_picture_its_classifier_was_measured_on(
    content: Exportable, dataset: Dataset, folder: Path, tmp_path: Path
) -> None:
    closer = Fit(share=0.875)
    assert exporting.read_bundle(folder)[0].fit == Fit()
    assert exporting.exportable(finished(dataset), replace(dataset, fit=closer)).fit == closer
    files = exporting.read_bundle(folder)[1]
    written(replace(content, fit=closer), files.golden, dataset, tmp_path)
    bundle, files = exporting.read_bundle(tmp_path)
    assert bundle.fit == Exportable.of(bundle, files).fit == closer


def test_a_reference_lies_beside_the_bundle_that_names_it_and_goes_with_it(
    content: Exportable, dataset: Dataset, folder: Path, tmp_path: Path
) -> None:
    golden = exporting.read_bundle(folder)[1].golden
    reference = Reference(temperature=1.5, disagreement=Disagreement(counter=2, share=0.25, n=64))
    bundle = written(content, golden, dataset, tmp_path, reference=reference)
    assert bundle.target_custom["reference_sha256"] == sha256((tmp_path / "reference.json").read_bytes()).hexdigest()
    assert exporting.read_bundle(tmp_path)[1].reference == reference
    (tmp_path / "reference.json").write_bytes(Reference(temperature=1.25).to_bytes())
    with pytest.raises(RunError, match=r"reference\.json is not the file"):
        exporting.read_bundle(tmp_path)
    written(content, golden, dataset, tmp_path)
    assert not (tmp_path / "reference.json").exists()
    assert exporting.read_bundle(tmp_path)[1].reference is None


def test_a_bundle_that_asks_for_what_this_version_cannot_do_is_not_read_back(folder: Path, tmp_path: Path) -> None:
    bundle = exporting.read_bundle(folder)[0].model_copy(update={"lapping": {"taps": [0.5]}})
    (tmp_path / "bundle.json").write_bytes(bundle.to_bytes())
    with pytest.raises(UnsupportedBundleError, match="gate/3 asks for lapping"):
        exporting.read_bundle(tmp_path)


def test_what_a_bundle_promises_is_what_its_own_encoder_takes(dataset: Dataset, folder: Path) -> None:
    bundle = Bundle.from_bytes((folder / "bundle.json").read_bytes())
    sizes = [len(scan) for scan in bundle.encoding.encoder().encode_batch(dataset.validation.pixels, Stream.SCAN)]
    assert bundle.expected.bytes_p50 == np.percentile(sizes, 50)
    plain = [len(scan) for scan in Encoding(TABLES).encoder().encode_batch(dataset.validation.pixels, Stream.SCAN)]
    assert bundle.expected.bytes_p50 < np.percentile(plain, 50)


def test_golden_frames_are_held_out_ones_as_cameras_send_them_with_their_labels_and_logits(
    content: Exportable, dataset: Dataset, folder: Path
) -> None:
    golden = exporting.read_bundle(folder)[1].golden
    frames = THRIFTY.encoder().encode_batch(dataset.validation.pixels, Stream.ABBREVIATED)
    assert list(golden.frames) == frames
    assert list(golden.truth) == dataset.validation.labels.tolist()
    assert np.array_equal(np.array(golden.logits, np.float32), served_logits(content, frames[:16]))


def test_generated_golden_frames_show_no_data_set_and_their_truth_is_what_the_classifier_says(
    content: Exportable, dataset: Dataset
) -> None:
    golden = exporting.golden_of(content, GoldenPictures.GENERATED, dataset)
    frames = THRIFTY.encoder().encode_batch(noise.pictures(GENERATED, 32, 32), Stream.ABBREVIATED)
    assert [frame for frame in frames if frame in golden.frames] == list(golden.frames)
    assert not set(frames) & set(THRIFTY.encoder().encode_batch(dataset.validation.pixels, Stream.ABBREVIATED))
    logits = served_logits(content, list(golden.frames))
    assert list(golden.truth) == logits.argmax(1).tolist()
    assert np.array_equal(np.array(golden.logits, np.float32), logits[:16])


def test_only_the_clearest_answers_to_generated_frames_count_as_true(content: Exportable, dataset: Dataset) -> None:
    golden = exporting.golden_of(content, GoldenPictures.GENERATED, dataset)
    frames = THRIFTY.encoder().encode_batch(noise.pictures(GENERATED, 32, 32), Stream.ABBREVIATED)
    *_, second, first = np.sort(served_logits(content, frames)).T
    was_kept = np.array([frame in golden.frames for frame in frames])
    assert len(golden.frames) == was_kept.sum() == CLEAREST
    assert (first - second)[was_kept].min() >= (first - second)[~was_kept].max()


def served_logits(content: Exportable, frames: list[bytes]) -> np.ndarray:
    """What a server makes of frames."""
    y, c = np.empty((len(frames), 64, 4, 4), np.int16), np.empty((len(frames), 128, 2, 2), np.int16)
    assert not any(Decoder(TABLES).decode_batch(frames, y, c))
    return OnnxClassifier(content.model).run({"y": y, "c": c})


def test_a_twin_that_lost_its_accuracy_is_not_exported_and_that_of_an_earlier_export_goes(
    content: Exportable, dataset: Dataset, folder: Path, tmp_path: Path
) -> None:
    golden, twin = exporting.read_bundle(folder)[1].golden, exporting.twin_of(content, dataset)
    expected = exporting.measure(content, dataset, SplitName.VALIDATION, "thrifty").evaluation
    for counter, lost in ((1, 5), (2, 6)):
        tried = EightBits(twin.model, 900 - lost, 900, n=1000)
        exporting.write_bundle(
            content,
            golden,
            tried,
            expected,
            tmp_path,
            family="gate",
            counter=counter,
            min_counter=1,
            created_at=datetime(2026, 1, 1, tzinfo=UTC),
            selftest_seed=1,
        )
        assert (tmp_path / "classifier-int8.onnx").exists() is (counter == 1)
        assert exporting.read_bundle(tmp_path)[1].int8 == (twin.model if counter == 1 else None)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("classifier.onnx", "classifier.onnx is not the file"),
        ("labels.json", "labels.json is not the file"),
        ("golden.json", "golden.json is not the file"),
        ("bundle.json", "canonical"),
    ],
)
def test_a_folder_with_another_file_than_was_exported_is_refused(
    folder: Path, tmp_path: Path, name: str, words: str
) -> None:
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes() + b" " * (path.name == name))
    with pytest.raises(RunError, match=words):
        exporting.read_bundle(tmp_path)
