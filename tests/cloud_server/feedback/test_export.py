"""`dctwire samples`, typed as an operator types it, and the tree that the trainer reads."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import delete, select
from typer.testing import CliRunner, Result

from cloud_server.cli.app import app
from cloud_server.cli.sample_export import CAUSES
from cloud_server.storage.schema import devices, samples
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
    assert done["splits"] == {"train": 10, "test": 2, "waiting": 0, "details": 0}
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
    assert not list(stopped.rglob(".*.partial"))
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
    assert done["left_out"] == dict.fromkeys(CAUSES, 0) | {"fallback": 1, "foreign": 2}
    assert other["id"] not in manifest(tmp_path / "out")
    done = asked(harness, "export", "digits", tmp_path / "out", "--with-fallback", "--with-foreign")
    assert done["left_out"] == dict.fromkeys(CAUSES, 0)
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


def detail_of(harness: ServerHarness, device: Device, frame_id: str, seed: int, quality: int = 90) -> str:
    """The id of a detail of a frame, once it is kept."""
    of = frame_id.partition(".")[2]
    headers = {"dw-kind": "detail", "dw-companion-of": of}
    answer = device.post(frame(tables(quality), seed, Stream.INTERCHANGE), headers=headers)
    assert answer.status_code == 200, answer.text
    found = str(answer.json()["id"])
    kept(harness, found)
    return found


def test_details_go_along_where_they_are_asked_for_with_their_frames_labels(
    field: tuple[ServerHarness, Device, list[str]], tmp_path: Path
) -> None:
    harness, device, ids = field
    asked(harness, "export", "digits", tmp_path / "out")
    of = {detail_of(harness, device, frame_id, seed): frame_id for seed, frame_id in enumerate(ids)}
    assert asked(harness, "export", "digits", tmp_path / "out")["splits"]["details"] == 0
    assert asked(harness, "export", "digits", tmp_path / "out", "--with-fallback")["frames"] == FRAMES

    done = asked(harness, "export", "digits", tmp_path / "out", "--details")

    assert (done["frames"], done["fetched"], done["splits"]["details"]) == (FRAMES, 10, 10)
    assert done["left_out"] == dict.fromkeys(CAUSES, 0) | {"measured": 2}
    rows = manifest(tmp_path / "out")
    details = {frame_id: row for frame_id, row in rows.items() if row["kind"] == "detail"}
    assert {row["of"] for row in details.values()} == {
        frame_id for frame_id in ids if rows[frame_id]["file"].startswith("train/")
    }
    for frame_id, row in details.items():
        parent = rows[of[frame_id]]
        assert (row["of"], row["label"], row["quality"]) == (parent["frame_id"], parent["label"], 90)
        assert row["file"] == f"details/{row['label']}/{frame_id}.jpg"
        whole = frame(tables(90), ids.index(row["of"]), Stream.INTERCHANGE)
        assert Decoder().decode((tmp_path / "out" / row["file"]).read_bytes()) == Decoder().decode(whole)

    review(harness, of[next(iter(details))], "two")
    again = asked(harness, "export", "digits", tmp_path / "out", "--details")
    assert again["fetched"] == 0
    moved = manifest(tmp_path / "out")[next(iter(details))]
    assert (moved["label"], moved["quality"]) == ("two", 90)
    assert set(tree(tmp_path / "out")) == {row["file"] for row in manifest(tmp_path / "out").values()}
    assert asked(harness, "export", "digits", tmp_path / "out")["splits"]["details"] == 0
    assert not (tmp_path / "out" / "details" / "two").exists()


def test_an_export_of_details_that_was_stopped_tells_their_quality_the_next_time(
    field: tuple[ServerHarness, Device, list[str]], tmp_path: Path
) -> None:
    harness, device, ids = field
    detail = detail_of(harness, device, ids[0], 0, quality=80)
    asked(harness, "export", "digits", tmp_path / "out", "--details")
    document = json.loads((tmp_path / "out" / "manifest.json").read_bytes())
    for row in document["frames"]:
        row["quality"] = None
    (tmp_path / "out" / "manifest.json").write_text(json.dumps(document))
    asked(harness, "export", "digits", tmp_path / "out", "--details")
    assert manifest(tmp_path / "out")[detail]["quality"] == 80


def test_what_a_forgotten_device_left_goes_and_what_has_expired_stays(
    field: tuple[ServerHarness, Device, list[str]], tmp_path: Path
) -> None:
    harness, device, ids = field
    other = harness.enrol("digits")
    expired = [str(answered(other, 50 + seed)["id"]) for seed in range(2)]
    for frame_id in expired:
        kept(harness, frame_id)
        put_label(other, frame_id, "zero", "human")
    detail_of(harness, device, ids[0], 0)
    asked(harness, "export", "digits", tmp_path / "out", "--details")
    with harness.database() as database:
        row = database.execute(select(devices.c.id).where(devices.c.public_id == other.device_id)).scalar_one()
        database.execute(delete(samples).where(samples.c.device_id == row))
    assert harness.client("operator").delete(f"/v1/devices/{device.device_id}").status_code == 202

    done = asked(harness, "export", "digits", tmp_path / "out", "--details")

    assert done["left_out"]["forgotten"] == FRAMES + 1
    assert set(manifest(tmp_path / "out")) == set(expired)
    assert set(tree(tmp_path / "out")) == {row["file"] for row in manifest(tmp_path / "out").values()}
    assert device.device_id not in (tmp_path / "out" / "manifest.json").read_text()
    assert asked(harness, "set-aside", "digits") == {"devices": [{"device_id": device.device_id, "why": "forgotten"}]}


@pytest.mark.parametrize(("mark", "why"), [("quarantine", "quarantined"), ("revocation", "revoked")])
def test_nothing_is_learned_from_a_device_that_is_set_aside_unless_it_is_asked_for(
    field: tuple[ServerHarness, Device, list[str]], tmp_path: Path, mark: str, why: str
) -> None:
    harness, device, _ = field
    asked(harness, "export", "digits", tmp_path / "out", "--test-share", "0.5")
    before = {frame_id: row["file"] for frame_id, row in manifest(tmp_path / "out").items()}
    operator, path = harness.client("operator"), f"/v1/devices/{device.device_id}/{mark}"
    operator.put(path, json={"reason": "odd"})

    done = asked(harness, "export", "digits", tmp_path / "out")

    assert (done["frames"], done["left_out"][why], tree(tmp_path / "out")) == (0, FRAMES, {})
    assert why in typed(harness, "set-aside", "digits").stdout
    assert asked(harness, "export", "digits", tmp_path / "new", f"--with-{why}")["frames"] == FRAMES
    operator.delete(path)
    assert asked(harness, "export", "digits", tmp_path / "out")["frames"] == FRAMES
    assert {frame_id: row["file"] for frame_id, row in manifest(tmp_path / "out").items()} == before, (
        "what was measured on is measured on again"
    )


def test_the_manifest_tells_whose_word_a_label_is_and_when_the_frame_came(
    field: tuple[ServerHarness, Device, list[str]], tmp_path: Path
) -> None:
    harness, device, ids = field
    put_label(device, ids[0], "one", "audit")  # a device may call it what it likes
    review(harness, ids[1], "one", "human")
    review(harness, ids[2], "zero", "audit")
    asked(harness, "export", "digits", tmp_path / "out")
    rows = manifest(tmp_path / "out")
    said = [(rows[name]["source"], rows[name]["reviewed"], rows[name]["audit"]) for name in ids[:4]]
    assert said == [("audit", False, False), ("human", True, False), ("audit", True, True), ("human", False, False)]
    for name in ids:
        assert 0 <= rows[name]["stored_at"] - rows[name]["received_at"] < 60
        assert (rows[name]["kind"], rows[name]["of"]) == ("frame", None)


def test_a_folder_of_an_earlier_version_goes_on(field: tuple[ServerHarness, Device, list[str]], tmp_path: Path) -> None:
    harness, _, ids = field
    asked(harness, "export", "digits", tmp_path / "out")
    document = json.loads((tmp_path / "out" / "manifest.json").read_bytes())
    del document["set_aside"]
    for row in document["frames"]:
        for name in ("kind", "of", "quality", "received_at", "reviewed", "audit"):
            del row[name]
    (tmp_path / "out" / "manifest.json").write_text(json.dumps(document))
    assert asked(harness, "export", "digits", tmp_path / "out")["fetched"] == 0
    assert set(manifest(tmp_path / "out")) == set(ids)


def test_a_server_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["samples", "list", "--server", "http://127.0.0.1:9"])
    assert result.exit_code == 1
    assert "dctwire-server run" in result.stderr


def test_every_command_explains_itself() -> None:
    for command in ("list", "get", "label", "export", "set-aside"):
        result = CliRunner().invoke(app, ["samples", command, "--help"])
        assert result.exit_code == 0
        assert "--json" in result.stdout
