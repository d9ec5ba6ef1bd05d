"""A data folder is copied beside its running server, and laid out again: whole, or not at all."""

import json
import shutil
import sqlite3
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cloud_server.command import cli
from cloud_server.storage.backup import NOTE, last_backup_at
from tests.cloud_server.harness.devices import Device, joining
from tests.cloud_server.harness.feedback import KEEP_ALL, answered, jpeg_of, kept
from tests.cloud_server.harness.frames import frame, tables
from tests.cloud_server.harness.server import server_in_thread


def command(*words: object) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words])


@pytest.fixture(scope="module")
def backed_up(tmp_path_factory: pytest.TempPathFactory, bundle_folders: dict[int, Path]) -> Path:
    """The folder `backup`, made with keys, of a small server's folder `data`."""
    folder = tmp_path_factory.mktemp("backed-up")
    with server_in_thread(folder, **KEEP_ALL) as harness:
        harness.publish(bundle_folders[1])
        harness.assign("digits", 1)
        kept(harness, answered(harness.enrol("digits"))["id"])
        made = command("backup", folder / "backup", "--data", folder / "data", "--with-keys")
    assert (made.exit_code, made.output) == (
        0,
        f"{folder / 'backup'} holds the database, 3 blobs, 1 frames, the online keys.\n",
    )
    return folder


def test_a_folder_tells_when_it_was_backed_up(backed_up: Path) -> None:
    made_at = json.loads((backed_up / "backup" / "backup.json").read_text())["made_at"]
    assert last_backup_at(backed_up / "data") == made_at
    assert last_backup_at(backed_up / "backup") is None


@pytest.mark.parametrize("noted", ["", "{}", "[1]", '{"made_at": "soon"}', '{"made_at": null}'])
def test_a_note_of_a_backup_that_cannot_be_read_counts_as_none(tmp_path: Path, noted: str) -> None:
    (tmp_path / NOTE).write_text(noted)
    assert last_backup_at(tmp_path) is None


def test_a_backup_that_is_made_while_frames_are_answered_has_every_answer_from_before(
    tmp_path: Path, bundle_folders: dict[int, Path]
) -> None:
    with server_in_thread(tmp_path, **KEEP_ALL) as harness:
        harness.publish(bundle_folders[1])
        harness.assign("digits", 1)
        device = harness.enrol("digits")
        before = [answered(device, seed) for seed in range(20)]
        sample = kept(harness, before[0]["id"])
        file = jpeg_of(harness, sample["frame_id"]).content
        with ThreadPoolExecutor(1) as thread:
            flowing = thread.submit(lambda: [answered(device, seed)["id"] for seed in range(200)])
            made = command("backup", tmp_path / "backup", "--data", harness.data, "--with-keys")
            assert made.exit_code == 0, made.output
            flowing.result()
    assert command("restore", tmp_path / "backup", "--data", tmp_path / "again" / "data").exit_code == 0
    with server_in_thread(tmp_path / "again") as harness:
        harness.first_data = tmp_path / "data"  # where the operator's token is: it goes on being taken
        http = harness.client("device", headers={"authorization": f"Bearer {device.token}"})
        again = Device(http, device.device_id, device.token, device.family)
        for sequence, answer in enumerate(before):
            assert again.post(frame(tables(50), sequence), sequence).json() == answer
        assert again.http.get("/v1/assignment").json()["counter"] == 1
        assert jpeg_of(harness, sample["frame_id"]).content == file


