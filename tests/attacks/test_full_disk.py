"""A full disk: a camera waits for room at whatever step it met it, and goes on from there."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from harness.fault_proxy import FaultProxy
from harness.processes import Running
from tests.attacks.field import PATIENCE_SECONDS, Camera, Field

pytestmark = pytest.mark.system
DISK_KIB = 16 * 1024
ROOM_KIB = (0, 4, 8, 12, 16, 24, 32, 64)
"""What is left on the disk: a file more fits, two more, and so on, so that each step of an update meets its end."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system of its own."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_KIB}k", "tmpfs", disk], check=False)
    if mounted.returncode != 0:
        pytest.skip("needs the right to mount a file system")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


@contextlib.contextmanager
def full_but_for(disk: Path, room_kib: int) -> Iterator[None]:
    """Fill a disk up to so much room, and empty it again."""
    there = os.statvfs(disk)
    filler = disk / "filler"
    with contextlib.suppress(OSError):  # the camera writes, too, and may be first
        filler.write_bytes(bytes(max(0, there.f_bavail * there.f_frsize - room_kib * 1024)))
    try:
        yield
    finally:
        filler.unlink()


def camera_on(disk: Path, field: Field, family: str, line: FaultProxy) -> Camera:
    """A camera whose state is on the small disk, and whose log is not."""
    return replace(field.camera(disk, family, line), log=disk.with_name("camera.log"))


def runs(field: Field, camera: Camera, counter: int, program: Running) -> None:
    """Wait for new frames that were answered with a bundle's tables."""
    before = with_tables(field, camera, counter)
    more = lambda: with_tables(field, camera, counter) > before  # noqa: E731
    program.wait_for(more, PATIENCE_SECONDS, f"frames of version {counter}")


def with_tables(field: Field, camera: Camera, counter: int) -> int:
    """How many frames were answered with a bundle's tables."""
    return list(field.answered(camera).values()).count(f"v{counter}")


@pytest.mark.timeout(900)
def test_the_disk_is_full_at_each_step_of_an_update(field: Field, line: FaultProxy, disk: Path) -> None:
    """Something else fills a camera's disk, up to less and less room, each time when another bundle is assigned.

    The camera never ends; once there is room it runs what is assigned, and every frame that it took is delivered.
    """
    family = field.family(50, 30)
    camera = camera_on(disk, field, family, line)
    with camera.running() as program:
        runs(field, camera, 1, program)
        for step, room_kib in enumerate(ROOM_KIB):
            counter = 2 - step % 2
            with full_but_for(disk, room_kib):
                asked = len(line.asked("/v1/assignment"))
                field.harness.assign(family, counter)
                line.until(lambda asked=asked: len(line.asked("/v1/assignment")) > asked, PATIENCE_SECONDS)  # type: ignore[misc]
            runs(field, camera, counter, program)
    camera.shoot(1)
    field.require_nothing_lost(camera)
    assert len(line.asked("/v1/assignments")) <= 3 * len(ROOM_KIB) + 3, "each outcome is told once"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("room_kib", [0, 8, 64])
def test_a_camera_starts_on_a_full_disk(field: Field, line: FaultProxy, disk: Path, room_kib: int) -> None:
    """Something else has filled a camera's disk while it was off, and another bundle is assigned.

    It starts, waits for room, and then takes pictures and runs what is assigned.
    """
    family = field.family(50, 30)
    camera = camera_on(disk, field, family, line)
    with camera.running() as program:
        runs(field, camera, 1, program)
    camera.shoot(1)
    field.harness.assign(family, 2)
    with contextlib.ExitStack() as full:
        full.enter_context(full_but_for(disk, room_kib))
        with camera.running() as program:
            program.wait_for(lambda: tells_of_the_disk(camera), PATIENCE_SECONDS, "a word about the disk")
            full.close()
            runs(field, camera, 2, program)


@pytest.mark.timeout(300)
def test_a_camera_that_waits_for_room_can_be_stopped(field: Field, line: FaultProxy, disk: Path) -> None:
    """A camera is switched off while it still waits for room to start: it ends at once, and in order."""
    camera = camera_on(disk, field, field.family(50), line)
    with full_but_for(disk, 0), camera.running() as program:
        program.wait_for(lambda: tells_of_the_disk(camera), PATIENCE_SECONDS, "a word about the disk")


def tells_of_the_disk(camera: Camera) -> bool:
    """Whether the camera has said that something could not be written."""
    told = {"start-put-off", "spool-not-written", "update-postponed", "start-not-counted"}
    return any(event["event"] in told for event in camera.events)
