"""The recipe for a folder: what follows from how many pictures there are, how large, and what a frame may cost."""

from dataclasses import replace

import pytest

from trainer.data.folder import FolderData
from trainer.data.picture_facts import PictureFacts
from trainer.recipes.for_pictures import FEW_STEPS, STEPS, batch_for, epochs_for, recipe_for, side_for, steps_per_epoch

FACTS = PictureFacts(train=576, classes=4, side_px=640, coarse_bytes={32: 73.0, 64: 290.0, 224: 1_890.0})


@pytest.mark.parametrize(
    ("budget", "side"),
    [(20, 32), (150, 32), (289, 32), (290, 64), (1_889, 64), (1_890, 224), (None, 64)],
)
def test_the_largest_frame_that_the_budget_buys_is_taken(budget: float | None, side: int) -> None:
    assert side_for(FACTS, budget) == side


def test_pictures_are_not_enlarged() -> None:
    assert side_for(replace(FACTS, side_px=100), 5_000) == 64
    assert side_for(replace(FACTS, side_px=20), 5_000) == 32  # the smallest that there is a net for


@pytest.mark.parametrize("train", [2, 16, 40, 100, 576, 5_000, 50_000, 1_000_000])
def test_a_run_has_steps_enough_whatever_the_number_of_pictures(train: int) -> None:
    batch = batch_for(train)
    steps = epochs_for(train, batch) * steps_per_epoch(train, batch)
    assert steps >= STEPS or epochs_for(train, batch) == 200
    assert 8 <= batch <= 128
    if train >= 100:
        assert steps >= FEW_STEPS
        assert steps_per_epoch(train, batch) >= 8


@pytest.mark.parametrize("train", [16, 576, 50_000])
@pytest.mark.parametrize("budget", [None, 60.0, 300.0, 2_000.0])
def test_every_recipe_is_whole_and_has_all_phases(train: int, budget: float | None) -> None:
    recipe = recipe_for(replace(FACTS, train=train), "/data/pets", budget)
    assert isinstance(recipe.data, FolderData)
    assert recipe.data.path == "/data/pets"
    assert recipe.data.crops is (recipe.data.size > 64)
    assert recipe.net is not None
    settling = recipe.epochs - recipe.tables.warm_up_epochs - recipe.tables.learning_epochs
    assert min(recipe.tables.warm_up_epochs, recipe.tables.learning_epochs, settling) >= 3


@pytest.mark.parametrize(
    ("budget", "budgets"),
    [(None, []), (60, [60, 120]), (150, [75, 150, 300]), (300, [300, 600]), (500, [250, 500, 1_000])],
)
def test_the_ladder_goes_below_the_budget_only_as_far_as_jpeg_does(budget: float | None, budgets: list[float]) -> None:
    assert recipe_for(FACTS, "/data/pets", budget).ladder.budgets.get("improved", []) == budgets
