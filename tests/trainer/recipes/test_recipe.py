"""Recipes: the shipped ones load, and every fault of a written one is named."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from trainer.data.folder import FolderData
from trainer.errors import RecipeError
from trainer.models import BodyKind
from trainer.recipes import recipe
from trainer.recipes.goals import AnyTablesGoal, LearnedGoal, SensitivityGoal

GOOD = """
[data]
name = "synthetic"
[net]
widths = [8, 16]
[optimiser]
epochs = 3
"""


VARIANTS = """
[variants.short.optimiser]
epochs = 2
[variants.short.tables]
warm_up_epochs = 0
[variants.wide]
seed = 4
net = { widths = [32, 32, 32] }
"""


def _improved(path: Path, variants: Sequence[str] = ()) -> recipe.Recipe:
    """The recipe of the file, which is one of the improved method."""
    loaded = recipe.load(str(path), variants)
    assert isinstance(loaded, recipe.Recipe)
    return loaded


def _widths(of: recipe.Recipe) -> list[int]:
    assert isinstance(of.net, recipe.Net)
    return of.net.widths


@pytest.mark.parametrize("name", recipe.shipped_names())
def test_a_shipped_recipe_loads_with_each_of_its_variants(name: str) -> None:
    for variants in ([], *([variant] for variant in recipe.variants_of(name))):
        assert recipe.load(name, variants).epochs >= 3


def test_a_variant_replaces_single_keys_and_leaves_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD + VARIANTS)
    plain, short, both = (_improved(path, names) for names in ([], ["short"], ["short", "wide"]))
    assert (plain.optimiser.epochs, plain.tables.warm_up_epochs, _widths(plain)) == (3, 1, [8, 16])
    assert (short.optimiser.epochs, short.tables.warm_up_epochs, _widths(short)) == (2, 0, [8, 16])
    assert (both.optimiser.epochs, both.seed, _widths(both)) == (2, 4, [32, 32, 32])
    assert [*recipe.variants_of(str(path))] == ["short", "wide"]


@pytest.mark.parametrize(
    ("variants", "message"),
    [
        ("[variants.short.optimiser]\nepoch = 2", "variant short of .*optimiser.epoch: Extra inputs"),
        ("[variants.short.optimiser]\nepochs = 2", "variant short of .*must exceed"),
        ("[variants]\nshort = 3", r"variants must be sections, \[variants.NAME\]"),
        ("[variants.wide.net]\nblocks = 2", "no variant 'short'; it has: wide"),
        ("", "no variant 'short'; it has: none"),
    ],
)
def test_a_fault_of_a_variant_is_named_whichever_is_asked_for(tmp_path: Path, variants: str, message: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(f"{GOOD}\n{variants}")
    with pytest.raises(RecipeError, match=f"(?s){message}"):
        recipe.load(str(path), [] if "short of" in message else ["short"])


def test_the_demos_recipe_is_shipped() -> None:
    assert "synthetic-32" in recipe.shipped_names()


def test_a_recipe_of_ones_own_is_given_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD)
    assert _widths(_improved(path)) == [8, 16]


def test_a_recipe_chooses_the_kind_of_net(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD.replace("[net]", '[net]\nkind = "inverted-residual"'))
    net = recipe.load(str(path)).net
    assert net is not None and net.kind is BodyKind.INVERTED


MORE = """
[branch]
epochs = 2
learning_rate = 0.003
distillation_weight = 0.25
[encoder]
dead_zone = 0.1
[ladder]
budgets = { jpeg = [90.0] }
"""


@pytest.mark.parametrize(
    ("goal", "is_branch", "looked_at"),
    [
        (LearnedGoal(budget=90), True, {"branch", "encoder"}),
        (LearnedGoal(budget=90), False, {"encoder"}),
        (SensitivityGoal(budget=90), True, {"branch"}),
        (AnyTablesGoal(), False, set()),
    ],
)
def test_a_run_is_the_same_whatever_the_sections_say_that_it_does_not_look_at(
    tmp_path: Path, goal: AnyTablesGoal | LearnedGoal | SensitivityGoal, is_branch: bool, looked_at: set[str]
) -> None:
    path, plain = tmp_path / "more.toml", tmp_path / "plain.toml"
    path.write_text(GOOD + MORE)
    plain.write_text(GOOD)
    of_run, without = (_improved(one).of_run(goal, is_branch=is_branch) for one in (path, plain))
    differs = {name for name, value in of_run if value != getattr(without, name)}
    assert differs == looked_at


def test_a_branch_has_its_own_epochs_and_rates_and_the_optimisers_rest(tmp_path: Path) -> None:
    path, plain = tmp_path / "more.toml", tmp_path / "plain.toml"
    path.write_text(GOOD.replace("epochs = 3", "epochs = 3\nbatch = 32\nmuon_learning_rate = 0.02") + MORE)
    plain.write_text(GOOD)
    branch = _improved(path).branch_optimiser
    assert (branch.epochs, branch.learning_rate, branch.distillation_weight) == (2, 0.003, 0.25)
    assert (branch.batch, branch.muon_learning_rate) == (32, 0.0)
    without = _improved(plain)
    assert without.branch_optimiser == without.optimiser


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("epochs = 3", "epochs = 3\nbatchsize = 4"), "optimiser.batchsize: Extra inputs are not permitted"),
        (("epochs = 3", 'epochs = "3"'), "optimiser.epochs: Input should be a valid integer"),
        (("epochs = 3", "epochs = 2"), "must exceed tables.warm_up_epochs"),
        (("epochs = 3", "epochs = 3\nlearning_rate = 0.0"), "optimiser.learning_rate: Input should be greater than 0"),
        (('name = "synthetic"', 'name = "mnist"'), "'synthetic', 'cifar-100-python'"),
        (('name = "synthetic"', 'name = "synthetic"\nflip = true'), "data.synthetic.flip: Input should be False"),
        (('name = "synthetic"', 'name = "folder"\npath = "pets"\nsize = 50'), "size: Input should be a multiple of 16"),
        (('name = "synthetic"', 'name = "folder"\nsize = 64'), "data.folder.path: Field required"),
        (('name = "synthetic"', 'name = "synthetic"\nsize = 48'), "data.synthetic.size: Input should be 32 or 64"),
        (("[net]", '[net]\nkind = "transformer"'), "net.kind: Input should be 'residual' or 'inverted-residual'"),
        (("widths = [8, 16]", "widths = []"), "net.widths: List should have at least 1 item"),
        (("epochs = 3", "epochs = 3\n[branch]\nepochs = 1"), "branch.epochs = 1 must exceed tables.learning_epochs"),
        (("epochs = 3", "epochs = 3\n[ladder.budgets]\nwebp = [9.0]"), "ladder.budgets.webp"),
        (("[optimiser]", "[optimiser"), "is not TOML"),
    ],
)
def test_a_fault_is_named_by_its_key(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD.replace(*change))
    with pytest.raises(RecipeError) as caught:
        recipe.load(str(path))
    assert message in str(caught.value)


def test_an_unknown_name_lists_the_shipped_recipes() -> None:
    with pytest.raises(RecipeError, match=r"shipped: .*synthetic-32"):
        recipe.load("syntetic-32")


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"#" * 100_000], ids=["missing", "not text", "too long"])
def test_a_file_that_is_no_recipe_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "mine.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RecipeError, match=r"mine\.toml"):
        recipe.load(str(path))


FOLDER = GOOD.replace('name = "synthetic"', 'name = "folder"\nsize = 32\npath = "{path}"')


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("pets", "{home}/mine/pets"),
        ("../pets", "{home}/pets"),
        ("./a/../pets", "{home}/mine/pets"),
        ("/data/pets",) * 2,
    ],
)
def test_a_folder_s_path_starts_where_the_recipe_s_file_is(tmp_path: Path, path: str, found: str) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "pets.toml").write_text(
        FOLDER.replace("{path}", path) + "[variants.v.data]\npath = '../other'\n"
    )
    for name in (str(tmp_path / "mine" / "pets.toml"), os.path.relpath(tmp_path / "mine" / "pets.toml")):
        data = recipe.load(name).data
        assert isinstance(data, FolderData)
        assert data.path == found.replace("{home}", str(tmp_path))
        varied = recipe.load(name, ["v"]).data
        assert isinstance(varied, FolderData)
        assert varied.path == f"{tmp_path}/other"


def test_what_is_no_recipe_is_said_with_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "pets").mkdir()
    (tmp_path / "pets.toml").mkdir()
    (tmp_path / "notes").write_text("words")
    for name, message in (
        ("pets", "is a folder, not a recipe: a folder of pictures is for `train`"),
        ("pets.toml", "is a folder, not a recipe"),
        ("notes", "is a file, but the name of a recipe's file ends in .toml"),
    ):
        with pytest.raises(RecipeError, match=re.escape(message)):
            recipe.load(str(tmp_path / name))
