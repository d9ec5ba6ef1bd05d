"""Who may have a training, until when, and how it ends."""

import pytest

from cloud_server.errors import ConflictError
from cloud_server.storage.rows.training_runs import RunRow
from cloud_server.trainings.standing import (
    LEASE_MAX_SECONDS,
    Outcome,
    State,
    Trigger,
    cancelled,
    ended,
    is_repeated_end,
    is_silent,
    may_take,
    taken,
    told,
)

NOW = 1_800_000_000.0
QUEUED = RunRow("aaaa2222", "digits", Trigger.OPERATOR.value, "new lamps", "ada", NOW - 60, State.QUEUED.value)
RUNNING = taken(QUEUED, "trainer-1", 120, NOW)


def test_what_waits_is_taken_by_anybody_and_keeps_why_it_was_asked_for() -> None:
    assert (RUNNING.state, RUNNING.worker, RUNNING.attempts) == (State.RUNNING, "trainer-1", 1)
    assert (RUNNING.lease_until, RUNNING.started_at, RUNNING.reason) == (NOW + 120, NOW, "new lamps")


def test_a_worker_that_was_started_anew_takes_its_own_run_again() -> None:
    again = taken(told(RUNNING, "trainer-1", 120, "train", 0.5, NOW), "trainer-1", 120, NOW + 50)
    assert (again.stage, again.share) == ("train", 0.5)
    assert (again.attempts, again.lease_until, again.started_at) == (1, NOW + 170, NOW)


def test_nobody_takes_a_run_from_a_worker_that_is_not_overdue() -> None:
    for late in (0, 60, 120):
        assert not may_take(RUNNING, "trainer-2", NOW + late)
    with pytest.raises(ConflictError, match="trainer-1 has it for another 20 s"):
        taken(RUNNING, "trainer-2", 120, NOW + 100)


def test_a_run_whose_worker_is_overdue_goes_to_another_one_as_the_same_run() -> None:
    at_work = told(RUNNING, "trainer-1", 120, "train", 0.5, NOW)
    over = taken(at_work, "trainer-2", 60, NOW + 121)
    assert (over.stage, over.share) == (None, None), "how far the other one was says nothing of this one"
    assert (over.id, over.worker, over.attempts, over.started_at) == (RUNNING.id, "trainer-2", 2, NOW)
    with pytest.raises(ConflictError, match="trainer-2 has it"):
        told(over, "trainer-1", 120, "train", 0.5, NOW + 122)


def test_a_lease_that_was_given_before_the_clock_was_set_back_has_run_out() -> None:
    assert is_silent(RUNNING, NOW + 120 - LEASE_MAX_SECONDS - 1)
    assert not is_silent(RUNNING, NOW + 120 - LEASE_MAX_SECONDS)
    assert not is_silent(QUEUED, NOW)


def test_who_tells_late_has_the_run_still_where_nobody_took_it() -> None:
    late = told(RUNNING, "trainer-1", 120, "train", 0.25, NOW + 500)
    assert (late.lease_until, late.stage, late.share, late.told_at) == (NOW + 620, "train", 0.25, NOW + 500)


def test_only_who_has_a_run_tells_of_it_and_ends_it() -> None:
    for run, said in ((RUNNING, "trainer-1 has it"), (QUEUED, "nobody took it yet")):
        with pytest.raises(ConflictError, match=said):
            told(run, "trainer-2", 120, None, None, NOW)
        with pytest.raises(ConflictError, match=said):
            ended(run, "trainer-2", Outcome.FAILED, NOW)


def test_an_end_is_noted_once_and_told_again_where_its_answer_was_lost() -> None:
    over = ended(RUNNING, "trainer-1", Outcome.REFUSED, NOW + 9)
    assert (over.state, over.outcome, over.ended_at, over.lease_until) == ("ended", "refused", NOW + 9, None)
    assert is_repeated_end(over, "trainer-1", Outcome.REFUSED)
    assert not is_repeated_end(over, "trainer-1", Outcome.PUBLISHED)
    assert not is_repeated_end(over, "trainer-2", Outcome.REFUSED)
    assert not is_repeated_end(RUNNING, "trainer-1", Outcome.REFUSED)


@pytest.mark.parametrize("run", [QUEUED, RUNNING], ids=lambda run: run.state)
def test_an_operator_ends_whatever_has_not_ended_and_its_worker_hears_of_it(run: RunRow) -> None:
    over = cancelled(run, NOW + 1)
    assert (over.state, over.outcome) == (State.ENDED, Outcome.CANCELLED)
    with pytest.raises(ConflictError, match="has ended: cancelled; stop"):
        told(over, "trainer-1", 120, None, None, NOW + 2)
    with pytest.raises(ConflictError, match="has ended already: cancelled"):
        cancelled(over, NOW + 2)
