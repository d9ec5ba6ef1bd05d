"""What a run is for, from the flags of the command line."""

from enum import StrEnum

from pydantic import TypeAdapter, ValidationError

from trainer.errors import RecipeError
from trainer.recipes.goals import Goal, ImprovedGoal, PaperGoal, StandardGoal
from trainer.recipes.recipe import PaperRecipe, Recipe

FLAGS = {"rdo_multiplier": "--rdo", "weight": "--lambda"}  # where the flag is called otherwise than the goal's field

WORDS = {"missing": "is needed", "extra_forbidden": "belongs to other tables or to the other method"}


class TablesKind(StrEnum):
    """Which tables to train for."""

    ANY = "any"
    STANDARD = "standard"
    SENSITIVITY = "sensitivity"
    LEARNED = "learned"


def chosen_goal(
    recipe: Recipe | PaperRecipe,
    tables: TablesKind,
    *,
    quality: float | None = None,
    budget: float | None = None,
    rdo_multiplier: float | None = None,
    weight: float | None = None,
) -> Goal:
    """The goal that these flags ask for.

    Args:
        weight: `--lambda`; with the paper's method the recipe's own unless it is given.

    Raises:
        RecipeError: one is missing, out of range, or belongs to other tables or another method.
    """
    kind, is_paper = str(tables), isinstance(recipe, PaperRecipe)
    if isinstance(recipe, PaperRecipe) and tables is TablesKind.LEARNED:
        kind, weight = "penalised", recipe.penalty.weight if weight is None else weight
    fields = {"quality": quality, "budget": budget, "rdo_multiplier": rdo_multiplier, "weight": weight}
    given = {name: value for name, value in fields.items() if value is not None}
    try:
        goal = TypeAdapter[Goal](Goal).validate_python({"tables": kind, **given})
    except ValidationError as error:
        raise RecipeError(f"--tables {tables}{' by the paper' * is_paper}: {_faults(error)}") from error
    if not isinstance(goal, PaperGoal if is_paper else ImprovedGoal):
        raise RecipeError(f"the paper's method knows no --tables {tables}: standard or learned")
    if is_paper and isinstance(goal, StandardGoal) and (goal.quality is None or goal.rdo_multiplier):
        raise RecipeError("the paper's method knows no --budget and no --rdo: its standard tables have a --quality")
    return goal


def _faults(error: ValidationError) -> str:
    return "; ".join(_fault(list(fault["loc"][1:]), fault["type"], fault["msg"]) for fault in error.errors())


def _fault(place: list[int | str], kind: str, text: str) -> str:
    """Say in words what is wrong with one flag; a flag that these tables do not know belongs to other tables."""
    text = WORDS.get(kind, text.removeprefix("Value error, "))
    return f"{FLAGS.get(str(place[0]), f'--{place[0]}')}: {text}" if place else text
