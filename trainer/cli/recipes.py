"""`dctwire-trainer recipes`: what comes with dctwire."""

from rich.console import Console

from trainer.cli.tables import recipe_table
from trainer.recipes import recipe as recipes


def list_recipes() -> None:
    """List the recipes that come with dctwire, and their variants."""
    rows = [(name, recipes.load(name), recipes.variants_of(name)) for name in recipes.shipped_names()]
    Console().print(recipe_table(rows))
