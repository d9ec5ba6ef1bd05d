"""`dctwire-trainer recipes`: what comes with dctwire, and a complete recipe to edit."""

from typing import Annotated

import typer

from shared.text_table import output_columns
from trainer.cli.options import VariantOption
from trainer.cli.recipe_choice import chosen_recipe, is_folder
from trainer.cli.tables import recipe_table
from trainer.cli.terminal import laid_out
from trainer.errors import RecipeError
from trainer.recipes import recipe as recipes
from trainer.recipes.toml_text import toml_of


def list_recipes(
    shown: Annotated[
        str | None,
        typer.Option("--print", metavar="RECIPE|FOLDER", help="Print this recipe, or one for this folder of pictures."),
    ] = None,
    budget: Annotated[
        float | None, typer.Option(help="With a folder of pictures: scan bytes a frame that the recipe is for.")
    ] = None,
    variant: VariantOption = None,
) -> None:
    """List the recipes that come with dctwire, or print a complete one: every key, and what it means.

    [bold]To edit:[/] dctwire-trainer recipes --print pets --budget 150 > pets.toml

    [bold]Then:[/] dctwire-trainer train pets.toml --budget 150

    The `path` of a folder of pictures starts where the recipe's file is.
    """
    if shown is not None:
        recipe = chosen_recipe(shown, variant or [], budget)
        variants = {} if is_folder(shown) or variant else recipes.variants_of(shown)
        print(toml_of(recipe, variants), end="")
        return
    if budget is not None or variant:
        raise RecipeError("--budget and --variant belong to --print")
    rows = [(name, recipes.load(name), [*recipes.variants_of(name)]) for name in recipes.shipped_names()]
    print(laid_out(recipe_table(rows), output_columns()))
