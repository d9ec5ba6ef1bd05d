"""What the rules of updates do to a state, as small pure steps that several of them share."""

from dataclasses import replace
from typing import TypeAlias

from pydantic import ValidationError

from sensor_client.ota.rules import floor_after
from sensor_client.ota.states import Action, Activate, BundleFacts, RollBack, State
from sensor_client.ota.update_state import RefusedOffer, UpdateState
from shared.wire import REASON_MAX_CHARACTERS, Assignment, AssignmentOutcome, EventKind

OUTBOX_LIMIT = 16
"""Outcomes to keep for a server that does not answer; the oldest go first."""
FAILED_TRIAL = "failed-trial"
Step: TypeAlias = tuple[State, tuple[Action, ...]]


def kept(state: State, **changes: object) -> State:
    """Change the durable part."""
    after: UpdateState = state.kept.model_copy(update=changes)
    return replace(state, kept=after)


def raised(state: State, *floor_counters: int) -> State:
    """Raise the floor to what any of these says; it never falls."""
    floor = state.kept.floor_counter
    for counter in floor_counters:
        floor = floor_after(floor, counter)
    return kept(state, floor_counter=floor)


def decided(state: State, assignment: Assignment, bundle: BundleFacts, activations: int = 0) -> State:
    """Settle an assignment by running `bundle`."""
    state = raised(replace(state, fetching=None, doubt=None), bundle.min_counter)
    return kept(state, seq=assignment.seq, activations=state.kept.activations + activations)


def refused(state: State, seq: int, target: str, code: str, reason: str) -> State:
    """Note that an offer was turned down."""
    offer = RefusedOffer(seq=seq, target=target, code=code, reason=reason[:REASON_MAX_CHARACTERS])
    return kept(replace(state, has_refused=True), refusals=state.kept.refusals + 1, last_refused=offer)


def told(
    state: State, event: EventKind, target: str, *, seq: int | None = None, code: str | None = None, reason: str = ""
) -> State:
    """Put an outcome into the outbox. Of a target that no server can have signed, there is nothing to tell.

    Args:
        seq: of the assignment; None for the one that was decided last.
    """
    seq = state.kept.seq if seq is None else seq
    why = reason[:REASON_MAX_CHARACTERS] or None
    try:
        outcome = AssignmentOutcome(seq=seq, event=event, target=target, code=code, reason=why)
    except ValidationError:
        return state
    others = tuple(other for other in state.kept.outbox if other != outcome)
    return kept(state, outbox=(*others, outcome)[-OUTBOX_LIMIT:], last_outcome=outcome)


def roll_back(state: State, more: tuple[Action, ...] = ()) -> Step:
    """Return to the bundle in the other slot, with `more` to do between switching and using it."""
    return replace(state, active=state.other, other=state.active), (RollBack(), *more, Activate())


def may_be_probed(state: State) -> bool:
    """Whether the bundle in the other slot may be encoded with, to compare it with the one in use.

    One that failed its trial here may not: it may be the encoder that it fails.
    """
    other, record = state.other, state.kept
    if other is None or record.probing_seconds_left <= 0 or is_rejected(state, other):
        return False
    return other.counter >= record.floor_counter


def is_rejected(state: State, bundle: BundleFacts | None) -> bool:
    """Whether there is no such bundle, or it failed its trial here."""
    return bundle is None or bundle.digest in state.kept.rejected_digests
