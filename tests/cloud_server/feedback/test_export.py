"""`dctwire samples`, typed as an operator types it, and the tree that the trainer reads."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from cloud_server.cli.app import app
from shared.jpeg import Decoder, Stream
from tests.cloud_server.harness.classifiers import LABELS
from tests.cloud_server.harness.devices import Device
from tests.cloud_server.harness.engines import Engine
from tests.cloud_server.harness.feedback import KEEP_ALL, answered, kept, put_label, review
from tests.cloud_server.harness.frames import frame, picture, tables
from tests.cloud_server.harness.server import ServerHarness, server_in_thread

FRAMES = 12


@pytest.fixture
def field(
    engine: Engine, tmp_path: Path, bundle_folders: dict[int, Path]
) -> Iterator[tuple[ServerHarness, Device, list[str]]]:
    """A server of its own, a device, and the ids of its frames: all kept, labelled zero, one, zero, one, ..."""
    with server_in_thread(tmp_path / "server", engine, **KEEP_ALL) as harness:
        harness.publish(bundle_folders[1])
        device = harness.enrol("digits")
        ids = [str(answered(device, seed)["id"]) for seed in range(FRAMES)]
        for number, frame_id in enumerate(ids):
            kept(harness, frame_id)
            put_label(device, frame_id, LABELS[number % 2], "human")
        yield harness, device, ids


def typed(harness: ServerHarness, *words: str | Path) -> Result:
    """Run `dctwire samples WORDS`."""
    environment = harness.as_operator | {"COLUMNS": "200"}
    return CliRunner().invoke(app, ["samples", *(str(word) for word in words)], env=environment)


def asked(harness: ServerHarness, *words: str | Path) -> Any:
    """The same with --json."""
    result = typed(harness, *words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def tree(folder: Path) -> dict[str, bytes]:
    """Every picture of an export."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.jpg")}


def manifest(folder: Path) -> dict[str, dict[str, Any]]:
    """Its rows, by frame id."""
    rows = json.loads((folder / "manifest.json").read_bytes())["frames"]
    return {row["frame_id"]: row for row in rows}


def test_a_sample_is_listed_fetched_and_labelled(harness: ServerHarness, device: Device, tmp_path: Path) -> None:
    answer = answered(device, 5)
    kept(harness, answer["id"])
    assert asked(harness, "list", "--limit", "1")["samples"][0]["frame_id"] == answer["id"]
    assert answer["id"] in typed(harness, "list", "--family", "digits", "--unlabelled", "--since", "2020-01-01").stdout
    got = asked(harness, "get", answer["id"], "--out", tmp_path / "a.jpg")
    assert got["file"] == str(tmp_path / "a.jpg")
    assert Image.open(io.BytesIO((tmp_path / "a.jpg").read_bytes())).size == (32, 32)
    assert asked(harness, "label", answer["id"], answer["label"])["is_correct"] is True
    assert kept(harness, answer["id"])["labelled_by"] == "admin"
    assert "keeps its label" in typed(harness, "label", answer["id"], "two", "--source", "sensor").stdout
    assert "No classifier of the family knows" in typed(harness, "label", answer["id"], "purple").stdout


def test_what_is_not_there_says_where_to_look(harness: ServerHarness, tmp_path: Path) -> None:
    for words in (["get", "nobody.1"], ["label", "nobody.1", "one"], ["get", "../../v1/devices"], ["get", "%2e%2e"]):
        result = typed(harness, *words)
        assert isinstance(result.exception, SystemExit)
        assert result.exit_code == 1
        assert "dctwire samples list" in result.stderr
    assert typed(harness, "list", "--family", "Not A Family").exit_code == 1


def test_an_export_is_a_tree_with_a_folder_a_class(
    field: tuple[ServerHarness, Device, list[str]], tmp_path: Path
) -> None:
    harness, _, ids = field
    done = asked(harness, "export", "digits", tmp_path / "out")
    assert (done["frames"], done["fetched"], done["classes"]) == (FRAMES, FRAMES, 2)
    assert done["splits"] == {"train": 10, "test": 2, "waiting": 0}
    files, rows = tree(tmp_path / "out"), manifest(tmp_path / "out")
    assert set(rows) == set(ids)
    assert {row["file"] for row in rows.values()} == set(files)
    for number, frame_id in enumerate(ids):
        row = rows[frame_id]
        assert row["file"].split("/")[1:] == [LABELS[number % 2], f"{frame_id}.jpg"]
        assert (row["label"], row["source"], row["reason"]) == (LABELS[number % 2], "human", "random")
        assert (row["model"], row["match"], row["tables"]) == ("digits/1", "exact", "v1")
        assert Decoder().decode(files[row["file"]]) == Decoder(tables(50)).decode(frame(tables(50), number))
        assert np.asarray(Image.open(io.BytesIO(files[row["file"]]))).shape == picture(number).shape


