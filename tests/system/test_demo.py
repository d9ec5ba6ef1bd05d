"""What the demo leaves: its own leavings go and nobody else's, and each line that it tells people to type works."""

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from deploy.demo import clear, seconds_of_steps
from deploy.demo_left import keep_a_picture, leave_running, stop_left_running, tell_what_to_try
from deploy.ordinary_camera import OrdinaryCamera
from harness import commands
from harness.processes import ProgramError, Running, run
from tests.system.harness import SystemHarness

ROOT = Path(__file__).resolve().parents[2]


def test_each_step_takes_until_the_next_one_begins() -> None:
    assert seconds_of_steps([("set-up", 10.0), ("1/5", 15.0), ("2/5", 45.0)], 47.0) == [
        ("set-up", 5.0),
        ("1/5", 30.0),
        ("2/5", 2.0),
    ]


def test_a_folder_that_no_demo_made_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ProgramError, match="something else"):
        clear(tmp_path)
    assert (tmp_path / "thesis.tex").exists()


def test_what_an_earlier_demo_left_goes(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    clear(folder)
    (folder / "server.log").touch()
    clear(folder)
    assert not (folder / "server.log").exists()


def test_a_program_that_ends_with_an_error_is_not_taken_for_a_finished_one(tmp_path: Path) -> None:
    with (
        Running(
            ("dctwire-sensor", "run", "--state", str(tmp_path), "--source", str(tmp_path)), tmp_path / "log"
        ) as program,
        pytest.raises(ProgramError, match="ended with"),
    ):
        program.wait(30)


def typed(told: str, folder: Path) -> str:
    """Type every line that was told to be typed, in a shell beside the repository's environment; what it answers."""
    (folder / ".venv").symlink_to(Path(sys.executable).parents[1])
    words = ("source ", "export ", "dctwire", ".venv/bin/", "curl ")
    lines = [line.strip() for line in told.splitlines() if line.strip().startswith(words)]
    assert len(lines) >= 3, told
    done = subprocess.run(
        ["bash", "-euo", "pipefail"], input="\n".join(lines), cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_system_that_is_left_running_answers_what_people_are_told_to_type(tmp_path: Path) -> None:
    harness, out = SystemHarness(tmp_path), io.StringIO()
    harness.draw_pictures(10)
    pictures = sorted(harness.pictures.rglob("*.png"))
    with harness.server() as server:
        harness.publish(1, quality=50)
        harness.publish(2, quality=20)
        harness.enrol("camera")
        claim = json.loads(run(commands.claim(), log=harness.log("claim"), env=harness.environment))["claim_code"]
        ordinary = OrdinaryCamera(harness.device, claim, 75)
        ordinary.close()
        addresses = {"device": harness.device, "operator": harness.environment["DCTWIRE_OPERATOR_URL"]}
        keep_a_picture(pictures, tmp_path)
        camera = leave_running(tmp_path, server, {**addresses, "ops": harness.ops}, ordinary.token, Console(file=out))
        try:
            said = typed(out.getvalue(), tmp_path)
        finally:
            stopped = stop_left_running(tmp_path)
            for program in (camera, server):
                program.stop()

    assert '"label":' in said and "doorbell" in said
    assert [what.split(" (")[0] for what in stopped] == ["the server", "the camera"]
    assert stop_left_running(tmp_path) == []
    assert (tmp_path / "token").stat().st_mode & 0o777 == 0o600


def test_what_a_demo_leaves_in_its_folder_can_be_tried(tmp_path: Path) -> None:
    harness, out = SystemHarness(tmp_path), io.StringIO()
    harness.draw_pictures(2)
    keep_a_picture(sorted(harness.pictures.rglob("*.png")), tmp_path)
    with harness.server():
        harness.publish(1, quality=50)
        harness.publish(2, quality=20)

    tell_what_to_try(tmp_path, Console(file=out))
    said = typed(out.getvalue(), tmp_path)

    assert "with tables inside" in said and "cifar100-150" in said
    assert (tmp_path / "tables.png").exists()


def test_stopping_where_nothing_runs_says_so() -> None:
    stop = [sys.executable, "-m", "deploy.demo", "--stop", "--folder", "no-demo-here"]
    told = subprocess.run(stop, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert told == "Nothing to stop: no demo runs in no-demo-here.\n"


def test_stopping_in_a_fresh_clone_builds_nothing(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    told = subprocess.run(
        ["make", "--no-print-directory", "stop"], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    assert told == "Nothing to stop: no demo was run here.\n"
    assert not (tmp_path / ".venv").exists()
