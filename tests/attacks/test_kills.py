"""SIGKILL of real cameras at any moment of their updates."""

import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sensor_client.ota import Slots
from tests.attacks.field import PATIENCE_SECONDS, Field
from tests.sensor_client.program import start_sensor

KILLS = 200


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    field = Field(tmp_path_factory.mktemp("field"))
    yield field
    field.close()


@pytest.mark.system
@pytest.mark.timeout(2400)
def test_a_camera_that_is_killed_at_any_moment_of_its_updates_always_has_a_whole_bundle_and_gets_there(
    field: Field, tmp_path: Path
) -> None:
    chance = random.Random(14)
    family = field.family(30, 50)
    with field.line() as line:
        camera = field.camera(tmp_path, family, line)
        with camera.running() as program:
            program.wait_for(lambda: bool(field.answered(camera)), PATIENCE_SECONDS, "first frame")
        for _ in range(KILLS):
            before = Slots(camera.state / "bundles").active()
            field.harness.assign(family, chance.choice((1, 2)))
            kill_after(camera.state, camera.pictures, chance.uniform(0.4, 2.0))
            after = Slots(camera.state / "bundles").active()
            assert before is not None and after is not None and after.name in (f"{family}/1", f"{family}/2")
        field.publish(family, 9, 70)
        field.harness.assign(family, 9)
        with camera.running() as program:
            is_there = lambda: "v9" in field.answered(camera).values()  # noqa: E731
            program.wait_for(is_there, PATIENCE_SECONDS, "frame with the last bundle")


def kill_after(state: Path, pictures: Path, seconds: float) -> None:
    """Let the program run for so long, and end it without another word."""
    process = start_sensor("run", "--state", state, "--source", pictures, "--rate", "20", "--log-level", "error")
    try:
        process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate(timeout=30)
    else:
        raise AssertionError("it ended by itself")