def test_nothing_private_is_in_an_export(field: tuple[ServerHarness, Device, list[str]], tmp_path: Path) -> None:
    harness, device, _ = field
    asked(harness, "export", "digits", tmp_path / "out")
    for path in (tmp_path / "out").rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            for secret in (
                device.token,
                str(harness.data),
                str(tmp_path),
                harness.addresses["operator"],
                "labelled_by",
            ):
                assert secret.encode() not in content


def test_an_export_that_was_stopped_goes_on(field: tuple[ServerHarness, Device, list[str]], tmp_path: Path) -> None:
    harness, _, ids = field
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    asked(harness, "export", "digits", whole)
    asked(harness, "export", "digits", stopped)
    for number, path in enumerate(sorted(stopped.rglob("*.jpg"))):
        if number % 3:
            path.unlink()
    (stopped / "train" / "zero" / ".half.jpg.partial").write_bytes(b"half")
    done = asked(harness, "export", "digits", stopped)
    assert done["fetched"] == FRAMES * 2 // 3
    assert tree(stopped) == tree(whole)
    assert asked(harness, "export", "digits", stopped)["fetched"] == 0
    assert len(ids) == len(tree(stopped))


def test_a_frame_that_is_labelled_anew_moves(field: tuple[ServerHarness, Device, list[str]], tmp_path: Path) -> None:
    harness, _, ids = field
    asked(harness, "export", "digits", tmp_path / "out")
    review(harness, ids[0], "two")
    review(harness, ids[2], "two")
    done = asked(harness, "export", "digits", tmp_path / "out")
    assert (done["fetched"], done["classes"]) == (0, 3)
    rows = manifest(tmp_path / "out")
    assert {rows[ids[0]]["file"].split("/")[1], rows[ids[2]]["file"].split("/")[1]} == {"two"}
    assert set(tree(tmp_path / "out")) == {row["file"] for row in rows.values()}


def test_frames_of_other_tables_and_foreign_labels_go_along_only_when_asked(
    field: tuple[ServerHarness, Device, list[str]], tmp_path: Path
) -> None:
    harness, device, ids = field
    other = answered(device, data=frame(tables(80), 3, Stream.INTERCHANGE))
    kept(harness, other["id"])
    review(harness, other["id"], "zero")
    for frame_id in ids[:2]:
        review(harness, frame_id, "Zürich / HB")
    done = asked(harness, "export", "digits", tmp_path / "out")
    assert done["left_out"] == {"fallback": 1, "resized": 0, "foreign": 2, "expired": 0}
    assert other["id"] not in manifest(tmp_path / "out")
    done = asked(harness, "export", "digits", tmp_path / "out", "--with-fallback", "--with-foreign")
    assert done["left_out"] == {"fallback": 0, "resized": 0, "foreign": 0, "expired": 0}
    rows = manifest(tmp_path / "out")
    assert rows[other["id"]]["match"] == "fallback"
    folder = rows[ids[0]]["file"].split("/")[1]
    assert folder.startswith("z-rich-hb~")
    assert json.loads((tmp_path / "out" / "classes.json").read_bytes())[folder] == "Zürich / HB"


def test_a_class_of_one_frame_waits(field: tuple[ServerHarness, Device, list[str]], tmp_path: Path) -> None:
    harness, _, ids = field
    review(harness, ids[0], "two")
    done = asked(harness, "export", "digits", tmp_path / "out")
    assert (done["classes"], done["splits"]["waiting"]) == (2, 1)
    assert (tmp_path / "out" / "waiting" / "two" / f"{ids[0]}.jpg").exists()
    assert not (tmp_path / "out" / "train" / "two").exists()


def test_a_folder_that_holds_something_else_is_left_alone(harness: ServerHarness, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    result = typed(harness, "export", "digits", tmp_path / "mine")
    assert result.exit_code == 1
    assert "not empty" in result.stderr
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "manifest.json").write_text('{"family": "strangers", "frames": []}')
    assert "strangers" in typed(harness, "export", "digits", tmp_path / "theirs").stderr


def test_a_server_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["samples", "list", "--server", "http://127.0.0.1:9"])
    assert result.exit_code == 1
    assert "dctwire-server run" in result.stderr


def test_every_command_explains_itself() -> None:
    for command in ("list", "get", "label", "export"):
        result = CliRunner().invoke(app, ["samples", command, "--help"])
        assert result.exit_code == 0
        assert "--json" in result.stdout
