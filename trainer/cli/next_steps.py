"""What to do after a command, as lines that can be pasted."""

import re
import shlex
from pathlib import Path

from shared.bundle import BUNDLE_NAME
from trainer.data.folder import FolderData
from trainer.data.synthetic import SyntheticData
from trainer.recipes.goals import AnyTablesGoal, Goal
from trainer.recipes.recipe import AnyRecipe, PaperRecipe, Recipe
from trainer.training.run_dir import RunDir


def after_training(recipe: AnyRecipe, goal: Goal, run: Path, source: str, data_dir: Path | None) -> list[str]:
    """Measure, export, publish.

    Args:
        source: what the run was trained from, as it was typed.
    """
    where = _data_folder(recipe, data_dir)
    measure = _line("dctwire-trainer", "evaluate", run, *where)
    if isinstance(recipe, PaperRecipe):
        return [measure]
    family = family_for(recipe)
    if isinstance(goal, AnyTablesGoal):
        fallback = Path("bundles") / f"{family}-fallback"
        branch = _line("dctwire-trainer", "train", source, "--init", run, "--budget", "150", *where)
        return [measure, branch, _export(recipe, goal, run, where), after_export(fallback, assigns=False)]
    bundle = Path("bundles") / f"{family}-1"
    return [measure, _export(recipe, goal, run, where), after_export(bundle, assigns=True)]


def after_evaluation(source: Path, data_dir: Path | None) -> list[str]:
    """Export a run, publish a bundle; runs of the paper's method are for figures alone."""
    if (source / BUNDLE_NAME).exists():
        return [after_export(source, assigns=True)]
    asked = RunDir(source).asked()
    if isinstance(asked.recipe, PaperRecipe):
        return []
    return [_export(asked.recipe, asked.goal, source, _data_folder(asked.recipe, data_dir))]


def after_export(folder: Path, *, assigns: bool) -> str:
    """Publish; what is no first bundle is rather led in by a rollout than assigned."""
    return _line("dctwire", "publish", folder, "--keys", "keys", *(["--assign"] if assigns else []))


def rollout(family: str, counter: int) -> str:
    """Lead a family to a bundle that was published."""
    return _line("dctwire", "rollout", "start", family, str(counter))


def family_for(recipe: AnyRecipe) -> str:
    """A name that a family can have, from the data set's."""
    name = Path(recipe.data.path).name if isinstance(recipe.data, FolderData) else recipe.data.name
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] or "family"


def run_folder(source: str, goal: Goal, variants: list[str], seed: int | None) -> Path:
    """Where a run goes that was given no place: runs/SOURCE-TABLES-TARGET."""
    values = [
        f"{value:g}" for value in goal.model_dump(exclude_none=True).values() if isinstance(value, float) and value
    ]
    stem = Path(source).resolve().name.removesuffix(".toml")
    seeds = [] if seed is None else [f"seed{seed}"]
    return Path("runs") / "-".join([stem, *variants, goal.tables, *values, *seeds])


def _data_folder(recipe: AnyRecipe, data_dir: Path | None) -> list[str]:
    is_found = data_dir is None or isinstance(recipe.data, FolderData | SyntheticData)
    return [] if is_found else ["--data-dir", str(data_dir)]


def _export(recipe: Recipe, goal: Goal, run: Path, where: list[str]) -> str:
    family = family_for(recipe)
    is_fallback = isinstance(goal, AnyTablesGoal)
    counter = [] if is_fallback else ["--counter", "1"]
    out = Path("bundles") / f"{family}-{'fallback' if is_fallback else 1}"
    return _line("dctwire-trainer", "export", run, "--family", family, *counter, "--out", out, *where)


def _line(*words: str | Path) -> str:
    return shlex.join(map(str, words))
