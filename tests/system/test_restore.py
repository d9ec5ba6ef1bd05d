"""A server is restored from a backup that is older than its fleet; the fleet converges, and nobody touches a camera."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import cast

import pytest

from harness import commands
from harness.processes import Running, run
from tests.system.harness import FAMILY, WAIT_SECONDS, SystemHarness

PICTURES = 60
CONVERGED_SECONDS = 240.0
"""A camera that is refused waits a minute before it shows its voucher, and longer each time that this fails."""


@pytest.fixture
def harness(tmp_path: Path) -> SystemHarness:
    harness = SystemHarness(tmp_path)
    harness.draw_pictures(PICTURES)
    return harness


def as_operator(harness: SystemHarness, *words: str) -> str:
    return run(("dctwire", *words), log=harness.log("operator"), env=harness.environment)


def assign(harness: SystemHarness, counter: int) -> int:
    """Assign a bundle; the number."""
    return int(json.loads(as_operator(harness, "assign", FAMILY, str(counter), "--json"))["seq"])


def counted(harness: SystemHarness, state: Path, name: str) -> int:
    return cast("dict[str, int]", harness.status(state)["counters"])[name]


def answered(data: Path) -> set[tuple[str, int]]:
    """Device and number of every frame that a server's database has an answer of."""
    with closing(sqlite3.connect(data / "dctwire.sqlite3")) as database:
        query = "SELECT public_id, sequence FROM results JOIN devices ON devices.id = results.device_id"
        return set(database.execute(query))


def restore(harness: SystemHarness, backup: Path) -> Path:
    """Restore the backup to a folder of its own, which the harness serves from then on; the earlier folder."""
    earlier, harness.data = harness.data, harness.folder / "restored"
    run(("dctwire-server", "restore", str(backup), "--data", str(harness.data)), log=harness.log("restore"))
    return earlier


def wait_for_bundle(harness: SystemHarness, camera: Running, state: Path, counter: int, seq: int) -> None:
    def runs_it() -> bool:
        status = harness.status(state)
        return (status["active_bundle"], status["assignment_seq"]) == (f"{FAMILY}/{counter}", seq)

    camera.wait_for(runs_it, CONVERGED_SECONDS, f"camera that runs {FAMILY}/{counter} by assignment {seq}")


def wait_for_answers(harness: SystemHarness, camera: Running, state: Path, more: int) -> None:
    wanted = counted(harness, state, "acknowledged") + more
    camera.wait_for(
        lambda: counted(harness, state, "acknowledged") >= wanted, CONVERGED_SECONDS, f"{more} answers more"
    )


def require_nothing_lost(harness: SystemHarness, state: Path, databases: tuple[Path, ...]) -> None:
    """What waits is sent; then every frame that was ever captured has an answer, in one of the databases."""
    with harness.camera(state, "--count", "1", "--exit-when-drained") as camera:
        camera.wait(WAIT_SECONDS)
    status = harness.status(state)
    counters = cast("dict[str, int]", status["counters"])
    assert (status["spooled_frames"], status["dead_letters"]) == (0, 0)
    assert counters["captured"] == counters["acknowledged"]
    known = {sequence for data in databases for device, sequence in answered(data) if device == status["device_id"]}
    assert len(known) == counters["captured"]


def back_up(harness: SystemHarness) -> Path:
    out = harness.folder / "backup"
    command = ("dctwire-server", "backup", "--data", str(harness.data), "--with-keys", str(out))
    run(command, log=harness.log("backup"))
    return out


def test_a_fleet_that_is_ahead_of_a_restored_server_converges(harness: SystemHarness) -> None:
    """After the backup: a bundle, assignments of it, answered frames, and a camera that the backup does not know."""
    with harness.server() as server:
        harness.publish(1, quality=50)
        before = assign(harness, 1)
        known = harness.enrol("known")
        with harness.camera(known, rate=20) as first:
            wait_for_answers(harness, first, known, 20)
            backup = back_up(harness)
            harness.publish(2, quality=20)
            given = [assign(harness, counter) for counter in (1, 2, 1, 2)]
            unknown = harness.enrol("unknown")
            with harness.camera(unknown, rate=20) as second:
                cameras = ((first, known), (second, unknown))
                for camera, state in cameras:
                    wait_for_bundle(harness, camera, state, 2, max(given))
                    wait_for_answers(harness, camera, state, 20)
                server.kill()
                earlier = restore(harness, backup)
                with harness.server():
                    converge(harness, cameras, above=max(before, *given))
                    for camera, _ in cameras:
                        camera.stop()
                    for _, state in cameras:
                        require_nothing_lost(harness, state, (earlier, harness.data))


def converge(harness: SystemHarness, cameras: tuple[tuple[Running, Path], ...], above: int) -> None:
    """Every camera is answered; the operator publishes the same folder again, and every camera runs it."""
    for camera, state in cameras:
        wait_for_answers(harness, camera, state, 20)
    words = commands.publish(harness.folder / "v2", harness.keys, assign=True)[1:]
    seq = json.loads(as_operator(harness, *words))["assignment"]["seq"]
    assert seq > above, "no number that was given after the backup is given again"
    for camera, state in cameras:
        wait_for_bundle(harness, camera, state, 2, seq)
        wait_for_answers(harness, camera, state, 20)
    assert harness.measured("v2").frames > 0
