"""A challenger from a champion and uploads: it learns what has changed, resumes after a kill, and can be exported."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from shared.bundle import Bundle
from tests.trainer.field.conftest import Champion
from tests.trainer.field.exports import sent_of, write_export
from trainer import jobs
from trainer.data import Split, SplitName, synthetic
from trainer.encoding.encodings import of_standard
from trainer.errors import DatasetError, RecipeError, RunError
from trainer.field.comparing import CompareOrder, compare_runs
from trainer.field.retraining import RetrainOrder, read_field_data, retrain
from trainer.field.selecting import FieldRules
from trainer.field.splitting import SplittingRule
from trainer.jobs import ExportOrder, TrainOrder
from trainer.recipes.goals import AnyTablesGoal
from trainer.training.run_dir import RunDir

CLASSES = synthetic.CLASSES
DEVICES = [f"d{number}" for number in range(8)]


def darker(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """As under a failing light and a smeared lens: a third of the brightness, blurred over three pixels each way."""
    dark = pixels.astype(np.float32) / 3
    for axis in (1, 2):
        dark = (np.roll(dark, 1, axis) + dark + np.roll(dark, -1, axis)) / 3
    return dark.round().astype(np.uint8)


FIELD = synthetic.generate(SplitName.TRAIN, 900, size=32, seed=77)
DRIFTED = Split(darker(FIELD.pixels), FIELD.labels)


@pytest.fixture(scope="module")
def uploads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labelled frames of the field after it has changed."""
    folder = tmp_path_factory.mktemp("field") / "export"
    return write_export(folder, sent_of(DRIFTED, CLASSES, DEVICES, of_standard(50)))


@pytest.fixture(scope="module")
def challenger(champion: Champion, uploads: Path) -> Path:
    """Retrained with the champion's tables."""
    out = champion.folder.parent / "challenger"
    retrain(RetrainOrder(champion=champion.folder, uploads=uploads, out=out, epochs=2), champion.machine)
    return out


def test_a_challenger_learns_what_has_changed_and_keeps_what_it_knew(
    champion: Champion, challenger: Path, uploads: Path
) -> None:
    order = CompareOrder(champion=champion.folder, challenger=challenger, uploads=uploads)
    compared = compare_runs(order, champion.machine)
    data = read_field_data(challenger)
    assert compared.recent.n == data.recent > 100
    assert compared.recent.low > 0.05
    assert compared.recent.p < 0.001
    assert compared.holdout.gain > -0.03


def test_what_it_learned_from_is_kept_with_it(champion: Champion, challenger: Path, uploads: Path) -> None:
    data = read_field_data(challenger)
    assert data.learned + data.recent == 900
    assert data.pictures == len(champion.dataset.train)
    assert 0 < data.showings <= 8 * data.learned
    assert data.sources == {"human": data.learned}
    assert sum(data.classes.values()) == data.learned
    assert (data.twins, data.over_quota, data.set_aside, data.left_out) == (0, 0, (), {})
    assert sum(data.not_learned.values()) == data.recent
    asked = RunDir(challenger).asked()
    assert (asked.start, asked.goal.tables) == (str(champion.folder), "kept")
    assert asked.uploads is not None


def test_kept_tables_are_the_champions_and_the_run_is_exported_like_any_other(
    champion: Champion, challenger: Path, tmp_path: Path
) -> None:
    run = RunDir(challenger).finished()
    assert run.encoding == champion.run.encoding
    for name, folder, counter, after in (("v1", champion.folder, 1, None), ("v2", challenger, 2, tmp_path / "v1")):
        order = ExportOrder(run=folder, out=tmp_path / name, family="gate", counter=counter, after=after)
        exported = jobs.export(order, champion.machine)
    assert isinstance(exported.description, Bundle)
    assert exported.description.tables.tables_id == champion.run.encoding.tables.tables_id
    assert exported.reference is not None
    assert exported.reference.disagreement is not None


def test_a_finished_run_is_left_alone_and_other_uploads_or_rules_are_another_run(
    champion: Champion, challenger: Path, uploads: Path, tmp_path: Path
) -> None:
    order = RetrainOrder(champion=champion.folder, uploads=uploads, out=challenger, epochs=2)
    before = (challenger / "net.pt").read_bytes()
    assert retrain(order, champion.machine) == read_field_data(challenger)
    assert (challenger / "net.pt").read_bytes() == before
    fewer = write_export(tmp_path / "fewer", sent_of(DRIFTED.head(300), CLASSES, DEVICES))
    other_rules = FieldRules(splitting=SplittingRule(time_share=0.3))
    for other in (replace(order, uploads=fewer), replace(order, rules=other_rules), replace(order, epochs=3)):
        with pytest.raises(RunError, match="holds another run"):
            retrain(other, champion.machine)


