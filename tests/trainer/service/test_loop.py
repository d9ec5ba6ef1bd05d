"""The whole service against a real server: from labelled uploads to a draft, refused by name, and killed on the way."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared.bundle import BUNDLE_NAME, Bundle
from shared.jpeg import Stream
from tests.cloud_server.harness.feedback import KEEP_ALL, kept, review
from tests.cloud_server.harness.server import ServerHarness, server_in_thread
from tests.trainer.machine import machine
from tests.trainer.service.servers import token, typed
from trainer.jobs import ExportOrder, TrainOrder, export, train
from trainer.recipes.goals import StandardGoal
from trainer.recipes.recipe import Recipe

pytestmark = [pytest.mark.system, pytest.mark.timeout(1800)]

TINY = Recipe.model_validate(
    {
        "data": {"name": "synthetic", "train": 512, "validation": 192, "test": 192},
        "net": {"widths": [8, 12]},
        "optimiser": {"epochs": 3, "batch": 32},
        "branch": {"epochs": 2},
    }
)
DEVICES, FRAMES = 4, 30  # of each
LENIENT = """
[families.digits.gates]
holdout_loss = 1.0
recent_loss = 1.0
recent_frames = 5
class_loss = 1.0
class_frames = 1
bytes_over = 0.05
int8_loss = 1.0
calibration_error = 1.0
temperature_low = 0.01
temperature_high = 20.0
"""


@dataclass(frozen=True)
class Place:
    """A server with a champion and labelled uploads, and the service beside it."""

    folder: Path
    server: ServerHarness

    def configure(self, family: str = "", gates: str = LENIENT, tables: str = "keep") -> None:
        """Write service.toml."""
        (self.folder / "service.toml").write_text(
            f'server = "{self.server.addresses["operator"]}"\n'
            f'token_file = "{token(self.server, self.folder)}"\nkeys = "{self.server.keys}"\n'
            'data = "trainings"\nlease_seconds = 30\n'
            f'[limits]\nmemory_mib = 16384\ndevice = "cpu"\n'
            f'[families.digits]\nchampion = "run"\nbundle = "v1"\ntables = "{tables}"\n{family}'
            f"[families.digits.triggers]\nlabels_least = 50\nlabels = 100\n{gates}"
        )

    def start(self) -> "subprocess.Popen[str]":
        """The real program, once around."""
        command = [sys.executable, "-m", "trainer.app", "service", "--config", "service.toml", "--once"]
        environment = {**os.environ, "PYTHONPATH": str(Path.cwd()), "DCTWIRE_CACHE": "cache"}
        return subprocess.Popen(command, cwd=self.folder, env=environment, stderr=subprocess.PIPE, text=True)

    def once(self) -> list[dict[str, Any]]:
        """What it says until it ends by itself."""
        process = self.start()
        _, said = process.communicate(timeout=900)
        assert process.returncode == 0, said
        return [json.loads(line) for line in said.splitlines()]

    def asked(self, *words: str) -> Any:
        """What `dctwire` says to an admin."""
        return json.loads(typed(self.server, *words, "--json"))

    def last(self) -> dict[str, Any]:
        """The newest training in the server's record."""
        newest = self.asked("runs", "list", "--family", "digits")["runs"][0]["id"]
        found: dict[str, Any] = self.asked("runs", "show", newest)
        return found


