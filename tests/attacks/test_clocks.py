"""Clocks that are wrong by decades: what has expired is not believed, and what runs goes on running."""

import json
from pathlib import Path
from typing import Any

import pytest

from harness.fault_proxy import FaultProxy
from tests.attacks.field import PATIENCE_SECONDS, Camera, Field
from tests.attacks.forger import Forger, past
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.frames import tables
from tests.system_packages import required


@pytest.fixture
def camera(field: Field, line: FaultProxy, tmp_path: Path) -> Camera:
    """A camera that runs version 1; version 2 is published."""
    camera = field.camera(tmp_path, field.family(50, 30), line)
    camera.shoot(1)
    return camera


def clock(time: str) -> dict[str, str]:
    """The environment of a program whose clock shows `time` as libfaketime has it; waits take as long as ever."""
    required("faketime")
    (library,) = Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
    return {"LD_PRELOAD": str(library), "FAKETIME": time, "DONT_FAKE_MONOTONIC": "1"}


def trust_told(line: FaultProxy) -> list[dict[str, Any]]:
    """What the camera's heartbeats told of its metadata."""
    told = [json.loads(request.body) for request in line.asked("/v1/heartbeat")]
    return [heartbeat["tuf"] for heartbeat in told if heartbeat["tuf"] is not None]


def test_a_clock_at_1970_does_not_believe_what_expired(
    field: Field, line: FaultProxy, camera: Camera, tmp_path: Path
) -> None:
    """The clock of a camera begins at 1970, and whoever holds the line tells it metadata that expired yesterday.

    It does not run their bundle, takes pictures all the while, and follows the server that tells genuine ones.
    """
    family = str(camera.status.family)
    forger = Forger(field, line, family)
    theirs = write_bundle(tmp_path / "theirs", family, 3, tables(90), seed=3)
    chain = forger.chain_with(theirs)
    chain.timestamp.expires = past(days=1)
    forger.answer_with(chain.signed(forger.keys))
    forger.assign(theirs.target_path)
    before = forger.asked_for_metadata()
    with camera.running(env=clock("@1970-01-02 00:00:00")) as program:
        line.until(lambda: forger.asked_for_metadata() > before)
        during = len(field.answered(camera))
        program.wait_for(lambda: len(field.answered(camera)) >= during + 10, PATIENCE_SECONDS, "frames meanwhile")
        assert camera.status.active_bundle == f"{family}/1"
        forger.stop()
        field.publish(family, 4, 20)
        field.publish(family, 5, 40)
        field.harness.assign(family, 5)
        program.wait_for(lambda: "v5" in field.answered(camera).values(), PATIENCE_SECONDS, "frames of version 5")
    assert set(field.answered(camera).values()) == {"v1", "v5"}


def test_a_clock_twenty_years_ahead_runs_what_it_runs_and_says_so(
    field: Field, line: FaultProxy, camera: Camera
) -> None:
    """The clock of a camera jumps twenty years ahead, so that everything has expired for it, and a bundle is assigned.

    It goes on with the tables that it has, says that its metadata are stale, and catches up once its clock is right.
    """
    family = str(camera.status.family)
    field.harness.assign(family, 2)
    with camera.running(env=clock("+20y")) as program:
        program.wait_for(lambda: len(field.answered(camera)) >= 20, PATIENCE_SECONDS, "frames meanwhile")
        program.wait_for(lambda: bool(trust_told(line)), PATIENCE_SECONDS, "heartbeat")
        assert trust_told(line)[-1]["is_stale"]
        assert camera.status.active_bundle == f"{family}/1"
    with camera.running() as program:
        program.wait_for(lambda: "v2" in field.answered(camera).values(), PATIENCE_SECONDS, "frames of version 2")


@pytest.mark.system
def test_frozen_metadata_are_noticed_and_told(field: Field, line: FaultProxy, camera: Camera) -> None:
    """Whoever holds the line tells a camera the same metadata for nine days.

    Frames go on, and the camera's heartbeat says that what it knows is stale.
    """
    forger = Forger(field, line, str(camera.status.family))
    forger.answer_with(forger.files_now())
    with camera.running(env=clock("+9d")) as program:
        program.wait_for(lambda: len(field.answered(camera)) >= 20, PATIENCE_SECONDS, "frames meanwhile")
        program.wait_for(lambda: bool(trust_told(line)), PATIENCE_SECONDS, "heartbeat")
        assert trust_told(line)[-1]["is_stale"]
