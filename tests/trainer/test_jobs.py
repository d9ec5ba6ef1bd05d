"""What the trainer does, as plain functions: what holds however a job ends."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tests.trainer.machine import machine
from trainer.errors import RunError
from trainer.jobs import TrainOrder, train
from trainer.recipes.goals import StandardGoal
from trainer.recipes.recipe import Recipe
from trainer.training.compute import Compute

TINY = Recipe.model_validate({"data": {"name": "synthetic"}, "optimiser": {"epochs": 3}})


@dataclass(frozen=True)
class Noted(Compute):
    """A place in a training that notes when it is left."""

    left: list[str] = field(default_factory=list)

    def leave(self) -> None:
        self.left.append("left")


def test_a_training_that_is_refused_leaves_the_other_processes_too(tmp_path: Path) -> None:
    compute = Noted()
    order = TrainOrder(recipe=TINY, goal=StandardGoal(quality=75), out=tmp_path / "run", start=tmp_path / "missing")
    with pytest.raises(RunError):
        train(order, replace(machine(tmp_path), compute=lambda _: compute))
    assert compute.left == ["left"]
