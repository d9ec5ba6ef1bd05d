"""Which recipe is meant: a shipped one, a TOML file, or one made for a folder of pictures."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from shared.bundle import BUNDLE_NAME, FALLBACK_NAME
from shared.pictures import shown
from trainer.comparison.ladder import LADDER_NAME
from trainer.data.picture_facts import picture_facts
from trainer.errors import RecipeError
from trainer.models.sizes import SHAPES
from trainer.recipes import recipe as recipes
from trainer.recipes.for_pictures import recipe_for
from trainer.recipes.goals import Budget
from trainer.recipes.recipe import AnyRecipe, Recipe
from trainer.training.run_dir import ASKED_NAME

OTHER_FOLDERS = {
    ASKED_NAME: "a run",
    BUNDLE_NAME: "a bundle",
    FALLBACK_NAME: "a fallback",
    LADDER_NAME: "a ladder",
}


def is_folder(source: str) -> bool:
    """Whether pictures are meant, and no recipe."""
    return not recipes.is_shipped(source) and Path(source).is_dir()


def chosen_recipe(source: str, variants: Sequence[str], budget: float | None) -> AnyRecipe:
    """The recipe of that name, in that file, or for the pictures in that folder.

    Args:
        variants: names of the recipe's variants to apply.
        budget: scan bytes a frame, where there is one; a folder's recipe follows from it as well.

    Raises:
        RecipeError: there is no such recipe or variant, it asks for something impossible, or so does the budget.
        DatasetError: the folder holds no classes of pictures.
    """
    _check_budget(budget)
    if not is_folder(source):
        return recipes.load(source, variants)
    if variants:
        raise RecipeError(f"{source} is a folder of pictures: only a recipe's file has variants")
    return _for_folder(Path(source), budget)


def _check_budget(budget: float | None) -> None:
    try:
        TypeAdapter[float | None](Budget | None).validate_python(budget)
    except ValidationError as error:
        text = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise RecipeError(f"--budget: {text}, not {budget:g}") from error


def _for_folder(folder: Path, budget: float | None) -> Recipe:
    for name, kind in OTHER_FOLDERS.items():
        if (folder / name).exists():
            raise RecipeError(f"{folder} is {kind}, not a folder of pictures (it holds {name})")
    own = sorted(path.name for path in folder.glob("*.toml"))
    if own and not any(path.is_dir() for path in folder.iterdir()):
        raise RecipeError(f"{folder} is a folder without pictures; is one of its recipes meant, {folder / own[0]}?")
    root = Path.cwd() / folder
    if not str(root).isprintable():
        raise RecipeError(f"{shown(root)}: no recipe can hold a path that is not UTF-8 or not printable: rename it")
    return recipe_for(picture_facts(root, sorted(SHAPES)), str(root), budget)
