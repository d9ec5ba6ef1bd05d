"""A small recipe of the paper's method and pictures to run it on."""

from typing import Any

import torch

from trainer.data import Dataset, SplitName, synthetic
from trainer.paper.training import PaperMethod
from trainer.recipes.goals import PenalisedGoal, StandardGoal
from trainer.recipes.recipe import PaperRecipe
from trainer.training.compute import Compute
from trainer.training.epochs import Training

CPU = Compute(torch.device("cpu"), torch.float32)
ALTERNATING = {
    "kind": "alternating",
    "alternations": 2,
    "batch": 32,
    "scaled_from": [1],
    "scales": [0.1],
    "classifier_rate": 0.01,
}
END_TO_END = {"kind": "end-to-end", "epochs": 3, "batch": 32, "scaled_from": [2], "scales": [0.1]}


def recipe(**sections: Any) -> PaperRecipe:
    """Two alternations of a WRN-10-1; sections replace others whole."""
    return PaperRecipe.model_validate(
        {
            "method": "paper",
            "data": {"name": "synthetic", "train": 128, "validation": 64, "test": 64},
            "net": {"kind": "wide-resnet", "depth": 10, "width": 1},
            "penalty": {"kind": "hinge-l1", "weight": 0.01},
            "schedule": ALTERNATING,
            "sweep": {"weights": [0.01], "qualities": [50.0]},
            **sections,
        }
    )


def dataset(train: int = 128) -> Dataset:
    """Synthetic 32x32 characters."""
    sizes = {SplitName.TRAIN: train, SplitName.VALIDATION: 64, SplitName.TEST: 64}
    splits = {name: synthetic.generate(name, count, size=32, seed=11) for name, count in sizes.items()}
    return Dataset.of("synthetic-32/test", synthetic.CLASSES, splits)


def training(
    goal: StandardGoal | PenalisedGoal | None = None, data: Dataset | None = None, **sections: Any
) -> Training[PaperMethod]:
    """With learned tables unless the goal says otherwise."""
    method = PaperMethod(recipe(**sections), data or dataset(), goal or PenalisedGoal(weight=0.01), CPU)
    return Training(method, clock=lambda: 0.0)


def run(of: Training[PaperMethod]) -> list[Any]:
    """All epochs that are left."""
    epochs = []
    while not of.is_done:
        epochs.append(of.run_epoch())
    return epochs