@pytest.fixture(scope="module")
def champion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run and the bundle of it."""
    folder = tmp_path_factory.mktemp("champion")
    train(TrainOrder(recipe=TINY, goal=StandardGoal(quality=75), out=folder / "run", device="cpu"), machine(folder))
    export(ExportOrder(run=folder / "run", out=folder / "v1", family="digits", counter=1), machine(folder))
    return folder


@pytest.fixture
def place(champion: Path, tmp_path: Path) -> Iterator[Place]:
    for name in ("run", "v1", "cache"):
        shutil.copytree(champion / name, tmp_path / name)
    with server_in_thread(tmp_path / "server", **KEEP_ALL) as server:
        server.publish(tmp_path / "v1")
        server.assign("digits", 1)
        upload(server, tmp_path)
        yield Place(tmp_path, server)


def upload(server: ServerHarness, folder: Path) -> None:
    """Frames that are darker than those that the champion has learned from, each labelled by an operator."""
    bundle = Bundle.from_bytes((folder / "v1" / BUNDLE_NAME).read_bytes())
    dataset = machine(folder).dataset(TINY)
    pictures = dataset.train.head(DEVICES * FRAMES)
    dark = (pictures.pixels * 0.6).astype(np.uint8)
    frames = iter(bundle.encoding.encoder().encode_batch(dark, Stream.ABBREVIATED))
    labels = iter(pictures.labels.tolist())
    for _ in range(DEVICES):
        device = server.enrol("digits")
        for _ in range(FRAMES):
            answer = device.post(next(frames))
            assert answer.status_code == 200, answer.text
            frame_id = answer.json()["id"]
            kept(server, frame_id)
            review(server, frame_id, dataset.classes[next(labels)])


def test_from_labels_to_a_draft_that_an_operator_resumes(place: Place) -> None:
    place.configure()
    events = place.once()
    run = place.last()
    assert (run["outcome"], run["trigger"], run["counter"]) == ("draft", "labels", 2), events
    document = run["document"]
    assert {verdict["opinion"] for verdict in document["verdicts"]} == {"pass"}
    assert document["sources"]["human"] > 50 and document["sources"]["base"] == 512
    assert document["cost"]["cpu_seconds"] > 0 and document["cost"]["peak_memory_bytes"] > 100 * 2**20
    assert {row["name"] for row in place.asked("bundles")["bundles"]} == {"digits/1", "digits/2"}
    rollout = place.asked("rollout", "status", document["rollout"])
    assert (rollout["state"], rollout["counter"], rollout["percent"]) == ("paused", 2, 0)
    assert document["commands"] == [f"dctwire rollout resume {document['rollout']}"]
    report = place.folder / "trainings" / "digits" / "runs" / run["id"] / "report.html"
    assert "all gates let it through" in report.read_text()
    (waits,) = [event for event in place.once() if event["event"] == "waits"]
    assert waits["reason"] == "0 new labels, of 50 that a training wants at least"


def test_what_a_gate_refuses_is_not_published_and_is_told_by_its_name(place: Place) -> None:
    place.configure(family="budget = 20.0\n")
    place.once()
    run = place.last()
    assert run["outcome"] == "refused"
    held = [verdict["gate"] for verdict in run["document"]["verdicts"] if verdict["opinion"] != "pass"]
    assert held == ["bytes"]
    assert run["document"]["reason"].startswith("bytes: ")
    assert {row["name"] for row in place.asked("bundles")["bundles"]} == {"digits/1"}
    assert not [row for row in place.asked("rollout", "list")["rollouts"] if row["counter"] != 1]


def test_classes_that_the_base_set_has_too_few_frames_of_are_told_before_anything_is_trained(place: Place) -> None:
    place.configure(gates=LENIENT.replace("class_frames = 1", "class_frames = 1000"))
    place.once()
    run = place.last()
    assert (run["outcome"], set(run["document"]["steps"])) == ("refused", {"pull", "train-classifier"})
    assert "1000 are wanted ([families.NAME.gates] class_frames)" in run["document"]["reason"]
    assert not [*(place.folder / "trainings/digits/runs").glob("*/classifier")]


def test_tables_are_learned_anew_where_bytes_ask_for_it(place: Place) -> None:
    spent = json.loads((place.folder / "run" / "summary.json").read_text())["scan_bytes"]
    place.configure(family=f"budget = {0.8 * spent:.1f}\n", tables="when-needed")
    place.once()
    run = place.last()
    assert run["outcome"] == "draft", run["document"]
    assert {"train-classifier", "train-tables", "measure-tables"} <= set(run["document"]["steps"])
    (job,) = (place.folder / "trainings/digits/runs").glob("*/job.json")
    first, second = json.loads(job.read_text())["attempts"]
    assert [verdict["gate"] for verdict in first["verdicts"] if verdict["opinion"] != "pass"] == ["bytes"]
    assert second["measured"]["tables_id"] != second["measured"]["champion_tables_id"]
    assert second["measured"]["holdout"]["challenger_bytes"] < 0.85 * spent


def test_a_family_that_runs_what_nobody_here_has_made_is_left_alone(place: Place) -> None:
    place.configure()
    description = Bundle.from_bytes((place.folder / "v1" / BUNDLE_NAME).read_bytes())
    other = description.model_copy(update={"counter": 7})
    (place.folder / "v1" / BUNDLE_NAME).write_bytes(other.to_bytes())
    process = place.start()
    _, said = process.communicate(timeout=900)
    assert process.returncode == 1, said
    run = place.last()
    assert run["outcome"] == "failed"
    assert "digits runs v1, which was not made from the runs that are known here (v7)" in run["document"]["reason"]


def test_killed_in_every_step_it_goes_on_and_does_everything_once(place: Place) -> None:
    place.configure()
    for step in ("pull", "train-classifier", "measure-classifier", "publish", "roll-out"):
        process = place.start()
        assert process.stderr is not None
        for line in process.stderr:
            if json.loads(line).get("step") == step:
                break
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL, f"{step} never began"
    place.once()
    assert (place.last()["outcome"], len(place.asked("runs", "list")["runs"])) == ("draft", 1)
    assert [row["counter"] for row in place.asked("bundles")["bundles"]].count(2) == 1
    assert len([row for row in place.asked("rollout", "list")["rollouts"] if row["counter"] == 2]) == 1
    job = json.loads(next((place.folder / "trainings/digits/runs").glob("*/job.json")).read_text())
    assert (job["starts"], job["is_told"]) == (6, True)


def test_sigterm_ends_it_within_seconds_and_a_cancelled_training_is_let_go(place: Place) -> None:
    place.configure()
    process = place.start()
    assert process.stderr is not None
    for line in process.stderr:
        if json.loads(line).get("step") == "train-classifier":
            break
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=15)
    assert process.returncode == 0 and '"event": "left"' in said
    run = place.last()
    assert run["state"] == "running"
    typed(place.server, "runs", "cancel", run["id"])
    events = place.once()
    assert not [event for event in events if event.get("run") == run["id"] and event["event"] == "ended"]
    assert place.last()["id"] != run["id"]
