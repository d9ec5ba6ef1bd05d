"""Resuming: real processes killed at random moments of a run end where one that nobody disturbed ends, bit for bit."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch

TINY = """
[data]
name = "synthetic"
train = 768
validation = 256
test = 64
[net]
widths = [8, 12]
[optimiser]
epochs = 4
batch = 16
average_decay = 0.9
checkpoint_steps = 6
[tables]
learning_epochs = 2
refit_steps = 20
rate_frames = 128
"""
KILLS = 3


class Place:
    """A folder with a recipe, and the real program to train it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "tiny.toml").write_text(TINY)

    def start(self, out: str, *, largest_file: str = "unlimited") -> subprocess.Popen[str]:
        environment = {**os.environ, "DCTWIRE_CACHE": str(self.folder / "cache"), "COLUMNS": "200"}
        limited = ("sh", "-c", f'ulimit -f {largest_file}; exec "$@"', "sh")
        goal = ("--tables", "learned", "--budget", "110", "--device", "cpu", "--out", out)
        command = [*limited, sys.executable, "-m", "trainer.app", "train", "tiny.toml", *goal]
        return subprocess.Popen(command, cwd=self.folder, env=environment, stderr=subprocess.PIPE, text=True)

    def train(self, out: str, **how: str) -> tuple[int, str]:
        process = self.start(out, **how)
        _, said = process.communicate(timeout=200)
        return process.returncode, said

    def results(self, out: str) -> tuple[dict[str, torch.Tensor], bytes, list[dict[str, Any]]]:
        run = self.folder / out
        rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        for row in rows:
            row.pop("seconds")
        return torch.load(run / "net.pt", weights_only=True), (run / "tables.jpg").read_bytes(), rows


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """With one run that nobody disturbed."""
    place = Place(tmp_path_factory.mktemp("resume"))
    code, said = place.train("whole")
    assert code == 0, said
    return place


def _wait_for(run: Path, changes: int) -> None:
    """Until the run's folder has changed so often: checkpoints, their temporary files, metrics."""
    seen, deadline = _seen(run), time.monotonic() + 100
    while changes and time.monotonic() < deadline:
        now = _seen(run)
        changes -= now != seen
        seen = now
        time.sleep(0.001)


def _seen(run: Path) -> set[tuple[str, int]]:
    found = set()
    for path in run.glob("*"):
        with suppress(FileNotFoundError):  # a temporary file may be renamed while we look
            found.add((path.name, path.stat().st_mtime_ns))
    return found


def _kill_in(place: Place, out: str, changes: int) -> bool:
    """Start or resume; whether it was still at work when it was killed."""
    process = place.start(out)
    _wait_for(place.folder / out, changes)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return process.returncode == -signal.SIGKILL


def test_a_run_killed_again_and_again_and_once_out_of_disk_ends_like_one_that_was_left_alone(place: Place) -> None:
    chance, checkpoint = random.Random(5), place.folder / "killed" / "checkpoint.pt"
    assert all(_kill_in(place, "killed", chance.randrange(6, 16)) for _ in range(KILLS))
    kept = checkpoint.read_bytes()
    code, said = place.train("killed", largest_file="64")
    assert code == 1
    assert "checkpoint.pt cannot be written ([Errno 27] File too large); what was there before stays" in said
    assert "Traceback" not in said
    assert checkpoint.read_bytes() == kept
    code, said = place.train("killed")
    assert code == 0, said
    (net, tables, rows), (whole_net, whole_tables, whole_rows) = place.results("killed"), place.results("whole")
    assert tables == whole_tables
    assert rows == whole_rows
    for name, value in whole_net.items():
        assert torch.equal(value, net[name]), name


def test_every_start_is_noted(place: Place) -> None:
    starts = (place.folder / "killed" / "provenance.jsonl").read_text().splitlines()
    assert len(starts) == KILLS + 2
    assert {json.loads(start)["torch"] for start in starts} == {torch.__version__}
