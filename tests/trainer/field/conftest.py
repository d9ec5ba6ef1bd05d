"""One champion for all tests of the field: a small net that names most synthetic characters."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.trainer.machine import machine
from trainer import jobs
from trainer.data import Dataset
from trainer.export import bundle as bundles
from trainer.export.bundle import Exportable
from trainer.jobs import Machine, TrainOrder
from trainer.recipes.goals import StandardGoal
from trainer.recipes.recipe import Recipe
from trainer.training.run_dir import Finished, RunDir

RECIPE = Recipe.model_validate(
    {
        "data": {"name": "synthetic", "train": 4096, "validation": 512, "test": 512},
        "net": {"widths": [16, 24]},
        "optimiser": {"epochs": 8, "batch": 64, "learning_rate": 0.01, "muon_learning_rate": 0.02},
        "tables": {"refit_steps": 16, "rate_frames": 256},
    }
)


@dataclass(frozen=True)
class Champion:
    """A finished run, what it was trained with, and the same ready to be exported."""

    folder: Path
    machine: Machine
    dataset: Dataset
    run: Finished
    content: Exportable


@pytest.fixture(scope="session")
def champion(tmp_path_factory: pytest.TempPathFactory) -> Champion:
    """Trained for ordinary JPEG of quality 50."""
    folder = tmp_path_factory.mktemp("champion")
    ours = machine(folder)
    jobs.train(TrainOrder(recipe=RECIPE, goal=StandardGoal(quality=50), out=folder / "v1"), ours)
    run, dataset = RunDir(folder / "v1").finished(), ours.dataset(RECIPE)
    assert run.summary.validation_accuracy > 0.5  # or it has no confident answers
    return Champion(folder / "v1", ours, dataset, run, bundles.exportable(run, dataset))
