"""The rules of updates as a pure machine: a state and an event give the next state, and what to do about it.

The actions are carried out in their order, and the new state counts once all of them have succeeded. A crash between
any two leaves a device that `Started` sets right, a fault one that `Resumed` does: a bundle that has proved itself
stays in one of the two slots.
"""

from dataclasses import replace

from sensor_client.ota import trial
from sensor_client.ota.changes import FAILED_TRIAL, Step, decided, is_rejected, kept, raised, refused, roll_back, told
from sensor_client.ota.states import (
    Action,
    Activate,
    Assigned,
    BundleFacts,
    Doubt,
    Encoded,
    Event,
    Failed,
    Fetch,
    FloorSeen,
    Found,
    Install,
    Policy,
    Postpone,
    Proved,
    Ran,
    Refused,
    Resumed,
    RollBack,
    Save,
    Started,
    State,
    Stopped,
    Told,
    Unfit,
    Unverified,
    Verified,
)
from sensor_client.ota.update_state import Running, Trial
from shared.bundle import UnsupportedBundleError
from shared.wire import Assignment, EventKind

DEFAULT_POLICY = Policy()


def next_state(state: State, event: Event, now: float, policy: Policy = DEFAULT_POLICY) -> Step:
    """What an event makes of a state, and the actions that take the device there.

    What a fetch brings about an assignment that is no longer the one in question changes nothing.

    Args:
        now: seconds since 1970; it may jump.
    """
    match event:
        case Started() | Resumed():
            return trial.started(state, event, policy)
        case Stopped():
            return trial.stopped(state)
        case Encoded() | Proved() | Refused() | Failed():
            return trial.seen(state, event, policy)
        case Assigned():
            return _assigned(state, event, now, policy)
        case Verified() | Unverified() | Unfit():
            return _found(state, event, now, policy)
        case FloorSeen() | Told() | Ran():  # pragma: no branch
            return _noted(state, event)


def known_etag(state: State) -> str | None:
    """The ETag to ask with; None while a question is open, which a 304 would keep from being asked again."""
    return state.etag if state.doubt is None and state.fetching is None else None


def quiet_seq(state: State) -> int:
    """The assignment that a reply may name without being news."""
    doubt = state.doubt
    return state.kept.seq if doubt is None or doubt.put_off_at is None else doubt.seq


def _assigned(state: State, event: Assigned, now: float, policy: Policy) -> Step:
    assignment = event.assignment
    doubt = state.doubt if state.doubt is not None and state.doubt.seq == assignment.seq else None
    state = replace(state, etag=event.etag, fetching=None, doubt=doubt)  # whatever was in question before is no more
    if not _is_open(state, assignment, now, policy):
        return state, ()
    if state.active is not None and state.active.target == assignment.target:
        return _already_in_use(state, assignment)
    if _is_the_one_before_the_trial(state, assignment):
        assert state.other is not None
        state = decided(state, assignment, state.other)
        state = kept(state, phase=Running(), probing_seconds_left=policy.probing_seconds)
        return roll_back(told(state, EventKind.CONFIRMED, assignment.target), (Save(),))
    return replace(state, fetching=assignment), (Fetch(assignment, state.kept.floor_counter),)


def _already_in_use(state: State, assignment: Assignment) -> Step:
    assert state.active is not None
    is_proven = isinstance(state.kept.phase, Running) and state.kept.seq != 0  # 0: the record was lost
    state = decided(state, assignment, state.active)
    return told(state, EventKind.CONFIRMED, assignment.target) if is_proven else state, (Save(),)


def _is_the_one_before_the_trial(state: State, assignment: Assignment) -> bool:
    other = state.other
    if not isinstance(state.kept.phase, Trial) or other is None or other.target != assignment.target:
        return False
    return other.counter >= state.kept.floor_counter and not is_rejected(state, other)


