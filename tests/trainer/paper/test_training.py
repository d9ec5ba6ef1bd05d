"""Runs of the paper's method: who is frozen when, at which rates, resuming, dead kernels, and whether it learns."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from shared.jpeg import TableSet
from tests.trainer.paper.small import END_TO_END, dataset, recipe, run, training
from tests.trainer.present import present
from trainer.data import Dataset
from trainer.data.dataset import Augmentation
from trainer.diff_jpeg.colour import TO_YCBCR
from trainer.encoding import streams
from trainer.encoding.files import Encoding
from trainer.errors import DivergedError, RecipeError, RunError
from trainer.paper.compliance import encoding_of
from trainer.paper.schedule import Learner
from trainer.recipes.goals import PenalisedGoal, StandardGoal
from trainer.training.fitting import parameter_count


@pytest.fixture(scope="module")
def pictures() -> Dataset:
    return dataset()


def _changed(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]) -> set[str]:
    """Parts (kernels, colour, classifier) of which anything at all is different."""
    return {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}


def _copy(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in state.items()}


def test_in_its_turn_each_part_learns_and_the_other_stands_still_to_the_last_bit(pictures: Dataset) -> None:
    of, changed = training(data=pictures, jpeg={"trains_colour": True}), []
    while not of.is_done:
        before = _copy(of.method.net.state_dict())
        epoch = of.run_epoch()
        changed.append((epoch.phase, _changed(before, of.method.net.state_dict())))
    turns = [(Learner.CLASSIFIER, {"classifier"})] * 2 + [(Learner.COMPRESSION, {"kernels", "colour"})]
    assert changed == turns * 2


def test_rates_of_each_epoch_are_the_schedules(pictures: Dataset) -> None:
    epochs = run(training(data=pictures))
    assert [epoch.learning_rate for epoch in epochs] == pytest.approx([0.01, 0.01, 0.05, 0.001, 0.001, 0.005])


def test_every_parameter_counts_whoever_learned_last(pictures: Dataset) -> None:
    of = training(data=pictures)
    before = parameter_count(of.method.net)
    assert [epoch.phase for epoch in run(of)][-1] is Learner.COMPRESSION
    assert parameter_count(of.method.net) == before > 75_000


def test_adam_moves_a_kernel_by_its_rate_in_the_first_step(pictures: Dataset) -> None:
    of = training(data=pictures)
    of.run_epoch()
    of.run_epoch()
    seen = []
    of.run_epoch(lambda done, total: seen.append(of.method.net.kernels.q.detach().clone()) if done == 1 else None)
    moved = (seen[0] - 1).abs()
    assert moved.max() == pytest.approx(0.05, rel=1e-3)


def test_end_to_end_kernels_follow_their_gradient_itself_and_all_else_adam(pictures: Dataset) -> None:
    schedule = {**END_TO_END, "epochs": 1, "scaled_from": [9]}
    sections: dict[str, Any] = {
        "schedule": schedule,
        "penalty": {"kind": "l2", "weight": 1.0},
        "jpeg": {"trains_colour": True},
    }
    data = dataset(train=32)
    of = training(PenalisedGoal(weight=50.0), data, **sections)
    pixels, labels = torch.from_numpy(data.train.pixels), torch.from_numpy(data.train.labels)
    twin = training(data=data, **sections).method.net.train()
    loss = torch.nn.functional.cross_entropy(twin(pixels), labels) + 50.0 * twin.kernels.q.square().sum()
    torch.autograd.backward(loss)
    (epoch,) = run(of)
    assert epoch.phase is Learner.BOTH
    expected = twin.kernels.q.detach() - 1e-8 * present(twin.kernels.q.grad)
    assert torch.allclose(of.method.net.kernels.q, expected, atol=1e-7, rtol=0)
    assert not torch.equal(of.method.net.kernels.q, torch.ones(3, 64))
    moved = (
        of.method.net.get_parameter("classifier.head.weight") - twin.get_parameter("classifier.head.weight")
    ).detach()
    assert moved.abs().max() == pytest.approx(1e-3, rel=1e-2)
    assert (present(of.method.net.colour).matrix.detach() - torch.tensor(TO_YCBCR)).abs().max() == pytest.approx(
        1e-3, rel=1e-2
    )


def test_a_baseline_keeps_standard_tables_and_trains_only_its_classifier(pictures: Dataset) -> None:
    of = training(StandardGoal(quality=12.5), pictures)
    before = _copy(of.method.net.state_dict())
    epochs = run(of)
    assert [epoch.phase for epoch in epochs] == [Learner.CLASSIFIER] * 4
    assert _changed(before, of.method.net.state_dict()) == {"classifier"}
    encoding = of.method.finished_encoding()
    assert encoding.tables.quant == TableSet.standard(12.5).quant
    assert not encoding.settings.zero_mask.any()
    assert {epoch.penalty for epoch in epochs} == {0.0}


def test_kernels_may_start_from_standard_tables(pictures: Dataset) -> None:
    of = training(data=pictures, jpeg={"first_quality": 50.0})
    assert encoding_of(of.method.net.kernels, pictures.train).tables.quant == TableSet.standard(50).quant


@pytest.mark.parametrize("sections", [{}, {"schedule": END_TO_END}], ids=["alternating", "end-to-end"])
@pytest.mark.parametrize("stop_after", [1, 2])
def test_a_resumed_run_ends_like_one_that_was_never_interrupted(
    pictures: Dataset, sections: dict[str, Any], stop_after: int, tmp_path: Path
) -> None:
    sections = {**sections, "net": {"kind": "wide-resnet", "depth": 10, "width": 1, "dropout": 0.2}}
    data = replace(pictures, augmentation=Augmentation(pad=4))
    whole = training(data=data, **sections)
    logged = run(whole)
    first = training(data=data, **sections)
    for _ in range(stop_after):
        first.run_epoch()
    first.run_epoch(lambda done, total: torch.save(first.state(), tmp_path / "state.pt") if done == 2 else None)
    second = training(data=data, **sections)
    second.restore(torch.load(tmp_path / "state.pt", weights_only=True))
    rest = run(second)
    assert _changed(whole.method.net.state_dict(), second.method.net.state_dict()) == set()
    assert second.method.finished_encoding() == whole.method.finished_encoding()
    for ours, theirs in zip(rest, logged[stop_after:], strict=True):
        assert replace(ours, seconds=0) == replace(theirs, seconds=0)


def test_a_checkpoint_of_something_else_is_refused(pictures: Dataset) -> None:
    of, other = training(data=pictures), training(data=pictures, schedule=END_TO_END, jpeg={"trains_colour": True})
    for wrong in (other.state(), {**of.state(), "losses": None}):
        with pytest.raises(RunError, match="does not fit this version"):
            of.restore(wrong)


def test_learning_lowers_the_loss_and_the_bytes(pictures: Dataset) -> None:
    schedule = {"kind": "alternating", "alternations": 3, "batch": 32, "classifier_rate": 0.005, "kernel_rate": 0.1}
    of = training(PenalisedGoal(weight=0.1), replace(pictures, validation=pictures.train), schedule=schedule)
    epochs = run(of)
    fitted = [epoch for epoch in epochs if epoch.phase is Learner.CLASSIFIER]
    assert fitted[-1].loss < 0.9 * fitted[0].loss
    assert epochs[-1].scan_bytes < 0.6 * epochs[0].scan_bytes
    assert epochs[-1].penalty < epochs[0].penalty


def test_figures_are_those_of_real_streams_with_the_mask(pictures: Dataset) -> None:
    of = training(data=pictures)
    with torch.no_grad():
        of.method.net.kernels.q.fill_(0.1)
        of.method.net.kernels.q[:, 0] = 0
    encoding = of.method.finished_encoding()
    unmasked = streams.scan_bytes(Encoding(encoding.tables), pictures.validation.pixels)
    levels = streams.quantise(encoding, pictures.validation)
    assert (levels.y[:, 0] == 0).all()
    assert of.method.held_out().scan_bytes == streams.scan_bytes(encoding, pictures.validation.pixels).mean()
    assert of.method.held_out().scan_bytes < unmasked.mean()
    assert of.method.net.kernels.dead == 3


def test_dead_kernels_are_counted_and_never_break_the_loss(pictures: Dataset) -> None:
    of = training(data=pictures)
    with torch.no_grad():
        of.method.net.kernels.q[0, 5:] = 0
    epochs = run(of)
    assert epochs[0].dead == 59
    assert all(np.isfinite(epoch.loss) for epoch in epochs)
    assert torch.isfinite(of.method.net.kernels.q).all()


def test_a_loss_that_is_no_number_stops_the_run(pictures: Dataset) -> None:
    of = training(data=pictures)
    with torch.no_grad():
        of.method.net.get_parameter("classifier.head.weight").fill_(float("nan"))
    with pytest.raises(DivergedError, match="nan at step 0"):
        of.run_epoch()


def test_a_batch_larger_than_the_data_is_refused_before_any_training(pictures: Dataset) -> None:
    with pytest.raises(RecipeError, match="300 exceeds the 128"):
        training(data=pictures, schedule={"kind": "alternating", "batch": 300})


def test_the_same_recipe_and_seed_start_the_same_and_another_seed_does_not(pictures: Dataset) -> None:
    ones, same, others = training(data=pictures), training(data=pictures), training(data=pictures, seed=1)
    assert not _changed(ones.method.net.state_dict(), same.method.net.state_dict())
    assert _changed(ones.method.net.state_dict(), others.method.net.state_dict()) == {"classifier"}


def test_deconvolution_rfa_learns_end_to_end_too(pictures: Dataset) -> None:
    sections: dict[str, Any] = {
        "net": {"kind": "deconvolution-rfa", "width": 2},
        "penalty": {"kind": "l2", "weight": 50.0},
    }
    epochs = run(training(data=pictures, schedule=END_TO_END, **sections))
    assert epochs[-1].loss < epochs[0].loss
    assert recipe(**sections).net.kind == "deconvolution-rfa"
