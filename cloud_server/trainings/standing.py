"""The states of a training, who may change them, and how it goes on. Pure: the time is told.

    queued --take--> running --end--> ended (published, draft, refused, failed)
       |                | ^ tell keeps the lease; when it has run out, another worker may take the run over
       +----cancel------+---------> ended (cancelled)

A family has one run at most that has not ended, so at most one is under way, however many services there are.
"""

from enum import StrEnum

from cloud_server.errors import ConflictError
from cloud_server.storage.rows.training_runs import RunRow

LEASE_MIN_SECONDS, LEASE_MAX_SECONDS = 10.0, 3600.0


class State(StrEnum):
    """Where a run stands."""

    QUEUED = "queued"
    RUNNING = "running"
    ENDED = "ended"


class Outcome(StrEnum):
    """What came of a run."""

    PUBLISHED = "published"
    """Its bundle is published; the gates held."""
    DRAFT = "draft"
    """The gates held, and its bundle waits for somebody: for a signature, or for its rollout to begin."""
    REFUSED = "refused"
    """A gate did not hold; nothing was published."""
    FAILED = "failed"
    """It could not be done."""
    CANCELLED = "cancelled"
    """An operator ended it."""


BY_WORKERS = (Outcome.PUBLISHED, Outcome.DRAFT, Outcome.REFUSED, Outcome.FAILED)
"""How a worker may end a run."""
LEARNED = (Outcome.PUBLISHED, Outcome.DRAFT, Outcome.REFUSED)
"""What has come of a run that looked at its labels; those it knew are nothing new to the next one."""


class Trigger(StrEnum):
    """Why a run began."""

    OPERATOR = "operator"
    SCHEDULE = "schedule"
    LABELS = "labels"
    DRIFT = "drift"
    GAP = "gap"
    """The estimated accuracy parted from what labels say."""


def is_silent(run: RunRow, now: float) -> bool:
    """Whether nobody has a run that is under way: its lease has run out.

    One that would last longer than any was given before the clock was set back, and has run out, too.
    """
    until = run.lease_until
    return run.state == State.RUNNING and (until is None or not now <= until <= now + LEASE_MAX_SECONDS)


def may_take(run: RunRow, worker: str, now: float) -> bool:
    """Whether a worker may take an open run: it waits, it is the worker's own, or whoever has it is silent."""
    return run.state == State.QUEUED or run.worker == worker or is_silent(run, now)


def taken(run: RunRow, worker: str, seconds: float, now: float) -> RunRow:
    """The run once a worker has taken it, or taken it again after it was started anew.

    How far the former worker was says nothing of another one.

    Raises:
        ConflictError: another worker has it.
    """
    if not may_take(run, worker, now):
        raise ConflictError(
            f"run {run.id} of {run.family} is under way: {run.worker} has it for another "
            f"{(run.lease_until or now) - now:.0f} s at least; wait until it has ended, or end it with dctwire runs "
            "cancel"
        )
    is_own = run.state == State.RUNNING and run.worker == worker
    return run._replace(
        state=State.RUNNING.value,
        worker=worker,
        lease_until=now + seconds,
        attempts=run.attempts if is_own else run.attempts + 1,
        started_at=now if run.started_at is None else run.started_at,
        told_at=now,
        stage=run.stage if is_own else None,
        share=run.share if is_own else None,
    )


def told(run: RunRow, worker: str, seconds: float, stage: str | None, share: float | None, now: float) -> RunRow:
    """The run after its worker told how far it is; that it told late does not matter where nobody took the run.

    Raises:
        ConflictError: the worker does not have it, or it has ended.
    """
    _require_holder(run, worker)
    return run._replace(lease_until=now + seconds, stage=stage, share=share, told_at=now)


def ended(run: RunRow, worker: str, outcome: Outcome, now: float) -> RunRow:
    """The run once its worker has ended it.

    Raises:
        ConflictError: the worker does not have it, or it has ended.
    """
    _require_holder(run, worker)
    return run._replace(state=State.ENDED.value, outcome=outcome.value, ended_at=now, lease_until=None)


def is_repeated_end(run: RunRow, worker: str, outcome: Outcome) -> bool:
    """Whether this very end was noted already, and the answer to it got lost."""
    return run.state == State.ENDED and run.worker == worker and run.outcome == outcome


def cancelled(run: RunRow, now: float) -> RunRow:
    """The run once an operator has ended it; its worker is told so at its next word.

    Raises:
        ConflictError: it has ended.
    """
    if run.state == State.ENDED:
        raise ConflictError(f"run {run.id} of {run.family} has ended already: {run.outcome}")
    return run._replace(state=State.ENDED.value, outcome=Outcome.CANCELLED.value, ended_at=now, lease_until=None)


def _require_holder(run: RunRow, worker: str) -> None:
    if run.state == State.ENDED:
        raise ConflictError(f"run {run.id} of {run.family} has ended: {run.outcome}; stop, and take another one")
    if run.worker != worker:
        has_it = f"{run.worker} has it" if run.worker else "nobody took it yet"
        raise ConflictError(f"run {run.id} of {run.family} is not {worker}'s: {has_it}; stop, and take it first")
