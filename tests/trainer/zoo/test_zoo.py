"""The zoo: what it holds proves itself, a damaged entry is refused, and anyone's pictures go through an entry."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import trainer.zoo
from shared.bundle import EncoderSettings, SelftestError
from shared.jpeg import Encoder, Stream, TableSet
from tests.trainer.present import present
from trainer import zoo
from trainer.cli import zoo as commands
from trainer.data import Dataset, SplitName, noise, synthetic
from trainer.data.cache import ArrayCache
from trainer.data.catalogue import Catalogue
from trainer.encoding.encodings import steps_of
from trainer.encoding.files import Encoding
from trainer.errors import DatasetError, ParityError, RunError
from trainer.evaluation.evaluation import Evaluated, evaluate
from trainer.evaluation.files import read_evaluation, write_evaluation
from trainer.export import bundle as export
from trainer.export.classifier import OnnxClassifier
from trainer.export.golden import CLEAREST, GENERATED, GoldenPictures
from trainer.export.onnx_graph import to_onnx
from trainer.models import DctNet, DctNetConfig
from trainer.recipes import recipe as recipes
from trainer.zoo.entry import LIMIT_BYTES, size_bytes

SHIPPED = Path(trainer.zoo.__file__).parent
PROGRAM = Path(sys.executable).with_name("dctwire-trainer")
PICTURES = 300
MADE_BY = ("dctwire-trainer train tiny --out run", "dctwire-trainer export run --out bundle")


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    splits = {name: synthetic.generate(name, 64, size=32, seed=3) for name in SplitName}
    return Dataset.of("synthetic-32/v1/seed3", synthetic.CLASSES, splits)


@pytest.fixture(scope="module")
def bundle_folder(tmp_path_factory: pytest.TempPathFactory, dataset: Dataset) -> Path:
    """An exported bundle of a net that was not trained, with its evaluation beside it."""
    torch.manual_seed(0)
    net = DctNet(DctNetConfig(len(dataset.classes), (8, 12)), torch.full((3, 64), 0.02)).eval()
    encoding = Encoding(TableSet.standard(40), EncoderSettings.nearest(rounding=0.4))
    model = to_onnx(net, steps_of(encoding), 32, 32)
    content = export.Exportable(encoding=encoding, model=model, labels=dataset.classes, height=32, width=32)
    evaluated = export.measure(content, dataset, SplitName.TEST, "standard, quality 40")
    folder = tmp_path_factory.mktemp("bundle")
    golden = export.golden_of(content, GoldenPictures.GENERATED, dataset)
    export.write_bundle(
        content,
        golden,
        export.twin_of(content, dataset),
        evaluated.evaluation,
        folder,
        family="gate",
        counter=1,
        min_counter=1,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        selftest_seed=1,
    )
    write_evaluation(folder, evaluated)
    return folder


@pytest.fixture
def entry(tmp_path: Path, bundle_folder: Path) -> zoo.Entry:
    """The bundle as the only entry of a zoo."""
    return zoo.add(tmp_path / "zoo", "gate-40", bundle_folder, _evaluated(bundle_folder), MADE_BY)


def _evaluated(folder: Path) -> Evaluated:
    return read_evaluation(folder, SplitName.TEST)


def _zoo_command(*arguments: str | Path) -> str:
    """What a command of `dctwire-trainer zoo` prints."""
    done = CliRunner().invoke(commands.app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_every_shipped_entry_proves_itself_and_together_they_stay_small() -> None:
    for entry in zoo.entries(SHIPPED):
        assert zoo.check(entry) <= export.PARITY_TOLERANCE
    assert size_bytes(SHIPPED) <= LIMIT_BYTES


@pytest.mark.parametrize("entry", zoo.entries(SHIPPED), ids=lambda entry: entry.name)
def test_every_shipped_entry_has_an_eight_bit_twin_that_agrees_with_it(entry: zoo.Entry) -> None:
    likeliest = export.logits_of(replace(entry.content, model=present(entry.int8)), list(entry.golden.frames)).argmax(1)
    # products of eight bits saturate on processors without VNNI, which costs a few
    assert np.mean(likeliest == entry.golden.truth) > 0.95


@pytest.mark.skipif("DCTWIRE_DATA" not in os.environ, reason="DCTWIRE_DATA names no folder with cifar-100-python")
def test_what_shipped_entries_said_of_each_test_picture_they_say_again(tmp_path: Path) -> None:
    section = recipes.load("cifar100-improved").data
    data = Catalogue(Path(os.environ["DCTWIRE_DATA"]), ArrayCache(tmp_path))
    pictures, _, name = data.pictures(section, SplitName.TEST, PICTURES)
    measured = [entry for entry in zoo.entries(SHIPPED) if entry.evaluation.data == name]
    assert measured
    for entry in measured:
        again = evaluate(
            entry.content.encoding,
            OnnxClassifier(entry.content.model),
            pictures,
            data=name,
            split_name=SplitName.TEST,
            description=entry.evaluation.tables,
        ).outcomes
        kept = entry.evaluated.outcomes
        assert np.array_equal(again.scan_bytes, kept.scan_bytes[:PICTURES])
        # another processor's roundings may decide a tie otherwise
        assert np.count_nonzero(again.right != kept.right[:PICTURES]) <= 1


def test_an_entry_proves_itself(entry: zoo.Entry) -> None:
    assert zoo.check(entry) < export.PARITY_TOLERANCE / 10
    assert (entry.name, entry.origin.made_by, len(entry.golden.frames)) == ("gate-40", MADE_BY, CLEAREST)


def test_golden_frames_are_what_the_bundles_encoder_makes_of_generated_pictures(entry: zoo.Entry) -> None:
    pictures = noise.pictures(GENERATED, 32, 32)
    frames = entry.content.encoding.encoder().encode_batch(pictures, Stream.ABBREVIATED)
    assert [frame for frame in frames if frame in entry.golden.frames] == list(entry.golden.frames)


def test_a_bundle_whose_golden_frames_show_a_data_set_does_not_become_an_entry(
    tmp_path: Path, bundle_folder: Path, dataset: Dataset
) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(bundle_folder, folder)
    bundle, files = export.read_bundle(folder)
    golden = export.golden_of(export.Exportable.of(bundle, files), GoldenPictures.HELD_OUT, dataset)
    shown = replace(files, golden=golden)
    shown.write(folder, "bundle.json", bundle.model_copy(update={"classifier": shown.ref}).to_bytes())
    with pytest.raises(RunError, match="--golden generated"):
        zoo.add(tmp_path / "zoo", "gate-40", folder, _evaluated(bundle_folder), MADE_BY)
    assert not (tmp_path / "zoo" / "gate-40").exists()


@pytest.mark.parametrize(
    "file",
    ["classifier.onnx", "labels.json", "golden.json", "evaluation-test.json", "evaluation-test.npz", "origin.json"],
)
def test_an_entry_with_a_damaged_or_missing_file_is_refused_by_name(entry: zoo.Entry, file: str) -> None:
    path = entry.folder / file
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(RunError, match="gate-40"):
        zoo.read(entry.folder.parent, "gate-40")
    path.unlink()
    with pytest.raises(RunError, match="gate-40"):
        zoo.entries(entry.folder.parent)


def test_logits_that_are_not_reproduced_are_noticed(entry: zoo.Entry) -> None:
    (first, *others), *rows = entry.golden.logits
    bundle, files = export.read_bundle(entry.folder)
    changed = replace(files, golden=entry.golden.model_copy(update={"logits": ((first + 0.1, *others), *rows)}))
    changed.write(entry.folder, "bundle.json", bundle.model_copy(update={"classifier": changed.ref}).to_bytes())
    with pytest.raises(ParityError):
        zoo.check(zoo.read(entry.folder.parent, "gate-40"))


def test_an_encoder_that_makes_other_bytes_is_noticed(entry: zoo.Entry) -> None:
    path = entry.folder / "bundle.json"
    promised = entry.bundle.selftest.sha256
    path.write_bytes(path.read_bytes().replace(promised.encode(), promised[::-1].encode()))
    with pytest.raises(SelftestError):
        zoo.check(zoo.read(entry.folder.parent, "gate-40"))


@pytest.mark.parametrize("change", [{"split": "validation"}, {"data": "other"}, {"tables_id": "0" * 16}])
def test_figures_of_something_else_do_not_become_an_entry(
    tmp_path: Path, bundle_folder: Path, change: dict[str, Any]
) -> None:
    evaluated = _evaluated(bundle_folder)
    other = replace(evaluated, evaluation=evaluated.evaluation.model_copy(update=change))
    with pytest.raises(RunError, match=next(iter(change.values()))):
        zoo.add(tmp_path, "gate-40", bundle_folder, other, MADE_BY)
    assert not (tmp_path / "gate-40").exists()


def test_an_entry_is_not_written_over(entry: zoo.Entry, bundle_folder: Path) -> None:
    with pytest.raises(RunError, match="is there already"):
        zoo.add(entry.folder.parent, "gate-40", bundle_folder, entry.evaluated, MADE_BY)


def test_a_zoo_does_not_outgrow_its_budget(tmp_path: Path, bundle_folder: Path) -> None:
    (tmp_path / "large").mkdir()
    (tmp_path / "large" / "bundle.json").write_bytes(bytes(LIMIT_BYTES))
    with pytest.raises(RunError, match="over 20"):
        zoo.add(tmp_path, "gate-40", bundle_folder, _evaluated(bundle_folder), MADE_BY)


def test_a_picture_of_ones_own_costs_what_a_camera_would_send_and_gets_the_classifiers_labels(
    entry: zoo.Entry, tmp_path: Path, dataset: Dataset
) -> None:
    pixels = dataset.test.pixels[:2]
    for index, picture in enumerate(pixels):
        Image.fromarray(picture).save(tmp_path / f"{index}.png")
    first, second = zoo.classify(entry.content, [tmp_path / "0.png", tmp_path / "1.png"])
    frames = entry.content.encoding.encoder().encode_batch(pixels, Stream.ABBREVIATED)
    assert [first.wire_bytes, second.wire_bytes] == [len(frame) for frame in frames]
    assert frames != Encoder(entry.bundle.tables).encode_batch(pixels, Stream.ABBREVIATED)  # its dead zone counts
    assert first.scan_bytes < first.wire_bytes < first.file_bytes
    odds = [share for _, share in first.likeliest]
    assert len(odds) == 5
    assert odds == sorted(odds, reverse=True)
    assert first.likeliest[0][0] in dataset.classes
    assert sum(odds) <= 1


def test_pictures_of_any_shape_are_cut_and_scaled_and_other_files_refused(entry: zoo.Entry, tmp_path: Path) -> None:
    wide = np.zeros((64, 200, 3), np.uint8)
    wide[:, 60:140] = 200  # all that is left of it
    Image.fromarray(wide).save(tmp_path / "wide.png")
    Image.fromarray(np.full((32, 32, 3), 200, np.uint8)).save(tmp_path / "plain.png")
    one, other = zoo.classify(entry.content, [tmp_path / "wide.png", tmp_path / "plain.png"])
    assert one.likeliest == other.likeliest
    (tmp_path / "no.png").write_bytes(b"no picture")
    with pytest.raises(DatasetError, match=r"no\.png"):
        zoo.classify(entry.content, [tmp_path / "no.png"])


def test_entries_are_added_listed_and_tried_from_the_command_line(
    tmp_path: Path, bundle_folder: Path, dataset: Dataset
) -> None:
    Image.fromarray(dataset.test.pixels[0]).save(tmp_path / "mine.png")
    folder = ("--folder", tmp_path / "zoo")
    made = ("--made-by", MADE_BY[0], "--made-by", MADE_BY[1])
    added = _zoo_command("add", "gate-40", bundle_folder, "--run", bundle_folder, *made, *folder)
    listed = subprocess.run([PROGRAM, "zoo", "list", *folder], capture_output=True, text=True, timeout=120, check=True)
    tried = _zoo_command("try", "gate-40", tmp_path / "mine.png", *folder)
    assert added.startswith("gate-40: synthetic-32/v1/seed3, 32 x 32, 32 labels; accuracy")
    assert listed.stdout == added
    first, *labels = tried.splitlines()
    assert first.startswith(f"{tmp_path / 'mine.png'}: ")
    assert "bytes on the wire" in first
    assert len(labels) == 5


def test_what_is_not_there_is_said_with_what_is(tmp_path: Path, entry: zoo.Entry) -> None:
    with pytest.raises(RunError, match=r"no entry 'gate-50' in .*there: gate-40"):
        zoo.read(entry.folder.parent, "gate-50")
    assert "only the repository has them" in _zoo_command("list", "--folder", tmp_path / "nowhere")