def _is_open(state: State, assignment: Assignment, now: float, policy: Policy) -> bool:
    """Whether anything is to be done about an assignment. It is compared for being another one, not a later one."""
    if _is_refused(state, assignment) or _is_put_off(state.doubt, now, policy):
        return False
    return assignment.seq != state.kept.seq or state.active is None or state.active.target != assignment.target


def _is_refused(state: State, assignment: Assignment) -> bool:
    last = state.kept.last_refused
    if last is None or (last.seq, last.target) != (assignment.seq, assignment.target):
        return False
    if last.code == FAILED_TRIAL and state.active is None:  # better a bundle that fails than none
        return False
    return last.is_final and (state.has_refused or last.code != UnsupportedBundleError.code)


def _is_put_off(doubt: Doubt | None, now: float, policy: Policy) -> bool:
    """Whether the time to try again has not come; a clock that was set back does not make the wait longer."""
    if doubt is None or doubt.put_off_at is None:
        return False
    return doubt.put_off_at <= now < doubt.put_off_at + policy.put_off_seconds


def _noted(state: State, event: FloorSeen | Told | Ran) -> Step:
    match event:
        case FloorSeen():
            after = raised(state, event.floor_counter)
        case Told():
            left = tuple(outcome for outcome in state.kept.outbox if outcome not in event.outcomes)
            after = kept(state, outbox=left)
        case Ran():  # pragma: no branch
            after = kept(state, probing_seconds_left=max(0.0, state.kept.probing_seconds_left - event.seconds))
    return after, (() if after == state else (Save(),))


def _found(state: State, event: Found, now: float, policy: Policy) -> Step:
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
    state = raised(state, event.floor_counter)
    if state.active is not None and is_rejected(state, event.bundle):
        return _unfit(state, Unfit(event.assignment, FAILED_TRIAL, "this bundle failed its trial here before"))
    cuts_a_trial_short = isinstance(state.kept.phase, Trial) and state.other is not None
    before = state.other if cuts_a_trial_short else state.active
    state = decided(state, event.assignment, event.bundle, activations=1)
    state = _switched(state, event.bundle, before, policy)
    # A trial that is cut short must not cost the bundle to return to: it is in use when the other slot is written.
    first: tuple[Action, ...] = (RollBack(),) if cuts_a_trial_short else ()
    if policy.proofs_needed == 0:
        state = told(kept(state, phase=Running()), EventKind.CONFIRMED, event.bundle.target)
        return state, (*first, Install(), Save(), Activate())
    phase = Trial(target=event.bundle.target, digest=event.bundle.digest)
    state = told(kept(state, phase=phase), EventKind.TRIAL, event.bundle.target)
    return state, (*first, Save(), Install(), Activate())


def _switched(state: State, bundle: BundleFacts, before: BundleFacts | None, policy: Policy) -> State:
    seconds = 0.0 if before is None else policy.probing_seconds
    return kept(replace(state, active=bundle, other=before), probing_seconds_left=seconds)


def _unverified(state: State, event: Unverified, now: float, policy: Policy) -> Step:
    assignment, doubt = event.assignment, state.doubt
    times = doubt.times + 1 if doubt is not None and doubt.seq == assignment.seq else 1
    state = replace(state, fetching=None, doubt=Doubt(seq=assignment.seq, times=times))
    if times < policy.trust_attempts:
        return state, (Postpone(event.reason),)
    state = replace(state, doubt=Doubt(seq=assignment.seq, times=times, put_off_at=now))
    if times > policy.trust_attempts:
        return state, ()
    return _turned_down(state, assignment, event.code, event.reason), (Save(),)


def _unfit(state: State, event: Unfit) -> Step:
    state = _turned_down(state, event.assignment, event.code, event.reason)
    return kept(replace(state, fetching=None, doubt=None), seq=event.assignment.seq), (Save(),)


def _turned_down(state: State, assignment: Assignment, code: str, reason: str) -> State:
    state = refused(state, assignment.seq, assignment.target, code, reason)
    return told(state, EventKind.REJECTED, assignment.target, seq=assignment.seq, code=code, reason=reason)
