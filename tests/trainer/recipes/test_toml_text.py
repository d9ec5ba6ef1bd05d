"""A recipe as text: it reads back as the same recipe, and says of every key what it means."""

from pathlib import Path

import pytest

from trainer.data.picture_facts import PictureFacts
from trainer.recipes import recipe as recipes
from trainer.recipes.for_pictures import recipe_for
from trainer.recipes.recipe import Ladder, Optimiser, Recipe, Tables
from trainer.recipes.toml_text import toml_of


@pytest.mark.parametrize("name", recipes.shipped_names())
def test_a_shipped_recipe_and_all_its_variants_read_back_as_they_were(name: str, tmp_path: Path) -> None:
    path = tmp_path / "copy.toml"
    path.write_text(toml_of(recipes.load(name), recipes.variants_of(name)))
    assert recipes.load(str(path)) == recipes.load(name)
    for variant in recipes.variants_of(name):
        assert recipes.load(str(path), [variant]) == recipes.load(name, [variant])


@pytest.mark.parametrize("folder", ["/data/pets", '/data/a "b" \\ c', "/data/Zürich 猫 \x7f#"])
def test_a_recipe_for_any_folder_reads_back_as_it_was(folder: str, tmp_path: Path) -> None:
    recipe = recipe_for(PictureFacts(576, 4, 64, {32: 73.0, 64: 290.0, 224: 1_890.0}), folder, 150.0)
    path = tmp_path / "pets.toml"
    path.write_text(toml_of(recipe), encoding="utf-8")
    assert recipes.load(str(path)) == recipe


def test_every_key_is_there_and_says_what_it_means() -> None:
    text = toml_of(recipes.load("cifar100-improved"))
    for section in (Optimiser, Tables, Ladder):
        for key in section.model_fields:
            lines = text.splitlines()
            (place,) = [n for n, line in enumerate(lines) if line.startswith(f"{key} = ") and _is_in(lines, n, section)]
            assert " # " in lines[place] or lines[place - 1].startswith("# "), key


def _is_in(lines: list[str], place: int, section: type) -> bool:
    heading = next(line for line in reversed(lines[:place]) if line.startswith("["))
    return heading == f"[{section.__name__.lower()}]"


def test_a_recipe_without_a_net_says_what_it_trains() -> None:
    recipe = recipes.load("synthetic-32")
    assert isinstance(recipe, Recipe)
    assert "# [net]: without it, the shape" in toml_of(recipe.model_copy(update={"net": None}))
