"""The whole chain on a tiny real ladder: train, evaluate, compare, by the commands that a person gives."""

import json
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from trainer.app import app

RECIPE = """
[data]
name = "synthetic"
train = 512
validation = 256
test = 192
[net]
widths = [8]
[optimiser]
epochs = 3
batch = 64
[tables]
refit_steps = 8
rate_frames = 256
"""
RUNS = {
    "jpeg": [("standard", "--budget", 100), ("standard", "--budget", 170)],
    "improved": [("learned", "--budget", 110), ("learned", "--budget", 150)],
}


def must(folder: Path, *arguments: str) -> str:
    done = CliRunner().invoke(app, arguments, env={"DCTWIRE_CACHE": str(folder / "cache"), "COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture(scope="module")
def ladder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("ladder")
    recipe = folder / "tiny.toml"
    recipe.write_text(RECIPE)
    points = []
    for kind, runs in RUNS.items():
        for tables, option, value in runs:
            run = f"runs/{kind}-{value}"
            must(folder, "train", str(recipe), "--tables", tables, option, str(value), "--out", str(folder / run))
            must(folder, "evaluate", str(folder / run))
            points.append(
                {"name": f"{kind}-{value}", "kind": kind, "label": kind, "budget": value, "seed": 0, "run": run}
            )
    words = {"data": "synthetic", "recipe": str(recipe), "variant": None, "points": points}
    (folder / "ladder.json").write_text(json.dumps(words))
    return folder


def test_a_ladder_is_compared_without_hand_work(ladder):
    output = must(ladder, "compare", str(ladder))
    found = json.loads((ladder / "comparison" / "comparison.json").read_text())
    assert (found["data"], found["n"]) == ("synthetic-32/v1/seed1", 192)
    for at in found["budgets"]:
        gain, theirs = (at["baselines"]["jpeg"][name]["value"] for name in ("gain_points", "accuracy"))
        assert gain == pytest.approx(100 * (at["accuracy"]["value"] - theirs))
        evaluation = json.loads((ladder / f"runs/improved-{at['budget']:g}" / "evaluation-test.json").read_text())
        assert at["accuracy"]["value"] == evaluation["accuracy"]
        assert at["scan_bytes"] == pytest.approx(evaluation["scan"]["mean"])
        assert at["wire_bytes"] == pytest.approx(evaluation["wire"]["mean"])
    assert 0 < found["budget_error_max"] < 0.1
    assert "over jpeg" in output
    assert "missing: sensitivity: no run was evaluated" in output


def test_its_pictures_are_drawn(ladder, tmp_path):
    must(ladder, "compare", str(ladder), "--out", str(tmp_path / "new"))
    widths = {}
    for name in ("rate-accuracy", "wire", "tables"):
        with Image.open(tmp_path / "new" / f"{name}.png") as picture:
            widths[name] = picture.size[0]
    assert min(widths.values()) > 600


def test_evaluations_of_another_split_are_not_taken_for_those_of_test(ladder):
    done = CliRunner().invoke(app, ["compare", str(ladder), "--split", "validation"])
    assert done.exit_code == 1
    assert "no run was evaluated on validation" in str(done.exception)
