"""What the demo leaves: its own leavings go and nobody else's, and each line that it tells people to type works."""

import io
import json
import shutil
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from deploy.demo import clear, seconds_of_steps
from deploy.demo_fleet import CAMERAS, CANARY_TAG, deal
from deploy.demo_left import keep_a_picture, leave_running, stop_left_running, tell_what_to_try
from deploy.demo_rollout import Moment, proof, roll_out
from deploy.ordinary_camera import OrdinaryCamera
from harness import commands
from harness.measurement import Samples
from harness.processes import ProgramError, Running, run, wait_for_all
from tests.cloud_server.harness.waiting import wait_until
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


def test_a_demo_that_is_told_to_end_leaves_no_program_running(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    command = [sys.executable, "-m", "deploy.demo", "--folder", str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as demo:
        try:
            wait_until(lambda: len(programs_at_work_in(folder)) >= 3, seconds=60)  # itself, and two trainers
        finally:
            demo.terminate()
        assert demo.wait(60) == 128 + signal.SIGTERM
    assert programs_at_work_in(folder) == []


def programs_at_work_in(folder: Path) -> list[str]:
    """The command lines of what runs with something of this folder among its arguments."""
    shown = subprocess.run(["ps", "-eww", "-o", "args="], capture_output=True, text=True, check=True).stdout
    return [line for line in shown.splitlines() if str(folder) in line]


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


def test_waiting_for_programs_tells_of_one_that_fails_and_of_one_that_does_not_end(tmp_path: Path) -> None:
    looks: list[int] = []
    missing = ("dctwire-sensor", "run", "--state", str(tmp_path), "--source", str(tmp_path))
    with (
        Running(("dctwire-sensor", "--version"), tmp_path / "log") as good,
        Running(missing, tmp_path / "log") as bad,
        pytest.raises(ProgramError, match="ended with"),
    ):
        wait_for_all([good, bad], 60, lambda: looks.append(1))
    run(commands.init_trust(tmp_path / "keys", tmp_path / "data"), log=tmp_path / "log")
    with (
        Running(commands.serve(tmp_path / "data"), tmp_path / "log") as lasting,
        pytest.raises(ProgramError, match=r"still runs after 0\.5 s"),
    ):
        wait_for_all([lasting], 0.5, lambda: looks.append(1))
    assert looks


def test_a_rollout_is_proven_only_where_the_canary_was_alone_and_confirmed_before_the_others() -> None:
    def reached(name: str, exposed_at: float, outcome: str = "confirmed") -> dict[str, object]:
        return {"device_id": name, "exposed_at": exposed_at, "settled_at": exposed_at + 5, "outcome": outcome}

    moments = [
        Moment(at, {"v1": 4 - on_v2, "v2": on_v2}, frames)
        for at, on_v2, frames in ((10, 0, 100), (12, 1, 120), (15, 1, 210), (18, 4, 240))
    ]
    good = [reached("canary", 1.0), *(reached(name, 6.0) for name in ("b", "c", "d"))]
    shown = proof("k3vq7x2a", moments, good, "canary")
    assert (shown.alone_seconds, shown.frames_v1_meanwhile, shown.seconds) == (3, 90, 8)
    assert "alone sent v2 for 3 s, while the other 3 cameras sent 90 frames with v1" in shown.words
    for seen, devices, canary in (
        ([moments[0], moments[3]], good, "canary"),
        (moments, good, "b"),
        (moments, good[:3], "canary"),
        (moments, [*good[:3], reached("d", 6.0, "pending")], "canary"),
        (moments, [good[0], reached("b", 5.9), *good[2:]], "canary"),
    ):
        with pytest.raises(ProgramError, match="k3vq7x2a"):
            proof("k3vq7x2a", seen, devices, canary)


def test_a_system_that_is_left_running_answers_what_people_are_told_to_type(tmp_path: Path) -> None:
    harness, out = SystemHarness(tmp_path), io.StringIO()
    harness.draw_pictures(4 * CAMERAS)
    pictures = sorted(harness.pictures.rglob("*.png"), key=lambda path: path.stem)
    cameras = deal(pictures, tmp_path)
    as_operator: dict[str, Any] = {"log": harness.log("operator"), "env": harness.environment}
    with harness.server() as server, ExitStack() as stack:
        harness.publish(1, quality=50)
        harness.publish(2, quality=20, assign=False)
        for camera in cameras:
            harness.enrol(camera.state.name)
        canary = cameras[0].device_id
        run(commands.tag(canary, CANARY_TAG), **as_operator)
        for camera in cameras:
            stack.enter_context(camera.at_work(20))
        server.wait_for(lambda: harness.measured("v1").frames > 100, 60, "frames with v1")
        shown = roll_out(lambda: Samples.scrape(harness.ops), harness.environment, canary, harness.log("operator"), 120)
        stack.close()
        claim = json.loads(run(commands.claim(), **as_operator))["claim_code"]
        ordinary = OrdinaryCamera(harness.device, claim, 75)
        ordinary.close()
        addresses = {"device": harness.device, "operator": harness.environment["DCTWIRE_OPERATOR_URL"]}
        keep_a_picture(pictures, tmp_path)
        running = leave_running(
            tmp_path,
            server,
            cameras,
            {**addresses, "ops": harness.ops},
            harness.environment,
            ordinary.token,
            Console(file=out),
        )
        try:
            said = typed(out.getvalue(), tmp_path)
        finally:
            stopped = stop_left_running(tmp_path)
            for program in (*running, server):
                program.stop()

    assert shown.frames_v1_meanwhile > 0
    assert "v2 > v1: stage 1 of 2 (100 % of site=lab)" in said
    assert "v2 > v1: complete" in said
    assert '"label":' in said and "doorbell" in said
    assert [what.split(" (")[0] for what in stopped] == [
        "the server",
        *(f"the camera-{number}" for number in range(1, CAMERAS + 1)),
    ]
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