def test_only_the_owner_reads_a_backup_and_what_is_restored_from_it(backed_up: Path, tmp_path: Path) -> None:
    (tmp_path / "data.restoring").mkdir()
    (tmp_path / "data.restoring" / "left-over").write_text("of a restore that was killed")
    assert command("restore", backed_up / "backup", "--data", tmp_path / "data").exit_code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["data"] and not (tmp_path / "data" / "left-over").exists()
    for folder in (backed_up / "backup", tmp_path / "data"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        keys = list((folder / "keys").iterdir())
        assert len(keys) >= 4 and {stat.S_IMODE(key.stat().st_mode) for key in keys} == {0o600}


def test_keys_are_copied_only_where_that_is_said(backed_up: Path, tmp_path: Path) -> None:
    made = command("backup", tmp_path / "backup", "--data", backed_up / "data")
    assert made.exit_code == 0 and f"keep {backed_up / 'data' / 'keys'} apart, or say --with-keys" in made.output
    assert not (tmp_path / "backup" / "keys").exists()
    restored = command("restore", tmp_path / "backup", "--data", tmp_path / "data")
    assert f"copy the server's folder of them to {tmp_path / 'data' / 'keys'}" in restored.output
    shutil.copytree(backed_up / "data" / "keys", tmp_path / "data" / "keys")
    with server_in_thread(tmp_path) as harness:
        harness.first_data = backed_up / "data"
        assert harness.client("operator").get("/v1/bundles").json()["bundles"][0]["name"] == "digits/1"


def test_folders_that_hold_something_are_left_alone(backed_up: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").write_text("mine")
    for words in (
        ("backup", tmp_path / "taken", "--data", backed_up / "data"),
        ("restore", backed_up / "backup", "--data", tmp_path / "taken"),
    ):
        refused = command(*words)
        assert refused.exit_code == 2 and "taken is not empty; name a new folder" in refused.output
    assert [path.name for path in (tmp_path / "taken").iterdir()] == ["file"]


def test_what_is_not_a_server_s_folder_cannot_be_backed_up(tmp_path: Path) -> None:
    refused = command("backup", tmp_path / "backup", "--data", tmp_path / "nothing")
    assert refused.exit_code == 2 and "no server has been started on this folder" in refused.output


def first_blob(backup: Path) -> Path:
    return next((backup / "blobs").glob("??/*"))


def change_database(backup: Path) -> None:
    with closing(sqlite3.connect(backup / "dctwire.sqlite3")) as database, database:
        database.execute("DELETE FROM assignments")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda backup: (backup / "backup.json").unlink(), "it has no backup.json"),
        (lambda backup: (backup / "backup.json").write_text("{}"), "is not a backup's list"),
        (lambda backup: first_blob(backup).write_bytes(b"other"), "is damaged"),
        (lambda backup: first_blob(backup).unlink(), "has 2 files, 3 were backed up"),
        (change_database, "dctwire.sqlite3 is damaged"),
        (lambda backup: (backup / "keys" / "timestamp.pem").write_bytes(b"other"), "timestamp.pem is damaged"),
        (lambda backup: (backup / "keys" / "timestamp.pem").unlink(), "No such file"),
    ],
)
def test_a_backup_that_is_not_whole_restores_nothing(
    backed_up: Path, tmp_path: Path, damage: Callable[[Path], object], said: str
) -> None:
    shutil.copytree(backed_up / "backup", tmp_path / "backup")
    damage(tmp_path / "backup")
    refused = command("restore", tmp_path / "backup", "--data", tmp_path / "data")
    assert refused.exit_code == 2 and said in refused.output, refused.output
    assert [path.name for path in tmp_path.iterdir()] == ["backup"]


def test_a_damaged_blob_is_named_when_it_is_backed_up(backed_up: Path, tmp_path: Path) -> None:
    shutil.copytree(backed_up / "data", tmp_path / "data")
    blob = first_blob(tmp_path / "data")
    blob.write_bytes(b"other")
    refused = command("backup", tmp_path / "backup", "--data", tmp_path / "data")
    assert refused.exit_code == 2 and f"{blob} is damaged" in refused.output
    assert not (tmp_path / "backup" / "backup.json").exists()


def test_claim_codes_that_were_unused_at_the_backup_are_void(bundle_folders: dict[int, Path], tmp_path: Path) -> None:
    with server_in_thread(tmp_path) as harness:
        harness.publish(bundle_folders[1])
        code = harness.client("operator").post("/v1/claims", json={"family": "digits"}).json()["claim_code"]
        command("backup", tmp_path / "backup", "--data", harness.data, "--with-keys")
    told = command("restore", tmp_path / "backup", "--data", tmp_path / "again" / "data")
    assert "are void" in told.output
    with server_in_thread(tmp_path / "again") as harness:
        assert harness.client("device").post("/v1/devices", json=joining(code)).status_code == 401
