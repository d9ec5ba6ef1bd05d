"""The rules of updates as a pure machine: a state and an event give the next state, and what to do about it.

The actions are carried out in their order, and the new state counts once all of them have succeeded. A crash between
any two leaves a device that `Started` sets right: a bundle that has proved itself stays in one of the two slots.
"""

from dataclasses import replace
from typing import TypeAlias

from sensor_client.ota.rules import floor_after
from sensor_client.ota.states import (
    Action,
    Activate,
    Assigned,
    BundleFacts,
    Doubt,
    Event,
    Failed,
    Fetch,
    Install,
    Policy,
    Postpone,
    Proved,
    RollBack,
    Save,
    Started,
    State,
    Unfit,
    Unverified,
    Verified,
)
from sensor_client.ota.update_state import RefusedOffer, Running, Trial, UpdateState
from shared.bundle import UnsupportedBundleError
from shared.wire import Assignment

REASON_LIMIT_CHARACTERS = 500
DEFAULT_POLICY = Policy()
Step: TypeAlias = tuple[State, tuple[Action, ...]]


def next_state(state: State, event: Event, now: float, policy: Policy = DEFAULT_POLICY) -> Step:
    """What an event makes of a state, and the actions that take the device there.

    What a fetch brings about an assignment that is no longer the one in question changes nothing.

    Args:
        now: seconds since 1970; it may jump.
    """
    match event:
        case Started():
            return _started(state, policy)
        case Assigned():
            return _assigned(state, event, now, policy)
        case Verified() | Unverified() | Unfit():
            return _fetched(state, event, now, policy)
        case Proved():
            return _proved(state, event, policy)
        case Failed():  # pragma: no branch
            return _failed(state, event, policy)


def known_etag(state: State) -> str | None:
    """The ETag to ask with; None while a question is open, which a 304 would keep from being asked again."""
    return state.etag if state.doubt is None and state.fetching is None else None


def quiet_seq(state: State) -> int:
    """The assignment that a reply may name without being news."""
    doubt = state.doubt
    return state.kept.seq if doubt is None or doubt.put_off_at is None else doubt.seq


def _started(state: State, policy: Policy) -> Step:
    phase, active = state.kept.phase, state.active
    if isinstance(phase, Running):
        must_return = active is not None and _is_rejected(state, active) and not _is_rejected(state, state.other)
        return _roll_back(state, ()) if must_return else (state, ())
    if active is None or active.target != phase.target:  # the crash came before its slot was switched to
        return _kept(state, phase=Running()), (Save(),)
    if phase.boots >= policy.boots_limit:
        return _reject(state, phase, f"{phase.boots} starts brought too few proofs", policy)
    return _kept(state, phase=phase.model_copy(update={"boots": phase.boots + 1})), (Save(),)


def _assigned(state: State, event: Assigned, now: float, policy: Policy) -> Step:
    assignment = event.assignment
    doubt = state.doubt if state.doubt is not None and state.doubt.seq == assignment.seq else None
    state = replace(state, etag=event.etag, fetching=None, doubt=doubt)  # whatever was in question before is no more
    if not _is_open(state, assignment, now, policy):
        return state, ()
    if state.active is not None and state.active.target == assignment.target:
        return _decided(state, assignment, state.active), (Save(),)
    is_on_trial = isinstance(state.kept.phase, Trial)
    if is_on_trial and state.other is not None and state.other.target == assignment.target:
        return _roll_back(_kept(_decided(state, assignment, state.other), phase=Running()), (Save(),))
    return replace(state, fetching=assignment), (Fetch(assignment, state.kept.floor_counter),)


def _is_open(state: State, assignment: Assignment, now: float, policy: Policy) -> bool:
    """Whether anything is to be done about an assignment. It is compared for being another one, not a later one."""
    if _is_refused(state, assignment) or _is_put_off(state.doubt, now, policy):
        return False
    return assignment.seq != state.kept.seq or state.active is None or state.active.target != assignment.target


def _is_refused(state: State, assignment: Assignment) -> bool:
    last = state.kept.last_refused
    if last is None or (last.seq, last.target) != (assignment.seq, assignment.target):
        return False
    return last.is_final and (state.has_refused or last.code != UnsupportedBundleError.code)


def _is_put_off(doubt: Doubt | None, now: float, policy: Policy) -> bool:
    """Whether the time to try again has not come; a clock that was set back does not make the wait longer."""
    if doubt is None or doubt.put_off_at is None:
        return False
    return doubt.put_off_at <= now < doubt.put_off_at + policy.put_off_seconds


