"""Runs: budget control with real streams, the same effort for both kinds of tables, resuming, and refusals."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from shared.jpeg import TableSet
from tests.trainer.training.runs import all_epochs, training_of
from trainer.data import Dataset, Split, SplitName, synthetic
from trainer.encoding import streams
from trainer.encoding.files import Encoding
from trainer.errors import BudgetError, DivergedError, RecipeError, RunError
from trainer.models.sizes import SHAPES
from trainer.recipes.goals import ImprovedGoal, LearnedGoal, StandardGoal
from trainer.recipes.recipe import Recipe
from trainer.training.compute import Compute
from trainer.training.epochs import Training
from trainer.training.improved import ImprovedMethod, Phase, new_net


def _recipe(tables: dict[str, float] | None = None, widths: tuple[int, ...] = (12, 16), **optimiser: Any) -> Recipe:
    return Recipe.model_validate(
        {
            "data": {"name": "synthetic", "train": 1536, "validation": 1024, "test": 256},
            "net": {"widths": list(widths)},
            "optimiser": {"epochs": 3, "batch": 64, "learning_rate": 0.02, **optimiser},
            "tables": {"refit_steps": 8, "rate_frames": 1024, "learning_rate": 0.05, **(tables or {})},
        }
    )


def _pictures(train: int, validation: int) -> Dataset:
    sizes = {SplitName.TRAIN: train, SplitName.VALIDATION: validation, SplitName.TEST: 64}
    splits = {name: synthetic.generate(name, count, size=32, seed=11) for name, count in sizes.items()}
    return Dataset.of("synthetic-32/test", synthetic.CLASSES, splits)


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return _pictures(1536, 1024)


@pytest.fixture(scope="module")
def few() -> Dataset:
    """Enough where runs are only compared with each other."""
    return _pictures(320, 128)


@pytest.mark.parametrize("budget", [60, 120])
def test_learned_tables_land_on_the_budget_in_real_held_out_scans(dataset: Dataset, budget: int) -> None:
    training = training_of(_recipe(), dataset, LearnedGoal(budget=budget), Compute())
    epochs = all_epochs(training)
    scans = streams.scan_bytes(training.method.finished_encoding(), dataset.validation.pixels)
    assert abs(scans.mean() / budget - 1) < 0.02
    assert epochs[-1].scan_bytes == scans.mean()
    assert [epoch.phase for epoch in epochs] == [Phase.WARM_UP, Phase.LEARN, Phase.SETTLE]
    assert epochs[1].rate_error < 0.1
    assert epochs[1].price > 0


def test_learning_moves_the_tables_away_from_where_the_sensitivities_put_them(dataset: Dataset) -> None:
    moved = []
    for learning_rate in (1e-9, 0.05):
        training = training_of(_recipe({"learning_rate": learning_rate}), dataset, LearnedGoal(budget=90), Compute())
        training.run_epoch()
        training.run_epoch()
        moved.append(np.array([list(table) for table in training.method.encoding.tables.quant]))
    still, learned = moved
    assert (still != learned).mean() > 0.5
    assert learned.min() >= 1


def test_standard_tables_stay_what_ordinary_cameras_use(dataset: Dataset) -> None:
    training = training_of(_recipe(), dataset, StandardGoal(quality=50), Compute())
    epochs = all_epochs(training)
    ordinary = Encoding(TableSet.standard(50))
    assert training.method.finished_encoding() == ordinary
    assert {epoch.phase for epoch in epochs} == {Phase.FIT}
    assert epochs[-1].loss < epochs[0].loss


def _note(taken: list[tuple[int, int]], done: int, total: int) -> None:
    taken.append((done, total))


def test_both_kinds_of_tables_take_the_same_number_of_steps(few: Dataset) -> None:
    steps = []
    for goal in (StandardGoal(quality=50), LearnedGoal(budget=90)):
        training = training_of(_recipe(), few, goal, Compute())
        taken: list[tuple[int, int]] = []
        while not training.is_done:
            training.run_epoch(partial(_note, taken))
        steps.append(taken)
    assert steps[0] == steps[1]
    assert len(steps[0]) == 3 * (320 // 64)


GOALS: dict[str, ImprovedGoal] = {"standard": StandardGoal(quality=50), "learned": LearnedGoal(budget=90)}
LONG = _recipe({"learning_epochs": 2}, epochs=4)  # to be stopped in the middle of learning, too


@pytest.fixture(scope="module", params=GOALS)
def whole(request: pytest.FixtureRequest, few: Dataset) -> Training[ImprovedMethod]:
    """A run that nobody interrupted."""
    training = training_of(LONG, few, GOALS[request.param], Compute())
    all_epochs(training)
    return training


@pytest.mark.parametrize("stop_after", [1, 2, 3])
def test_a_resumed_run_ends_like_one_that_was_never_interrupted(
    few: Dataset, whole: Training[ImprovedMethod], stop_after: int, tmp_path: Path
) -> None:
    first = training_of(LONG, few, whole.method.goal, Compute())
    for _ in range(stop_after):
        first.run_epoch()
    torch.save(first.state(), tmp_path / "state.pt")
    second = training_of(LONG, few, whole.method.goal, Compute())
    second.restore(torch.load(tmp_path / "state.pt", weights_only=True))
    all_epochs(second)
    assert second.method.finished_encoding() == whole.method.finished_encoding()
    for name, value in whole.method.net.state_dict().items():
        assert torch.equal(value, second.method.net.state_dict()[name]), name


def test_a_loss_that_is_no_number_stops_the_run_and_says_when(few: Dataset) -> None:
    training = training_of(_recipe(learning_rate=10.0), few, StandardGoal(quality=50), Compute())
    with torch.no_grad():
        training.method.net.get_parameter("head.weight").fill_(float("nan"))
    with pytest.raises(DivergedError, match="nan at step 0: lower"):
        training.run_epoch()


@pytest.mark.parametrize("budget", [3, 5000])
def test_a_budget_out_of_reach_is_refused_before_any_training(dataset: Dataset, budget: int) -> None:
    with pytest.raises(BudgetError) as caught:
        training_of(_recipe(), dataset, LearnedGoal(budget=budget), Compute())
    assert caught.value.lowest < 40
    assert caught.value.highest > 500


@pytest.mark.parametrize(
    ("recipe", "message"),
    [(_recipe(batch=4096), "batch = 4096 exceeds the 1536"), (_recipe(widths=(8, 8, 8, 8)), "multiples of 64 pixels")],
    ids=["batch", "stages"],
)
def test_a_recipe_that_does_not_fit_the_data_is_refused_before_any_training(
    dataset: Dataset, recipe: Recipe, message: str
) -> None:
    with pytest.raises(RecipeError, match=message):
        training_of(recipe, dataset, StandardGoal(quality=50), Compute())


def test_a_checkpoint_of_something_else_is_refused(few: Dataset) -> None:
    training = training_of(_recipe(), few, StandardGoal(quality=50), Compute())
    state = training.state()
    other = training_of(_recipe(widths=(8, 8)), few, StandardGoal(quality=50), Compute()).state()
    for wrong in ({**state, "net": other["net"]}, {key: state[key] for key in state if key != "fitter"}):
        with pytest.raises(RunError, match="does not fit this version"):
            training.restore(wrong)


def test_the_test_split_does_not_matter_to_training(few: Dataset) -> None:
    nothing = Split(np.zeros_like(few.test.pixels), np.zeros_like(few.test.labels))
    ends = []
    for data in (few, replace(few, test=nothing)):
        training = training_of(_recipe(), data, LearnedGoal(budget=90), Compute())
        ends.append([(epoch.loss, epoch.scan_bytes, epoch.validation_accuracy) for epoch in all_epochs(training)])
    assert ends[0] == ends[1]


def test_validation_steers_only_the_budgets_scale(few: Dataset) -> None:
    others = replace(few, validation=Split(few.validation.pixels, few.validation.labels[::-1].copy()))
    ends = []
    for data in (few, others):
        training = training_of(_recipe(), data, LearnedGoal(budget=90), Compute())
        losses = [epoch.loss for epoch in all_epochs(training)]
        ends.append((losses, training.method.finished_encoding()))
    assert ends[0] == ends[1]


def test_a_recipe_without_a_net_trains_the_shape_of_its_pictures_size(few: Dataset) -> None:
    assert new_net(_recipe().model_copy(update={"net": None}), few).config == SHAPES[32](len(few.classes))


def test_a_size_without_a_shape_is_refused_and_told_what_to_write() -> None:
    splits = {name: synthetic.generate(name, 64, size=48, seed=11) for name in SplitName}
    pictures = Dataset.of("synthetic-48/test", synthetic.CLASSES, splits)
    with pytest.raises(RecipeError, match=r"no net is known for 48 x 48 pictures.*write \[net\]"):
        new_net(_recipe().model_copy(update={"net": None}), pictures)
