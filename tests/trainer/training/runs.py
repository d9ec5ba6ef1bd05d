"""Trainings of the improved method for tests, whose clock stands still."""

from typing import Any

from trainer.data import Dataset
from trainer.recipes.goals import ImprovedGoal
from trainer.recipes.recipe import Recipe
from trainer.training.compute import Compute
from trainer.training.epochs import Epoch, Training
from trainer.training.improved import ImprovedMethod


def training_of(
    recipe: Recipe,
    dataset: Dataset,
    goal: ImprovedGoal,
    compute: Compute | None = None,
    start: dict[str, Any] | None = None,
) -> Training[ImprovedMethod]:
    """A run at its beginning, on the CPU unless `compute` says otherwise."""
    return Training(ImprovedMethod(recipe, dataset, goal, compute or Compute(), start), clock=lambda: 0.0)


def all_epochs(training: Training[Any]) -> list[Any]:
    """The figures of all epochs that are left."""
    epochs: list[Epoch] = []
    while not training.is_done:
        epochs.append(training.run_epoch())
    return epochs
