"""The paper's schedules to the letter: order, learning rates, and what a JPEG baseline leaves out."""

from typing import Any

import pytest
from pydantic import ValidationError

from trainer.paper.schedule import Learner, Turn, turns
from trainer.recipes.paper import Alternating, EndToEnd

ALTERNATING, END_TO_END = Alternating(kind="alternating"), EndToEnd(kind="end-to-end")


def test_two_epochs_of_the_classifier_then_one_of_the_compression_layer_150_times() -> None:
    order = turns(ALTERNATING, learns_tables=True)
    assert len(order) == 450
    assert [turn.learner for turn in order] == [Learner.CLASSIFIER, Learner.CLASSIFIER, Learner.COMPRESSION] * 150
    assert [turn.round for turn in order] == [number // 3 for number in range(450)]


def test_alternating_rates_fall_to_a_tenth_and_a_hundredth_of_the_first_at_alternations_50_and_100() -> None:
    rates = [ALTERNATING.classifier_rate * turn.scale for turn in turns(ALTERNATING, learns_tables=True)]
    assert rates[: 3 * 50] == [0.05] * 150
    assert rates[3 * 50 : 3 * 100] == pytest.approx([0.005] * 150)
    assert rates[3 * 100 :] == pytest.approx([0.0005] * 150)
    assert ALTERNATING.kernel_rate == ALTERNATING.colour_rate == 0.05
    assert ALTERNATING.batch == 100


def test_end_to_end_all_learn_for_90_epochs_and_rates_fall_at_30_60_and_80() -> None:
    order = turns(END_TO_END, learns_tables=True)
    assert {turn.learner for turn in order} == {Learner.BOTH}
    assert [turn.scale for turn in order] == [1.0] * 30 + [0.1] * 30 + [0.01] * 20 + [0.001] * 10
    assert (END_TO_END.classifier_rate, END_TO_END.kernel_rate, END_TO_END.colour_rate) == (1e-3, 1e-8, 1e-3)
    assert END_TO_END.batch == 32


@pytest.mark.parametrize("schedule", [ALTERNATING, END_TO_END])
def test_a_baseline_trains_its_classifier_for_as_many_epochs_at_the_same_rates_and_nothing_else(
    schedule: Alternating | EndToEnd,
) -> None:
    learned = [turn for turn in turns(schedule, learns_tables=True) if turn.learner is not Learner.COMPRESSION]
    baseline = turns(schedule, learns_tables=False)
    assert {turn.learner for turn in baseline} == {Learner.CLASSIFIER}
    assert [(turn.round, turn.scale) for turn in baseline] == [(turn.round, turn.scale) for turn in learned]


def test_a_recipe_may_shorten_it() -> None:
    short = Alternating(kind="alternating", alternations=2, classifier_epochs=1, scaled_from=[1], scales=[0.5])
    assert turns(short, learns_tables=True) == (
        Turn(0, Learner.CLASSIFIER, 1.0),
        Turn(0, Learner.COMPRESSION, 1.0),
        Turn(1, Learner.CLASSIFIER, 0.5),
        Turn(1, Learner.COMPRESSION, 0.5),
    )


@pytest.mark.parametrize("wrong", [{"scaled_from": [50]}, {"scaled_from": [100, 50]}, {"scaled_from": [50, 50]}])
def test_scales_without_their_rounds_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="must rise"):
        Alternating(kind="alternating", **wrong)
