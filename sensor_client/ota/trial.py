"""The rules of a trial: how a bundle proves itself, and what returns the device to the one before. Pure.

Only what was seen on this device speaks against a bundle: starts that ended before a first frame, an encoder that
fails, frames that a server refused by name. Silence never does, however long it lasts.
"""

from sensor_client.ota.changes import FAILED_TRIAL, Step, is_rejected, kept, raised, refused, roll_back, told
from sensor_client.ota.states import (
    Encoded,
    Evidence,
    Failed,
    Policy,
    Proved,
    Refused,
    Resumed,
    Save,
    Started,
    State,
)
from sensor_client.ota.update_state import Running, Trial
from shared.wire import EventKind


def started(state: State, event: Started | Resumed, policy: Policy) -> Step:
    """Set right what a crash left, count the start of a trial, and raise the floor to what the disk says."""
    known = state.kept.floor_counter
    slots = [bundle.min_counter for bundle in (state.active, state.other) if bundle is not None]
    state = raised(state, *slots, event.floor_counter if isinstance(event, Started) else 0)
    after, actions = _set_right(state, is_boot=isinstance(event, Started), policy=policy)
    if after.kept.floor_counter > known and Save() not in actions:
        actions = (Save(), *actions)
    return after, actions


def stopped(state: State) -> Step:
    """A start that ends in order was no crash."""
    phase = state.kept.phase
    if not isinstance(phase, Trial) or phase.crashes == 0:
        return state, ()
    return _trying(state, phase, crashes=0)


def seen(state: State, event: Evidence, policy: Policy) -> Step:
    """What was seen of the bundle on trial; of any other bundle it changes nothing."""
    phase = state.kept.phase
    if not isinstance(phase, Trial) or event.target != phase.target:
        return state, ()
    match event:
        case Encoded():
            return _trying(state, phase, crashes=0) if phase.crashes else (state, ())
        case Proved():
            return _proved(state, phase, event.frames, policy)
        case Refused():
            return _refused(state, phase, event.frames, policy)
        case Failed():  # pragma: no branch
            return _reject(state, phase, event.reason, policy)


def _set_right(state: State, *, is_boot: bool, policy: Policy) -> Step:
    phase, active = state.kept.phase, state.active
    if isinstance(phase, Running):
        must_return = active is not None and is_rejected(state, active) and not is_rejected(state, state.other)
        return roll_back(state) if must_return else (state, ())
    if active is None or active.target != phase.target:  # the crash came before its slot was switched to
        return kept(state, phase=Running()), (Save(),)
    if not is_boot:
        return state, ()
    if phase.crashes >= policy.crashes_limit:
        return _reject(state, phase, f"{phase.crashes} starts in a row ended before a first frame", policy)
    return _trying(state, phase, boots=phase.boots + 1, crashes=phase.crashes + 1)


def _proved(state: State, phase: Trial, frames: int, policy: Policy) -> Step:
    proofs = phase.proofs + frames
    if proofs < policy.proofs_needed:
        return _trying(state, phase, proofs=proofs)
    return told(kept(state, phase=Running()), EventKind.CONFIRMED, phase.target), (Save(),)


def _refused(state: State, phase: Trial, frames: int, policy: Policy) -> Step:
    refusals = phase.refusals + frames
    if refusals < policy.refusals_limit:
        return _trying(state, phase, refusals=refusals)
    return _reject(state, phase, f"the server refused {refusals} frames that were encoded with it", policy)


def _reject(state: State, trial: Trial, reason: str, policy: Policy) -> Step:
    state = kept(state, phase=Running())
    if state.other is None:  # better a bundle that fails than none
        reason = f"{reason}; it stays, since there is none to return to"
        return told(state, EventKind.REJECTED, trial.target, code=FAILED_TRIAL, reason=reason), (Save(),)
    state = refused(state, state.kept.seq, trial.target, FAILED_TRIAL, reason)
    digests = (*state.kept.rejected_digests, trial.digest)[-policy.rejected_limit :]
    state = told(state, EventKind.ROLLED_BACK, trial.target, code=FAILED_TRIAL, reason=reason)
    state, actions = roll_back(kept(state, rejected_digests=digests))
    return state, (Save(), *actions)  # saved first: a crash in between must not bring the bundle back


def _trying(state: State, phase: Trial, **changes: int) -> Step:
    return kept(state, phase=phase.model_copy(update=changes)), (Save(),)
