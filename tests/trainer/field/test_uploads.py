"""Uploads are read as the levels and steps that they were sent with; what cannot be read is left out by name."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from shared.jpeg import Stream
from tests.trainer.field.exports import Sent, sent_of, write_export
from trainer.data import SplitName, synthetic
from trainer.encoding import streams
from trainer.encoding.encodings import dequantised, of_standard, steps_of
from trainer.errors import DatasetError
from trainer.field.uploads import Export, read_export

CLASSES = synthetic.CLASSES
SPLIT = synthetic.generate(SplitName.TEST, 24, size=32, seed=5)
FINE, COARSE = of_standard(80), of_standard(20)


def read(folder: Path, cache: Path) -> Export:
    return read_export(folder, CLASSES, (32, 32), cache)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Half of the frames with fine tables, half with coarse ones."""
    fine = sent_of(SPLIT.head(12), CLASSES, ["fine"], FINE)
    coarse = sent_of(SPLIT.take(slice(12, 24)), CLASSES, ["coarse"], COARSE)
    return write_export(tmp_path / "export", fine + coarse)


def test_frames_are_the_levels_of_the_codec_under_the_steps_of_their_own_day(folder: Path, tmp_path: Path) -> None:
    frames = read(folder, tmp_path / "cache").frames
    assert [row.device for row in frames.rows] == ["coarse"] * 12 + ["fine"] * 12
    for rows, encoding, pictures in ((slice(12), COARSE, slice(12, 24)), (slice(12, 24), FINE, slice(12))):
        levels = streams.quantise(encoding, SPLIT.take(pictures))
        places = np.arange(24)[rows]
        assert np.array_equal(frames.y[places], levels.y.numpy())
        assert np.array_equal(frames.c[places], levels.c.numpy())
        assert torch.equal(frames.steps(places), steps_of(encoding).expand(12, -1, -1))
        expected = dequantised(levels.planes(slice(None)), steps_of(encoding))
        assert torch.equal(frames.dequantised(places).y, expected.y)
        assert torch.equal(frames.dequantised(places).c, expected.c)
    assert [CLASSES[label] for label in frames.labels.tolist()] == [row.label for row in frames.rows]


def test_what_cannot_be_read_is_left_out_by_name_and_counted(folder: Path, tmp_path: Path) -> None:
    large = Sent(np.zeros((64, 64, 3), np.uint8), CLASSES[0], "large")
    foreign = Sent(np.zeros((32, 32, 3), np.uint8), "a zebra", "foreign")
    good = sent_of(SPLIT.head(4), CLASSES, ["good"])
    write_export(folder, [*good, large, foreign])
    cut, gone, *_ = files = sorted((folder / "train").rglob("good.*.jpg"))
    cut.write_bytes(cut.read_bytes()[:-40])
    gone.unlink()
    export = read(folder, tmp_path / "cache")
    assert len(export.frames) == len(files) - 2
    assert set(export.left_out) == {
        *(str(path.relative_to(folder)) for path in (cut, gone)),
        *(str(path.relative_to(folder)) for path in folder.rglob("large.1.jpg")),
        *(str(path.relative_to(folder)) for path in folder.rglob("foreign.1.jpg")),
    }
    assert sum(export.reasons.values()) == 4
    assert export.reasons["label that the net does not know"] == 1
    assert any("damaged" in reason for reason in export.reasons)


def test_they_are_decoded_once_and_again_where_a_file_has_changed(folder: Path, tmp_path: Path) -> None:
    decoded: list[int] = []

    def read_again() -> str:
        return read_export(
            folder, CLASSES, (32, 32), tmp_path / "cache", lambda done, total: decoded.append(total)
        ).digest

    first = read_again()
    calls = len(decoded)
    assert calls
    assert read_again() == first
    assert len(decoded) == calls
    file = next((folder / "train").rglob("fine.*.jpg"))
    file.write_bytes(FINE.encoder().encode(SPLIT.pixels[20], Stream.INTERCHANGE))
    assert read_again() != first
    assert len(decoded) > calls


def test_another_label_is_other_data(folder: Path, tmp_path: Path) -> None:
    before = read(folder, tmp_path / "cache").digest
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["frames"][3]["label"] = next(label for label in CLASSES if label != manifest["frames"][3]["label"])
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert read(folder, tmp_path / "cache").digest != before


def test_details_are_kept_apart_from_frames(folder: Path, tmp_path: Path) -> None:
    frames = sent_of(SPLIT.head(4), CLASSES, ["a"])
    finer = sent_of(SPLIT.head(2), CLASSES, ["a"], of_standard(90))
    for place, detail in enumerate(finer):
        detail.number += 100
        detail.more = {"kind": "detail", "of": frames[place].frame_id}
    write_export(folder, frames + finer)
    export = read(folder, tmp_path / "cache")
    assert len(export.frames) == 4
    assert [row.of for row in export.details.rows] == ["a.1", "a.2"]
    assert torch.equal(export.details.steps(np.array([0]))[0], steps_of(of_standard(90)))


def test_an_export_of_which_nothing_can_be_read_is_refused(tmp_path: Path) -> None:
    folder = write_export(tmp_path / "export", [Sent(np.zeros((32, 32, 3), np.uint8), "a zebra")])
    with pytest.raises(DatasetError, match="label that the net does not know"):
        read(folder, tmp_path / "cache")


def test_only_a_few_decoded_exports_are_kept(folder: Path, tmp_path: Path) -> None:
    for quality in (30, 40, 50, 60, 70):
        write_export(folder, sent_of(SPLIT.head(3), CLASSES, ["a"], of_standard(quality)))
        read(folder, tmp_path / "cache")
    assert len([path for path in (tmp_path / "cache").iterdir() if path.is_dir()]) == 3
