"""A ladder's plan, what each rung asks of `train`, and rungs run side by side of which one fails."""

import json

import pytest

from trainer.errors import RunError
from trainer.ladder import LOG_NAME, Command, Kind, arguments, plan, run_commands, write_plan
from trainer.recipes import recipe
from trainer.recipes.recipe import Ladder

LADDER = Ladder.model_validate(
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


def test_a_plan_has_every_kind_at_its_budgets_then_the_second_seed_then_ablations():
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


def test_a_points_run_seed_label_and_variants_are_its_own():
    points = {point.name: point for point in plan(LADDER, 0)}
    again, ablation = points["improved-60-seed1"], points["flat-start-60"]
    assert (again.kind, again.seed, again.run, again.variants) == (Kind.IMPROVED, 1, "runs/improved-60-seed1", ())
    assert (ablation.kind, ablation.seed, ablation.label) == (Kind.ABLATION, 0, "from flat tables")
    assert ablation.variants == ("flat-start",)
    assert all(point.run == f"runs/{name}" for name, point in points.items())


def test_a_ladder_of_another_seed_has_runs_of_its_own():
    here, there = ({point.run for point in plan(LADDER, seed) if point.kind is not Kind.ABLATION} for seed in (0, 7))
    assert not here & there
    assert {point.seed for point in plan(LADDER, 7)} == {7, 8}


def test_without_a_second_seed_and_ablations_there_are_budgets_alone():
    assert [point.name for point in plan(Ladder(budgets={"jpeg": [90.0]}), 0)] == ["jpeg-90"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("jpeg-120.5", "--tables standard --budget 120.5 --seed 0"),
        ("jpeg-rdo-60", "--tables standard --budget 60 --seed 0 --rdo 0.2"),
        ("sensitivity-70", "--tables sensitivity --budget 70 --seed 0"),
        ("improved-60-seed1", "--tables learned --budget 60 --seed 1"),
        ("flat-start-60", "--tables learned --budget 60 --seed 0 --variant flat-start"),
        ("jpeg-untaught-60", "--tables standard --budget 60 --seed 0 --variant untaught"),
    ],
)
def test_each_kind_asks_for_its_tables(name, words):
    (point,) = (point for point in plan(LADDER, 0) if point.name == name)
    assert arguments(point, LADDER) == words.split()


def test_a_written_plan_holds_what_compare_reads(tmp_path):
    points = plan(LADDER, 0)
    write_plan(tmp_path / "new", points, data="synthetic-32/test", recipe="mine.toml", variants=["cpu", "short"])
    written = json.loads((tmp_path / "new" / "ladder.json").read_text())
    assert {key: written[key] for key in ("data", "recipe", "variant")} == {
        "data": "synthetic-32/test",
        "recipe": "mine.toml",
        "variant": "cpu short",
    }
    assert [(point["name"], point["kind"]) for point in written["points"]] == [
        (point.name, str(point.kind)) for point in points
    ]


def test_one_that_fails_is_told_by_the_end_of_its_log_and_the_others_run_to_their_end(tmp_path):
    bad, good, ended = tmp_path / "bad", tmp_path / "good", []
    missing = ["train", "no-such-recipe", "--tables", "any", "--out", str(bad / "run")]
    commands = [Command(bad, (missing, ["recipes"])), Command(good, (["recipes"],))]
    with pytest.raises(RunError) as caught:
        run_commands(commands, 1, ended.append)
    message = str(caught.value)
    assert message.startswith("train no-such-recipe --tables any")
    assert f"ended with status 1; {bad / LOG_NAME} ends with:" in message
    assert "no recipe 'no-such-recipe'; shipped:" in message
    assert ended == [good]
    assert "synthetic-32" in (good / LOG_NAME).read_text()
    assert "cifar-100-python" not in (bad / LOG_NAME).read_text()  # the step after the one that failed


@pytest.mark.parametrize("name", recipe.shipped_names())
def test_a_shipped_recipes_ablations_are_variants_that_it_has(name):
    ladder = getattr(recipe.load(name), "ladder", Ladder())
    assert {ablation.variant for ablation in ladder.ablations} <= set(recipe.variants_of(name))
