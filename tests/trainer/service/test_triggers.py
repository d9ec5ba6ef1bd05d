"""When a family is trained, and why; and what it waits for."""

from typing import Any

import pytest

from tests.trainer.service.examples import NOW, signals
from trainer.service.configuration import HOUR, Triggers
from trainer.service.signals import Trigger
from trainer.service.triggers import Train, Wait, back_off_seconds, decide

RULES = Triggers(every_hours=168.0, labels=1000, labels_least=200, back_off_hours=0.5, back_off_hours_most=24.0)
DRIFT = [{"signal": "y_energy", "since": NOW - 60, "score": 0.4}]
GAP = {"estimated": 0.9, "labelled_low": 0.6, "labelled_high": 0.7, "parts": True}


def decided(rollout: str | None = None, rules: Triggers = RULES, **changes: Any) -> Train | Wait:
    """What comes of these signals."""
    return decide(signals(**changes), rules, "us", rollout, NOW)


def reason(found: Train | Wait) -> Trigger | str:
    """The trigger, or what is waited for."""
    return found.trigger if isinstance(found, Train) else found.reason


def last(hours_ago: float, outcome: str = "published") -> dict[str, Any]:
    """A training that ended so long ago."""
    return {"id": "a", "state": "ended", "outcome": outcome, "ended_at": NOW - HOUR * hours_ago}


@pytest.mark.parametrize(
    ("changes", "trigger"),
    [
        ({"drift": DRIFT}, Trigger.DRIFT),
        ({"estimate_gap": GAP}, Trigger.GAP),
        ({"labels_since": 1000}, Trigger.LABELS),
        ({"last_run": last(168)}, Trigger.SCHEDULE),
        ({"last_run": None}, Trigger.SCHEDULE),
        ({"drift": DRIFT, "estimate_gap": GAP, "labels_since": 5000}, Trigger.DRIFT),
    ],
)
def test_each_reason_begins_a_training_once_there_is_enough_to_learn_from(
    changes: dict[str, Any], trigger: Trigger
) -> None:
    assert reason(decided(**{"labels_since": 200} | changes)) is trigger
    held = decided(**changes | {"labels_since": 199})
    assert reason(held) == "199 new labels, of 200 that a training wants at least"


@pytest.mark.parametrize(
    ("rules", "changes"),
    [
        (RULES.model_copy(update={"drift": False}), {"drift": DRIFT}),
        (RULES.model_copy(update={"gap": False}), {"estimate_gap": GAP}),
        (RULES.model_copy(update={"labels": None}), {"labels_since": 100_000}),
        (RULES.model_copy(update={"every_hours": None}), {"last_run": last(100_000)}),
        (RULES, {"estimate_gap": GAP | {"parts": False}}),
        (RULES, {"labels_since": 999}),
    ],
)
def test_what_is_switched_off_or_does_not_hold_begins_nothing(rules: Triggers, changes: dict[str, Any]) -> None:
    assert reason(decided(rules=rules, **{"labels_since": 200} | changes)) == "nothing asks for a training"


def test_who_waits_for_the_schedule_is_told_how_long() -> None:
    found = decided(labels_since=200, last_run=last(160))
    assert isinstance(found, Wait) and found.seconds == pytest.approx(8 * HOUR)


def test_an_operators_request_waits_for_nothing() -> None:
    asked = {"id": "q", "state": "queued", "trigger": "operator", "reason": "new lamps"}
    found = decided(open_run=asked, last_run=last(0, "failed"), failures=9, rollout="r", labels_since=0)
    assert found == Train(Trigger.OPERATOR, "new lamps")


def test_ones_own_run_goes_on_and_anothers_only_once_it_is_silent() -> None:
    run = {"id": "q", "state": "running", "trigger": "drift", "worker": "them", "lease_until": NOW + 50}
    assert decided(open_run=run | {"worker": "us"}) == Train(Trigger.DRIFT, "run q of this service is not at its end")
    assert decided(open_run=run) == Wait("run q is them's", 50.0)
    assert reason(decided(open_run=run | {"lease_until": NOW - 1})) is Trigger.DRIFT


def test_after_failures_it_waits_longer_and_longer_up_to_a_limit() -> None:
    assert [back_off_seconds(n, RULES) / HOUR for n in (0, 1, 2, 3, 6, 7, 1000)] == [0, 0.5, 1, 2, 16, 24, 24]
    soon = decided(drift=DRIFT, labels_since=500, last_run=last(1.9, "failed"), failures=3)
    assert reason(soon) == "it failed 3 times in a row; an operator's request goes before"
    assert isinstance(soon, Wait) and soon.seconds == pytest.approx(0.1 * HOUR)
    assert reason(decided(drift=DRIFT, labels_since=500, last_run=last(2, "failed"), failures=3)) is Trigger.DRIFT


def test_what_was_refused_is_not_done_again_before_there_is_something_new() -> None:
    held = decided(drift=DRIFT, labels_since=10, last_run=last(100, "refused"))
    assert reason(held) == "10 new labels, of 200 that a training wants at least"
    assert reason(decided(drift=DRIFT, labels_since=200, last_run=last(1, "refused"))) is Trigger.DRIFT


def test_nothing_begins_while_a_rollout_is_not_over() -> None:
    assert reason(decided(rollout="k3vq7x2a", drift=DRIFT, labels_since=500)) == "rollout k3vq7x2a is not over"
