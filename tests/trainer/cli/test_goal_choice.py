"""Flags become goals, and every flag that does not belong is named."""

from typing import Any

import pytest

from tests.trainer.paper.small import recipe as paper_recipe
from trainer.cli.goal_choice import TablesKind, chosen_goal
from trainer.errors import RecipeError
from trainer.recipes.goals import AnyTablesGoal, LearnedGoal, PenalisedGoal, SensitivityGoal, StandardGoal
from trainer.recipes.recipe import PaperRecipe, Recipe

IMPROVED = Recipe.model_validate(
    {"data": {"name": "synthetic"}, "net": {"widths": [8]}, "optimiser": {"epochs": 3}}, strict=True
)
PAPER = paper_recipe()


@pytest.mark.parametrize(
    ("recipe", "tables", "flags", "goal"),
    [
        (IMPROVED, "any", {}, AnyTablesGoal()),
        (IMPROVED, "standard", {"quality": 12.5}, StandardGoal(quality=12.5)),
        (IMPROVED, "standard", {"budget": 90, "rdo_multiplier": 0.12}, StandardGoal(budget=90, rdo_multiplier=0.12)),
        (IMPROVED, "sensitivity", {"budget": 90}, SensitivityGoal(budget=90)),
        (IMPROVED, "learned", {"budget": 90}, LearnedGoal(budget=90)),
        (PAPER, "standard", {"quality": 50}, StandardGoal(quality=50)),
        (PAPER, "learned", {}, PenalisedGoal(weight=PAPER.penalty.weight)),
        (PAPER, "learned", {"weight": 3.0}, PenalisedGoal(weight=3.0)),
    ],
)
def test_flags_become_the_goal_that_they_ask_for(
    recipe: PaperRecipe | Recipe,
    tables: str,
    flags: dict[str, Any],
    goal: AnyTablesGoal | LearnedGoal | PenalisedGoal | SensitivityGoal | StandardGoal,
) -> None:
    assert chosen_goal(recipe, TablesKind(tables), **flags) == goal


@pytest.mark.parametrize(
    ("recipe", "tables", "flags", "message"),
    [
        (IMPROVED, "any", {"budget": 90}, "--tables any: --budget: belongs to other"),
        (IMPROVED, "any", {"quality": 50}, "--quality: belongs to other"),
        (IMPROVED, "any", {"rdo_multiplier": 0.1}, "--rdo: belongs to other"),
        (IMPROVED, "standard", {}, "--tables standard: standard tables need a quality or a budget"),
        (IMPROVED, "standard", {"quality": 50, "budget": 90}, "--tables standard: .*not both"),
        (IMPROVED, "standard", {"quality": 101}, "--quality: Input should be less"),
        (IMPROVED, "standard", {"quality": 50, "rdo_multiplier": 11}, "--rdo: Input should be less"),
        (IMPROVED, "standard", {"quality": 50, "weight": 1.0}, "--lambda: belongs to other"),
        (IMPROVED, "sensitivity", {}, "--budget: is needed"),
        (IMPROVED, "sensitivity", {"budget": 90, "weight": 1.0}, "--lambda: belongs to other"),
        (IMPROVED, "learned", {}, "--tables learned: --budget: is needed"),
        (IMPROVED, "learned", {"budget": -3}, "--budget: Input should be greater"),
        (IMPROVED, "learned", {"budget": 90, "rdo_multiplier": 0.1}, "--rdo: belongs to other"),
        (
            IMPROVED,
            "learned",
            {"quality": 50, "weight": 1},
            "--budget: is needed; --quality: .*; --lambda: belongs to other",
        ),
        (PAPER, "learned", {"budget": 90}, "--tables learned by the paper: --budget: belongs to other"),
        (PAPER, "learned", {"weight": 0.0}, "--lambda: Input should be greater"),
        (PAPER, "standard", {"quality": 50, "weight": 1.0}, "--lambda: belongs to other"),
        (PAPER, "any", {}, "the paper's method knows no --tables any"),
        (PAPER, "sensitivity", {"budget": 90}, "the paper's method knows no --tables sensitivity"),
        (PAPER, "standard", {"budget": 90}, "--budget"),
        (PAPER, "standard", {"quality": 50, "rdo_multiplier": 0.1}, "--rdo"),
    ],
)
def test_what_does_not_belong_together_is_refused_by_the_flags_name(
    recipe: PaperRecipe | Recipe, tables: str, flags: dict[str, Any], message: str
) -> None:
    with pytest.raises(RecipeError, match=message):
        chosen_goal(recipe, TablesKind(tables), **flags)
