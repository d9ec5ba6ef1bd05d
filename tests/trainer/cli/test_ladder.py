"""The whole chain on a tiny real ladder: climb it, let it grow, compare, by the commands that a person gives."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from trainer.app import app

pytestmark = pytest.mark.timeout(900)  # eleven programs, each of which imports torch, on whatever machine this is

RECIPE = """
[data]
name = "synthetic"
train = 256
validation = 128
test = 192
[net]
widths = [8]
[optimiser]
epochs = 3
batch = 64
[branch]
epochs = 2
[tables]
refit_steps = 8
rate_frames = 128
[variants.untaught.branch]
distillation_weight = 0.0
[ladder]
"""
FIRST = "budgets = { jpeg = [100.0] }"
GROWN = """
budgets = { jpeg = [100.0, 170.0], improved = [110.0] }
ablations = [{ variant = "untaught", label = "without a teacher", budget = 110.0 }]
"""


def must(folder: Path, *arguments: str) -> str:
    done = CliRunner().invoke(app, arguments, env={"DCTWIRE_CACHE": str(folder / "cache"), "COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    return done.output


@dataclass(frozen=True)
class Climbed:
    """A ladder that grew, and when each of its files had been written before."""

    folder: Path
    before: dict[Path, int]
    said: str


@pytest.fixture(scope="module")
def climbed(tmp_path_factory: pytest.TempPathFactory) -> Climbed:
    place = tmp_path_factory.mktemp("ladder")
    recipe, folder = place / "tiny.toml", place / "ladder"
    before, said = {}, ""
    for budgets in (FIRST, GROWN):
        before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
        recipe.write_text(RECIPE + budgets)
        said = must(place, "ladder", str(recipe), "--out", str(folder), "--jobs", "2")
    return Climbed(folder, before, said)


@pytest.fixture(scope="module")
def ladder(climbed: Climbed) -> Path:
    return climbed.folder


def test_every_rung_is_an_evaluated_branch_of_the_base(ladder: Path) -> None:
    points = json.loads((ladder / "ladder.json").read_text())["points"]
    names = ["jpeg-100", "jpeg-170", "improved-110", "untaught-110"]
    assert [point["name"] for point in points] == names
    for point in points:
        run = ladder / point["run"]
        asked = json.loads((run / "asked.json").read_text())
        assert asked["start"] == str(ladder / "base")
        assert asked["recipe"]["branch"]["distillation_weight"] == (0.0 if point["kind"] == "ablation" else 0.5)
        assert len((run / "metrics.jsonl").read_text().splitlines()) == 2
        summary = json.loads((run / "summary.json").read_text())
        assert summary["scan_bytes"] == pytest.approx(point["budget"], rel=0.02)
        assert json.loads((run / "evaluation-test.json").read_text())["n"] == 192
        assert "finished in" in (run / "log.txt").read_text()


def test_what_was_finished_is_left_as_it_was_when_the_ladder_is_climbed_again(climbed: Climbed) -> None:
    rewritten = {path for path, when in climbed.before.items() if path.stat().st_mtime_ns != when}
    assert len(climbed.before) > 15
    assert {path.name for path in rewritten} == {"ladder.json", "log.txt"}
    assert "is finished already" in (climbed.folder / "runs" / "jpeg-100" / "log.txt").read_text()


def test_in_a_file_a_ladder_says_where_it_is(climbed: Climbed) -> None:
    assert "what each run says is in its folder's log.txt" in climbed.said
    lines = [line for line in climbed.said.splitlines() if " done after " in line]
    assert [line.split(" done")[0] for line in lines] == [f"{number} of 5" for number in range(1, 6)]
    assert lines[0].endswith(": base")


def test_a_ladder_is_compared_without_hand_work(ladder: Path) -> None:
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


def test_its_pictures_are_drawn(ladder: Path, tmp_path: Path) -> None:
    must(ladder, "compare", str(ladder), "--out", str(tmp_path / "new"))
    widths = {}
    for name in ("rate-accuracy", "wire", "tables"):
        with Image.open(tmp_path / "new" / f"{name}.png") as picture:
            widths[name] = picture.size[0]
    assert min(widths.values()) > 600


def test_evaluations_of_another_split_are_not_taken_for_those_of_test(ladder: Path) -> None:
    done = CliRunner().invoke(app, ["compare", str(ladder), "--split", "validation"])
    assert done.exit_code == 1
    assert "no run was evaluated on validation" in str(done.exception)


def test_a_recipe_without_rungs_is_refused(tmp_path: Path) -> None:
    (tmp_path / "flat.toml").write_text(RECIPE)
    done = CliRunner().invoke(app, ["ladder", str(tmp_path / "flat.toml"), "--out", str(tmp_path / "out")])
    assert done.exit_code == 1
    assert "has no [ladder] with budgets to climb" in str(done.exception)
    assert not (tmp_path / "out").exists()
