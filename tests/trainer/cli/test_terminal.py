"""What the trainer shows to a person."""

import io

import pytest
from rich.console import Console
from rich.table import Table

from trainer.cli.tables import recipe_table
from trainer.cli.terminal import Terminal
from trainer.recipes import recipe as recipes


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_every_recipe_and_variant_is_whole_at_any_width(columns: int) -> None:
    names = recipes.shipped_names()
    variants = {name: [*recipes.variants_of(name)] for name in names}
    shown = io.StringIO()
    rows = [(name, recipes.load(name), variants[name]) for name in names]
    Terminal(Console(file=shown, width=columns)).show(recipe_table(rows))
    text = shown.getvalue()
    assert not [name for name in names if name not in text]
    assert not [variant for of in variants.values() for variant in of if variant not in text]
    assert "…" not in text


def test_title_and_caption_stand_around_a_table_and_markup_is_no_part_of_it() -> None:
    shown = io.StringIO()
    table = Table(title="all", caption="n = 2")
    table.add_column("class")
    table.add_row(r"a \[b]")
    Terminal(Console(file=shown, width=80)).show(table)
    assert shown.getvalue().split() == ["all", "class", "─────", "a", "[b]", "n", "=", "2"]
