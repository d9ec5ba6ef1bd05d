"""The list of an export: as the server writes it, and refused by name where it is something else."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cloud_server.cli.sample_export import Entry
from tests.trainer.field.exports import STARTED, Sent, write_export
from trainer.errors import DatasetError
from trainer.field.manifest import Kind, read_manifest

GREY = np.full((32, 32, 3), 128, np.uint8)


def test_what_the_server_lists_is_read(tmp_path: Path) -> None:
    write_export(tmp_path, [Sent(GREY, "seven", "abc", 5), Sent(GREY, "Zürich / HB", "abc", 4)])
    for line in json.loads((tmp_path / "manifest.json").read_text())["frames"]:
        Entry.model_validate(line)  # the layout of the tests is the server's
    manifest = read_manifest(tmp_path)
    assert manifest.family == "gate"
    assert [(row.frame_id, row.label, row.device) for row in manifest.frames] == [
        ("abc.4", "Zürich / HB", "abc"),
        ("abc.5", "seven", "abc"),
    ]
    assert manifest.frames[0].kind is Kind.FRAME
    assert not manifest.frames[0].is_reviewed


def test_when_a_frame_was_received_counts_before_when_it_was_stored(tmp_path: Path) -> None:
    write_export(tmp_path, [Sent(GREY, "seven", more={"received_at": STARTED - 900}), Sent(GREY, "one", number=2)])
    assert [row.taken_at for row in read_manifest(tmp_path).frames] == [STARTED - 900, STARTED]


def test_a_folder_that_is_no_export_is_told_what_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="dctwire samples export"):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"file": "train/a/../../../etc/abc.1.jpg"}, "frames.0.file"),
        ({"file": "/etc/abc.1.jpg"}, "frames.0.file"),
        ({"frame_id": "no number"}, "frames.0.frame_id"),
        ({"stored_at": -1}, "frames.0.stored_at"),
        ({"kind": "painting"}, "frames.0.kind"),
    ],
)
def test_a_line_that_cannot_be_is_refused_by_its_place(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    write_export(tmp_path, [Sent(GREY, "seven", more=changes)])
    with pytest.raises(DatasetError, match=message):
        read_manifest(tmp_path)


def test_a_list_of_no_family_is_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("[]")
    with pytest.raises(DatasetError, match="is no list of an export's frames"):
        read_manifest(tmp_path)
