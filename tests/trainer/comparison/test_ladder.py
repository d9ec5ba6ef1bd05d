"""A ladder's plan, what each point's run is for, and the file that lists them."""

import json
from pathlib import Path

import pytest

from trainer.comparison.ladder import Kind, Ladder, goal_of, plan, read_ladder, write_ladder
from trainer.errors import RunError
from trainer.recipes import recipe as recipes
from trainer.recipes.goals import Goal, LearnedGoal, SensitivityGoal, StandardGoal

LADDER = recipes.Ladder.model_validate(
    {
        "budgets": {"jpeg": [50.0, 120.5], "jpeg-rdo": [60.0], "sensitivity": [70.0], "improved": [60.0]},
        "rdo_multiplier": 0.2,
        "again": 60.0,
        "ablations": [
            {"variant": "flat-start", "label": "from flat tables", "budget": 60.0},
            {"variant": "untaught", "label": "JPEG without a teacher", "budget": 60.0, "of": "jpeg"},
        ],
    }
)


def test_a_plan_has_every_kind_at_its_budgets_then_the_second_seed_then_ablations() -> None:
    assert [point.name for point in plan(LADDER, 0)] == [
        "jpeg-50",
        "jpeg-120.5",
        "jpeg-rdo-60",
        "sensitivity-70",
        "improved-60",
        "jpeg-60-seed1",
        "improved-60-seed1",
        "flat-start-60",
        "jpeg-untaught-60",
    ]


def test_a_points_run_seed_label_and_variants_are_its_own() -> None:
    points = {point.name: point for point in plan(LADDER, 0)}
    again, ablation = points["improved-60-seed1"], points["flat-start-60"]
    assert (again.kind, again.seed, again.run, again.variants) == (Kind.IMPROVED, 1, "runs/improved-60-seed1", ())
    assert (ablation.kind, ablation.seed, ablation.label) == (Kind.ABLATION, 0, "from flat tables")
    assert ablation.variants == ("flat-start",)
    assert all(point.run == f"runs/{name}" for name, point in points.items())


def test_a_ladder_of_another_seed_has_runs_of_its_own() -> None:
    here, there = ({point.run for point in plan(LADDER, seed) if point.kind is not Kind.ABLATION} for seed in (0, 7))
    assert not here & there
    assert {point.seed for point in plan(LADDER, 7)} == {7, 8}


def test_without_a_second_seed_and_ablations_there_are_budgets_alone() -> None:
    assert [point.name for point in plan(recipes.Ladder(budgets={"jpeg": [90.0]}), 0)] == ["jpeg-90"]


@pytest.mark.parametrize(
    ("name", "goal"),
    [
        ("jpeg-120.5", StandardGoal(budget=120.5)),
        ("jpeg-rdo-60", StandardGoal(budget=60, rdo_multiplier=0.2)),
        ("sensitivity-70", SensitivityGoal(budget=70)),
        ("improved-60-seed1", LearnedGoal(budget=60)),
        ("flat-start-60", LearnedGoal(budget=60)),
        ("jpeg-untaught-60", StandardGoal(budget=60)),
    ],
)
def test_each_kind_asks_for_its_tables(name: str, goal: Goal) -> None:
    (point,) = (point for point in plan(LADDER, 0) if point.name == name)
    assert goal_of(point, LADDER.rdo_multiplier) == goal


def test_a_written_ladder_is_what_compare_reads(tmp_path: Path) -> None:
    points = plan(LADDER, 0)
    ladder = Ladder(data="synthetic-32/test", recipe="mine.toml", variant="cpu short", points=points)
    write_ladder(tmp_path / "new", ladder)
    assert read_ladder(tmp_path / "new") == ladder
    written = json.loads((tmp_path / "new" / "ladder.json").read_text())
    assert {key: written[key] for key in ("data", "recipe", "variant")} == {
        "data": "synthetic-32/test",
        "recipe": "mine.toml",
        "variant": "cpu short",
    }


def test_a_ladder_of_an_older_trainer_without_tables_and_variants_is_read(tmp_path: Path) -> None:
    point = {
        "name": "jpeg-50",
        "kind": "jpeg",
        "label": "JPEG",
        "budget": 50,
        "seed": 0,
        "run": "runs/jpeg-50",
        "more": 1,
    }
    (tmp_path / "ladder.json").write_text(json.dumps({"data": "d", "recipe": "r", "variant": None, "points": [point]}))
    (read,) = read_ladder(tmp_path).points
    assert (read.name, read.variants) == ("jpeg-50", ())


@pytest.mark.parametrize("content", [None, "", "{}", '{"data": "d", "recipe": "r", "variant": null, "points": [{}]}'])
def test_what_is_no_ladder_is_refused_by_name(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "ladder.json").write_text(content)
    with pytest.raises(RunError, match=r"ladder\.json is no ladder"):
        read_ladder(tmp_path)


@pytest.mark.parametrize("name", recipes.shipped_names())
def test_a_shipped_recipes_ablations_are_variants_that_it_has(name: str) -> None:
    ladder = getattr(recipes.load(name), "ladder", recipes.Ladder())
    assert {ablation.variant for ablation in ladder.ablations} <= set(recipes.variants_of(name))