def test_with_a_budget_tables_are_learned_anew_from_pictures_and_details(champion: Champion, tmp_path: Path) -> None:
    frames = sent_of(DRIFTED.head(300), CLASSES, DEVICES, of_standard(50))
    details = sent_of(DRIFTED.head(120), CLASSES, DEVICES, of_standard(90))
    for frame, detail in zip(frames, details, strict=False):
        detail.number += 10_000
        detail.more = {"kind": "detail", "of": frame.frame_id}
    uploads = write_export(tmp_path / "export", frames + details)
    order = RetrainOrder(champion=champion.folder, uploads=uploads, out=tmp_path / "v2", budget=120, epochs=2)
    data = retrain(order, champion.machine)
    run = RunDir(order.out).finished()
    assert 50 < data.details < 120
    assert run.encoding.tables.quant_id != champion.run.encoding.tables.quant_id
    assert run.summary.scan_bytes == pytest.approx(120, rel=0.02)
    assert [row["phase"] for row in RunDir(order.out).logged()] == ["learn", "settle"]
    assert run.summary.validation_accuracy > champion.run.summary.validation_accuracy - 0.1


def test_what_cannot_be_retrained_is_refused_before_any_work(champion: Champion, uploads: Path, tmp_path: Path) -> None:
    any_tables = tmp_path / "any"
    recipe = champion.run.asked.recipe
    data = recipe.data.model_copy(update={"train": 128, "validation": 64, "test": 64})
    few = recipe.model_copy(update={"data": data})
    jobs.train(TrainOrder(recipe=few, goal=AnyTablesGoal(), out=any_tables), champion.machine)
    order = RetrainOrder(champion=champion.folder, uploads=uploads, out=tmp_path / "x")
    with pytest.raises(RunError, match="is a run of any tables"):
        retrain(replace(order, champion=any_tables), champion.machine)
    with pytest.raises(RunError, match="no finished run"):
        retrain(replace(order, champion=tmp_path), champion.machine)
    with pytest.raises(DatasetError, match="samples export"):
        retrain(replace(order, uploads=tmp_path), champion.machine)
    with pytest.raises(RecipeError, match="1 epochs leave none to settle"):
        retrain(replace(order, budget=100, epochs=1), champion.machine)
    everything = FieldRules(splitting=SplittingRule(device_share=0.0, time_share=1.0))
    with pytest.raises(DatasetError, match="nothing is left to learn from: 900 held out by time"):
        retrain(replace(order, rules=everything), champion.machine)
    assert not (tmp_path / "x").exists()


class Place:
    """A folder with a small recipe and a champion, and the real program."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "tiny.toml").write_text(TINY)
        write_export(folder / "export", sent_of(DRIFTED.head(400), CLASSES, DEVICES))
        self.must("train", "tiny.toml", "--tables", "standard", "--quality", "50", "--out", "v1")

    def start(self, *words: str, before: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        environment = {**os.environ, "DCTWIRE_CACHE": str(self.folder / "cache"), "COLUMNS": "200"}
        command = [sys.executable, *before, "-m", "trainer.app", *words, "--device", "cpu"]
        return subprocess.Popen(command, cwd=self.folder, env=environment, stderr=subprocess.PIPE, text=True)

    def must(self, *words: str, before: tuple[str, ...] = ()) -> str:
        process = self.start(*words, before=before)
        _, said = process.communicate(timeout=200)
        assert process.returncode == 0, said
        return said

    def results(self, out: str) -> tuple[dict[str, torch.Tensor], bytes, list[dict[str, Any]]]:
        run = self.folder / out
        rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        for row in rows:
            row.pop("seconds")
        return torch.load(run / "net.pt", weights_only=True), (run / "tables.jpg").read_bytes(), rows


TINY = """
[data]
name = "synthetic"
train = 768
validation = 256
test = 64
[net]
widths = [8, 12]
[optimiser]
epochs = 3
batch = 16
checkpoint_steps = 6
[branch]
epochs = 3
[tables]
refit_steps = 20
rate_frames = 128
"""
RETRAIN = ("retrain", "v1", "export", "--budget", "120", "--out")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("retrain"))


def _kill_after(place: Place, out: str, checkpoints: int) -> None:
    """Start or resume, and kill the process once it has written so many checkpoints."""
    process = place.start(*RETRAIN, out)
    path, seen, deadline = place.folder / out / "checkpoint.pt", set[int](), time.monotonic() + 100
    while len(seen) < checkpoints and time.monotonic() < deadline and process.poll() is None:
        if path.exists():
            seen.add(path.stat().st_mtime_ns)
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL


@pytest.mark.system
def test_a_retraining_killed_again_and_again_ends_like_one_that_was_left_alone(place: Place) -> None:
    place.must(*RETRAIN, "whole")
    for checkpoints in (2, 5, 9):
        _kill_after(place, "killed", checkpoints)
    said = place.must(*RETRAIN, "killed")
    assert "resumed after epoch" in said
    (net, tables, rows), (whole_net, whole_tables, whole_rows) = place.results("killed"), place.results("whole")
    assert tables == whole_tables
    assert rows == whole_rows
    for name, value in whole_net.items():
        assert torch.equal(value, net[name]), name


@pytest.mark.system
def test_two_processes_of_torchrun_retrain_one_net_that_differs_by_noise_only(place: Place) -> None:
    words = ("retrain", "v1", "export", "--out")
    place.must(*words, "alone")
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    said = place.must(*words, "shared", before=torchrun)
    assert said.count("finished in") == 1
    together, alone = (place.results(out)[2] for out in ("shared", "alone"))
    assert [row["loss"] for row in together] == pytest.approx([row["loss"] for row in alone], rel=0.03)