def _fetched(state: State, event: Verified | Unverified | Unfit, now: float, policy: Policy) -> Step:
    if event.assignment != state.fetching:  # a newer assignment came first
        return state, ()
    match event:
        case Verified():
            return _verified(state, event, policy)
        case Unverified():
            return _unverified(state, event, now, policy)
        case Unfit():  # pragma: no branch
            return _unfit(state, event)


def _verified(state: State, event: Verified, policy: Policy) -> Step:
    if _is_rejected(state, event.bundle):
        return _unfit(state, Unfit(event.assignment, "failed-trial", "this bundle failed its trial here before"))
    is_on_trial = isinstance(state.kept.phase, Trial) and state.other is not None
    before = state.other if is_on_trial else state.active
    state = _decided(state, event.assignment, event.bundle, activations=1)
    state = replace(state, active=event.bundle, other=before)
    # A trial that is cut short must not cost the bundle to return to: it is in use when the other slot is written.
    first: tuple[Action, ...] = (RollBack(),) if is_on_trial else ()
    if policy.proofs_needed == 0 or before is None:
        return _kept(state, phase=Running()), (*first, Install(), Save(), Activate())
    trial = Trial(target=event.bundle.target, digest=event.bundle.digest)
    return _kept(state, phase=trial), (*first, Save(), Install(), Activate())


def _unverified(state: State, event: Unverified, now: float, policy: Policy) -> Step:
    assignment, doubt = event.assignment, state.doubt
    times = doubt.times + 1 if doubt is not None and doubt.seq == assignment.seq else 1
    state = replace(state, fetching=None, doubt=Doubt(seq=assignment.seq, times=times))
    if times < policy.trust_attempts:
        return state, (Postpone(event.reason),)
    state = replace(state, doubt=Doubt(seq=assignment.seq, times=times, put_off_at=now))
    if times > policy.trust_attempts:
        return state, ()
    return _refused(state, assignment.seq, assignment.target, event.code, event.reason), (Save(),)


def _unfit(state: State, event: Unfit) -> Step:
    assignment = event.assignment
    state = _refused(state, assignment.seq, assignment.target, event.code, event.reason)
    return _kept(replace(state, fetching=None, doubt=None), seq=assignment.seq), (Save(),)


def _proved(state: State, event: Proved, policy: Policy) -> Step:
    phase = state.kept.phase
    if not isinstance(phase, Trial) or event.target != phase.target:
        return state, ()
    proofs = phase.proofs + 1
    has_ended = proofs >= policy.proofs_needed
    return _kept(state, phase=Running() if has_ended else phase.model_copy(update={"proofs": proofs})), (Save(),)


def _failed(state: State, event: Failed, policy: Policy) -> Step:
    phase = state.kept.phase
    if not isinstance(phase, Trial) or event.target != phase.target:
        return state, ()
    return _reject(state, phase, event.reason, policy)


def _reject(state: State, trial: Trial, reason: str, policy: Policy) -> Step:
    if state.other is None:  # nothing to return to
        return _kept(state, phase=Running()), (Save(),)
    state = _refused(state, state.kept.seq, trial.target, "failed-trial", reason)
    digests = (*state.kept.rejected_digests, trial.digest)[-policy.rejected_limit :]
    state, actions = _roll_back(_kept(state, phase=Running(), rejected_digests=digests), ())
    return state, (Save(), *actions)  # saved first: a crash in between must not bring the bundle back


def _roll_back(state: State, more: tuple[Action, ...]) -> Step:
    return replace(state, active=state.other, other=state.active), (RollBack(), *more, Activate())


def _is_rejected(state: State, bundle: BundleFacts | None) -> bool:
    return bundle is None or bundle.digest in state.kept.rejected_digests


def _decided(state: State, assignment: Assignment, bundle: BundleFacts, activations: int = 0) -> State:
    kept = state.kept
    return _kept(
        replace(state, fetching=None, doubt=None),
        seq=assignment.seq,
        floor_counter=floor_after(kept.floor_counter, bundle.min_counter),
        activations=kept.activations + activations,
    )


def _refused(state: State, seq: int, target: str, code: str, reason: str) -> State:
    offer = RefusedOffer(seq=seq, target=target, code=code, reason=reason[:REASON_LIMIT_CHARACTERS])
    return _kept(replace(state, has_refused=True), refusals=state.kept.refusals + 1, last_refused=offer)


def _kept(state: State, **changes: object) -> State:
    kept: UpdateState = state.kept.model_copy(update=changes)
    return replace(state, kept=kept)
