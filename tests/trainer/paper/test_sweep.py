"""The paper's curves from one command: every point trained, evaluated in both rows, drawn; and again at no cost."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.trainer.paper.small import recipe
from tests.trainer.present import present
from trainer.app import app
from trainer.cli.goal_choice import TablesKind, chosen_goal
from trainer.data import SplitName
from trainer.evaluation.files import read_evaluation
from trainer.paper.evaluation import read_literal
from trainer.paper.sweep import points_of
from trainer.recipes import recipe as recipes
from trainer.recipes.goals import LearnedGoal, PenalisedGoal, StandardGoal
from trainer.recipes.recipe import PaperRecipe

TINY = """
method = "paper"
[data]
name = "synthetic"
train = 128
validation = 64
test = 64
[net]
kind = "wide-resnet"
depth = 10
width = 1
[jpeg]
trains_colour = true
[penalty]
kind = "hinge-l1"
weight = 0.1
[schedule]
kind = "alternating"
alternations = 1
batch = 32
classifier_rate = 0.01
[sweep]
weights = [0.5]
qualities = [50.0]
"""


def test_a_sweep_trains_evaluates_and_draws_every_point_and_then_has_nothing_left_to_do(tmp_path: Path) -> None:
    path, out = tmp_path / "tiny.toml", tmp_path / "sweep"
    path.write_text(TINY)
    command = ["sweep", str(path), "--out", str(out), "--cache-dir", str(tmp_path / "cache"), "--device", "cpu"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    jpeg, jcc = (read_evaluation(out / name, SplitName.TEST).evaluation for name in ("jpeg-50", "jcc-0.5"))
    assert jpeg.file.mean > jpeg.scan.mean > 0
    assert jcc.scan.mean != jpeg.scan.mean
    literal = read_literal(out / "jcc-0.5", SplitName.TEST)
    assert (literal.n, literal.data) == (64, jcc.data)
    assert 0 < literal.ssim <= 1
    assert len(present(literal.colour)) == len(present(literal.inverse_colour)) == 3
    for picture in ("file.png", "scan.png"):
        assert (out / picture).read_bytes().startswith(b"\x89PNG")
    again = CliRunner().invoke(app, command)
    assert again.exit_code == 0
    assert again.output.count("is finished already") == 2
    drawn = CliRunner().invoke(app, ["plot", "kernels", str(out / "jcc-0.5"), "--out", str(tmp_path / "q.png")])
    assert drawn.exit_code == 0, drawn.output
    assert (tmp_path / "q.png").stat().st_size > 10_000
    asked = json.loads((out / "jcc-0.5" / "asked.json").read_text())
    assert (asked["recipe"]["method"], asked["goal"]) == ("paper", {"tables": "penalised", "weight": 0.5})


@pytest.mark.parametrize(
    ("name", "qualities", "weights"),
    [("cifar100-faithful", 9, 8), ("tiny-imagenet-faithful", 4, 6), ("imagenet-faithful", 5, 9)],
)
def test_shipped_recipes_sweep_as_many_points_as_the_paper_shows(name: str, qualities: int, weights: int) -> None:
    recipe = recipes.load(name)
    assert isinstance(recipe, PaperRecipe)
    points = points_of(recipe)
    assert sum(isinstance(point.goal, StandardGoal) for point in points) == qualities
    assert sum(isinstance(point.goal, PenalisedGoal) for point in points) == weights
    assert len({point.name for point in points}) == len(points)


def test_lambda_comes_from_the_flag_or_else_from_the_recipe() -> None:
    assert chosen_goal(recipe(), TablesKind.LEARNED) == PenalisedGoal(weight=0.01)
    assert chosen_goal(recipe(), TablesKind.LEARNED, weight=3.0) == PenalisedGoal(weight=3.0)
    assert chosen_goal(recipe(), TablesKind.STANDARD, quality=12.5) == StandardGoal(quality=12.5)
    improved = recipes.load("synthetic-32")
    assert chosen_goal(improved, TablesKind.LEARNED, budget=90.0) == LearnedGoal(budget=90.0)
