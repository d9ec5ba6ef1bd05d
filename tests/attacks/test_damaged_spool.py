"""A camera whose spool is damaged, and a real server: it goes on, nothing is overwritten, what can be read arrives."""

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from harness.fault_proxy import FaultProxy
from harness.faults import AnswerItself, ProxiedReply
from sensor_client.app import app
from sensor_client.state_directory import StateDirectory
from tests.attacks.damages import emptied, made_a_directory, scribbled
from tests.attacks.field import PATIENCE_SECONDS, Camera, Field, stories

WAITING = 20


@pytest.fixture
def camera(field: Field, line: FaultProxy, tmp_path: Path) -> Camera:
    """A camera that has delivered five frames, and of which more wait."""
    camera = field.camera(tmp_path, field.family(50), line)
    camera.shoot(5)
    rule = line.add("/v1/frames", AnswerItself(lambda request: ProxiedReply(503)))
    with camera.running() as program:
        waits = lambda: camera.status.spooled_frames >= WAITING  # noqa: E731
        program.wait_for(waits, PATIENCE_SECONDS, "frames that wait")
    del rule
    line.remove()
    return camera


def header(path: Path) -> None:
    """The first hundred bytes."""
    with path.open("r+b") as file:
        file.write(Random(1).randbytes(100))


def half(path: Path) -> None:
    """The second half is gone."""
    os.truncate(path, path.stat().st_size // 2)


def pages(path: Path) -> None:
    """Every fourth page."""
    with path.open("r+b") as file:
        for page in range(3, path.stat().st_size // 4096, 4):
            file.seek(page * 4096)
            file.write(Random(page).randbytes(4096))


def text(path: Path) -> None:
    """Somebody's text file."""
    path.write_text("not a spool\n" * 1000)


DAMAGES: dict[str, Callable[[Path], None]] = {
    "header": header,
    "half": half,
    "pages": pages,
    "text": text,
    "zero bytes": emptied,
    "a directory": made_a_directory,
    "noise": scribbled,
}


@pytest.mark.parametrize("batch", [8])
@pytest.mark.parametrize("story", stories(DAMAGES, "header", "pages"))
def test_the_spool_is_damaged_while_the_camera_is_off(field: Field, camera: Camera, story: str, batch: int) -> None:
    """It starts, sends what can be read under its own numbers, and takes pictures whose numbers were never given."""
    before = field.answered(camera)
    waiting = camera.status.spooled_frames
    given = 5 + waiting
    DAMAGES[story](StateDirectory(camera.state).spool_file)

    camera.shoot(3, "--batch", batch)

    after, status = field.answered(camera), camera.status
    assert before.items() <= after.items()
    new = after.keys() - before.keys()
    assert len([number for number in new if number > given]) == 3
    assert len(new) - 3 <= waiting
    if story == "header":
        assert len(new) == waiting + 3
    assert (status.spooled_frames, status.dead_letters) == (0, 0)
    counters = status.counters
    assert counters["encoded"] == counters["acknowledged"] + counters["dropped"]
    camera.shoot(2)


def test_a_state_restored_from_an_old_copy_loses_no_new_frame(field: Field, line: FaultProxy, tmp_path: Path) -> None:
    """A card's image from before 40 frames is put back: its new frames get numbers that no other frame has."""
    camera = field.camera(tmp_path, field.family(50), line)
    camera.shoot(5)
    image = tmp_path / "image"
    shutil.copytree(camera.state, image, symlinks=True)
    camera.shoot(40, "--batch", 8)
    before = field.answered(camera)
    shutil.rmtree(camera.state)
    shutil.copytree(image, camera.state, symlinks=True)

    elsewhere = replace(camera, pictures=camera.pictures / "B")  # no camera takes the same picture twice
    elsewhere.shoot(7, "--batch", 8)

    after = field.answered(camera)
    assert before.items() <= after.items()
    assert len(after) == len(before) + 7
    assert camera.status.counters["renumbered"] > 0


def test_one_frames_body_is_rotten_and_all_others_of_its_batch_are_delivered(field: Field, camera: Camera) -> None:
    """An earlier program stored it, without a checksum: the server refuses it alone, and it is kept, too."""
    spool = StateDirectory(camera.state).spool_file
    with contextlib.closing(sqlite3.connect(spool)) as connection:
        connection.execute("UPDATE frames SET body = randomblob(length(body)), body_crc = NULL WHERE sequence = 9")
        connection.commit()

    camera.shoot(3, "--batch", 8)

    status = camera.status
    assert (status.spooled_frames, status.dead_letters) == (0, 1)
    assert field.answered(camera).keys() == set(range(1, status.counters["encoded"] + 1)) - {9}


def test_who_it_is_cannot_be_read_and_enrolling_again_finds_the_spool_as_it_was(field: Field, camera: Camera) -> None:
    """Both copies of the identity are empty: the camera says what to do, and nothing that waits is lost by that."""
    device_id, waiting = camera.device_id, camera.status.spooled_frames
    state = StateDirectory(camera.state)
    identity = state.identity()
    assert identity is not None and identity.claim_code is not None
    for name in ("identity.json", "identity-copy.json"):
        (camera.state / name).write_bytes(b"")

    ended = camera.attempt(1)
    assert ended.returncode == 3 and "enrol again" in ended.stderr
    assert camera.status.spooled_frames == waiting

    root = field.harness.keys / "root.json"
    enrol = ("enrol", "--server", identity.server_url, "--claim", identity.claim_code, "--state", str(state.path))
    app((*enrol, "--root", str(root)), standalone_mode=False)
    camera.shoot(1)
    assert camera.device_id == device_id
    field.require_nothing_lost(camera)


def test_whom_it_trusts_is_gone_and_it_goes_on_taking_pictures(field: Field, camera: Camera) -> None:
    """Both copies of root.json are gone: the log says what to put there; frames are taken and delivered."""
    for name in ("root.json", "root-copy.json"):
        (camera.state / name).unlink()
    logged = camera.shoot(3)
    assert any(event["event"] == "root-lost" and "root.json" in event["reason"] for event in logged)
    field.require_nothing_lost(camera)
