"""What a run is for, from the flags of the command line."""

from enum import StrEnum

from trainer.errors import RecipeError
from trainer.goals import Goal, LearnedGoal, PenalisedGoal, StandardGoal
from trainer.recipe import PaperRecipe, Recipe


class TablesKind(StrEnum):
    """Which tables to train for."""

    STANDARD = "standard"
    LEARNED = "learned"


def chosen_goal(
    recipe: Recipe | PaperRecipe,
    tables: TablesKind,
    *,
    quality: float | None = None,
    budget: float | None = None,
    weight: float | None = None,
) -> Goal:
    """The goal that these flags ask for.

    Args:
        weight: `--lambda`.

    Raises:
        RecipeError: one is missing, out of range, or belongs to other tables or another method.
    """
    if tables is TablesKind.STANDARD:
        if budget is not None or weight is not None:
            raise RecipeError("--budget and --lambda belong to --tables learned")
        if quality is None or not 1 <= quality <= 100:
            raise RecipeError("--tables standard needs --quality from 1 to 100")
        return StandardGoal(quality=quality)
    if quality is not None:
        raise RecipeError("--quality belongs to --tables standard")
    if isinstance(recipe, PaperRecipe):
        return _penalised(recipe, budget, weight)
    if weight is not None:
        raise RecipeError("--lambda belongs to the paper's method; here --budget says how many bytes to spend")
    if budget is None or not 0 < budget <= 1e6:
        raise RecipeError("--tables learned needs --budget, scan bytes a frame above 0")
    return LearnedGoal(budget=budget)


def _penalised(recipe: PaperRecipe, budget: float | None, weight: float | None) -> PenalisedGoal:
    if budget is not None:
        raise RecipeError("the paper's method has no --budget: bytes come out of --lambda")
    return PenalisedGoal(weight=recipe.penalty.weight if weight is None else weight)
