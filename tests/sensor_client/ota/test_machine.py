"""The rules of updates: single steps, and a device that may crash anywhere, held to what must always be true."""

from dataclasses import replace

import pytest

from sensor_client.ota.changes import OUTBOX_LIMIT
from sensor_client.ota.machine import known_etag, next_state, quiet_seq
from sensor_client.ota.states import (
    Action,
    Activate,
    Assigned,
    BundleFacts,
    Encoded,
    Event,
    Failed,
    Fetch,
    FloorSeen,
    Install,
    Policy,
    Postpone,
    Proved,
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
from sensor_client.ota.update_state import RefusedOffer, Running, Trial, UpdateState
from shared.wire import Assignment, AssignmentOutcome, EventKind

NOW = 1_800_000_000.0
AT_ONCE = Policy(proofs_needed=0)
TRYING = Policy(proofs_needed=2, refusals_limit=2, crashes_limit=2, rejected_limit=2)


def bundle(counter: int, min_counter: int = 1) -> BundleFacts:
    target = f"signs/{counter}.json"
    return BundleFacts(target=target, digest=f"{counter:064x}", counter=counter, min_counter=min_counter)


def outcome(event: EventKind, counter: int, seq: int = 2, **why: str) -> AssignmentOutcome:
    return AssignmentOutcome(seq=seq, event=event, target=f"signs/{counter}.json", **why)


def assignment(seq: int, counter: int) -> Assignment:
    return Assignment(seq=seq, family="signs", counter=counter, target=f"signs/{counter}.json")


V1, V2, V3 = bundle(1), bundle(2), bundle(3)
ON_V1 = State(kept=UpdateState(seq=1, floor_counter=1, activations=1), active=V1, other=None)
FETCHING_V2 = replace(ON_V1, fetching=assignment(2, 2), etag='"2"')
TRYING_V2 = replace(
    ON_V1,
    kept=UpdateState(seq=2, floor_counter=1, phase=Trial(target=V2.target, digest=V2.digest)),
    active=V2,
    other=V1,
)


def test_an_assignment_to_another_bundle_asks_for_it_with_the_floor() -> None:
    state, actions = next_state(ON_V1, Assigned(assignment(2, 2), '"2"'), NOW)

    assert actions == (Fetch(assignment(2, 2), floor_counter=1),)
    assert (state.fetching, state.active, known_etag(state)) == (assignment(2, 2), V1, None)


@pytest.mark.parametrize("seq", [1, 7])
def test_an_assignment_is_compared_for_being_another_not_for_being_higher(seq: int) -> None:
    on_v1 = replace(ON_V1, kept=UpdateState(seq=4))

    assert next_state(on_v1, Assigned(assignment(seq, 2), None), NOW)[1] == (Fetch(assignment(seq, 2), 0),)


@pytest.mark.parametrize("seq", [1, 9])
def test_an_assignment_to_the_bundle_in_use_is_noted_and_fetches_nothing(seq: int) -> None:
    on_v1 = replace(ON_V1, kept=UpdateState(seq=4))

    state, actions = next_state(on_v1, Assigned(assignment(seq, 1), '"e"'), NOW)

    assert actions == (Save(),)
    assert (state.kept.seq, state.kept.activations, known_etag(state), quiet_seq(state)) == (seq, 0, '"e"', seq)
    assert state.kept.outbox == (outcome(EventKind.CONFIRMED, 1, seq),)
    assert next_state(state, Assigned(assignment(seq, 1), '"e"'), NOW) == (state, ())


def test_what_a_device_without_a_record_runs_is_not_told_to_be_confirmed() -> None:
    lost = replace(ON_V1, kept=UpdateState())

    assert next_state(lost, Assigned(assignment(3, 1), None), NOW)[0].kept.outbox == ()


def test_a_device_that_runs_another_bundle_than_it_decided_for_heals() -> None:
    fell_back = replace(ON_V1, kept=UpdateState(seq=2))

    assert next_state(fell_back, Assigned(assignment(2, 2), None), NOW)[1] == (Fetch(assignment(2, 2), 0),)


def test_where_nothing_is_tried_a_bundle_is_installed_then_saved_then_used_and_raises_the_floor() -> None:
    offered = bundle(2, min_counter=2)

    state, actions = next_state(FETCHING_V2, Verified(assignment(2, 2), offered), NOW, AT_ONCE)

    assert actions == (Install(), Save(), Activate())
    assert (state.active, state.other) == (offered, V1)
    assert (state.kept.seq, state.kept.floor_counter, state.kept.activations) == (2, 2, 2)
    assert (state.kept.phase, known_etag(state), quiet_seq(state)) == (Running(), '"2"', 2)
    assert state.kept.outbox == (outcome(EventKind.CONFIRMED, 2),)


def test_the_floor_does_not_fall_with_a_bundle_that_names_a_lower_one() -> None:
    fetching = replace(FETCHING_V2, kept=UpdateState(seq=1, floor_counter=2))

    state, _ = next_state(fetching, Verified(assignment(2, 2), bundle(2, min_counter=1)), NOW)

    assert state.kept.floor_counter == 2


def test_the_floor_of_verified_metadata_counts_also_where_no_bundle_that_ran_here_names_it() -> None:
    seen, actions = next_state(ON_V1, FloorSeen(4), NOW)
    assert (seen.kept.floor_counter, actions) == (4, (Save(),))
    assert next_state(seen, FloorSeen(3), NOW) == (seen, ())

    with_bundle, _ = next_state(FETCHING_V2, Verified(assignment(2, 2), V2, floor_counter=2), NOW)
    assert with_bundle.kept.floor_counter == 2

    started, actions = next_state(ON_V1, Started(floor_counter=5), NOW)
    assert (started.kept.floor_counter, actions) == (5, (Save(),))


@pytest.mark.parametrize("event", [Started(), Resumed()])
def test_a_lost_floor_is_what_both_slots_say(event: Event) -> None:
    lost = State(kept=UpdateState(), active=V1, other=bundle(9, min_counter=7))

    state, actions = next_state(lost, event, NOW)

    assert (state.kept.floor_counter, actions) == (7, (Save(),))


def test_a_trial_is_saved_before_its_bundle_is_installed_and_is_told() -> None:
    state, actions = next_state(FETCHING_V2, Verified(assignment(2, 2), V2), NOW, TRYING)

    assert actions == (Save(), Install(), Activate())
    assert state.kept.phase == Trial(target=V2.target, digest=V2.digest)
    assert state.kept.outbox == (outcome(EventKind.TRIAL, 2),)
    assert state.kept.last_outcome == outcome(EventKind.TRIAL, 2)


def test_the_first_bundle_of_a_device_is_tried_and_stays_if_it_fails_since_there_is_none_to_return_to() -> None:
    new = State(kept=UpdateState(), active=None, other=None, fetching=assignment(1, 1))
    trying, _ = next_state(new, Verified(assignment(1, 1), V1), NOW, TRYING)
    assert isinstance(trying.kept.phase, Trial)

    state, actions = next_state(trying, Failed(V1.target, "why"), NOW, TRYING)

    assert (state.active, state.kept.phase, state.kept.rejected_digests, actions) == (V1, Running(), (), (Save(),))
    told = state.kept.last_outcome
    assert told is not None and (told.event, told.code) == (EventKind.REJECTED, "failed-trial")


def test_a_bundle_that_failed_here_is_better_than_none() -> None:
    failed = UpdateState(
        seq=2,
        rejected_digests=(V2.digest,),
        last_refused=RefusedOffer(seq=2, target=V2.target, code="failed-trial", reason="why"),
    )
    lost = State(kept=failed, active=None, other=None)

    asked, actions = next_state(lost, Assigned(assignment(2, 2), None), NOW, TRYING)
    assert actions == (Fetch(assignment(2, 2), 0),)
    assert next_state(asked, Verified(assignment(2, 2), V2), NOW, TRYING)[0].active == V2


@pytest.mark.parametrize(
    "found",
    [
        Verified(assignment(2, 2), V2),
        Unverified(assignment(2, 2), "untrusted", "why"),
        Unfit(assignment(2, 2), "invalid-bundle", "why"),
    ],
)
def test_what_a_fetch_brought_is_passed_over_once_another_assignment_came(
    found: Verified | Unverified | Unfit,
) -> None:
    newer, _ = next_state(FETCHING_V2, Assigned(assignment(3, 3), None), NOW)
    taken_back, _ = next_state(FETCHING_V2, Assigned(assignment(1, 1), None), NOW)

    assert next_state(newer, found, NOW) == (newer, ())
    assert next_state(taken_back, found, NOW) == (taken_back, ())


def test_an_unfit_bundle_is_refused_once_and_saved() -> None:
    state, actions = next_state(FETCHING_V2, Unfit(assignment(2, 2), "invalid-bundle", "w" * 900), NOW)

    assert actions == (Save(),)
    assert (state.active, state.kept.seq, state.kept.refusals) == (V1, 2, 1)
    assert state.kept.last_refused == RefusedOffer(seq=2, target=V2.target, code="invalid-bundle", reason="w" * 500)
    assert state.kept.outbox == (outcome(EventKind.REJECTED, 2, code="invalid-bundle", reason="w" * 500),)
    assert next_state(state, Assigned(assignment(2, 2), None), NOW)[1] == ()
    assert next_state(state, Assigned(assignment(3, 2), None), NOW)[1] != ()
    assert next_state(state, Assigned(assignment(2, 3), None), NOW)[1] != ()


def test_an_unverified_bundle_is_tried_again_soon_then_put_off_then_tried_now_and_again() -> None:
    state = ON_V1
    told: list[tuple[Action, ...] | None] = []
    for elapsed_seconds in (0, 0, 0, 3599, 3600, 7199, 7200):
        now = NOW + elapsed_seconds
        state, asked = next_state(state, Assigned(assignment(2, 2), '"2"'), now)
        if asked:
            state, actions = next_state(state, Unverified(assignment(2, 2), "untrusted", "why"), now)
        told.append(actions if asked else None)

    soon = (Postpone("why"),)
    assert told == [soon, soon, (Save(),), None, (), None, ()]
    assert (state.kept.seq, state.kept.refusals, quiet_seq(state), known_etag(state)) == (1, 1, 2, None)


def test_a_clock_that_was_set_back_does_not_put_a_bundle_off_for_longer() -> None:
    state = FETCHING_V2
    for _ in range(Policy().trust_attempts):
        state, _ = next_state(state, Assigned(assignment(2, 2), None), NOW)
        state, _ = next_state(state, Unverified(assignment(2, 2), "untrusted", "why"), NOW)

    assert next_state(state, Assigned(assignment(2, 2), None), NOW + 1)[1] == ()
    assert next_state(state, Assigned(assignment(2, 2), None), NOW - 1)[1] != ()


def test_a_device_without_a_bundle_tries_an_unverified_one_again_however_often_it_failed() -> None:
    lost = replace(ON_V1, active=None)
    for _ in range(Policy().trust_attempts):
        lost, _ = next_state(lost, Assigned(assignment(1, 1), None), NOW)
        lost, _ = next_state(lost, Unverified(assignment(1, 1), "untrusted", "why"), NOW)

    assert next_state(lost, Assigned(assignment(1, 1), None), NOW)[1] == ()
    assert next_state(lost, Assigned(assignment(1, 1), None), NOW + 3600)[1] == (Fetch(assignment(1, 1), 1),)


def test_a_bundle_is_confirmed_by_the_last_proof_and_by_no_proof_of_another() -> None:
    state, actions = next_state(TRYING_V2, Proved(V1.target), NOW, TRYING)
    assert (state, actions) == (TRYING_V2, ())

    state, actions = next_state(state, Proved(V2.target), NOW, TRYING)
    assert isinstance(state.kept.phase, Trial) and (state.kept.phase.proofs, actions) == (1, (Save(),))

    state, actions = next_state(state, Proved(V2.target), NOW, TRYING)
    assert (state.kept.phase, state.active, actions) == (Running(), V2, (Save(),))
    assert state.kept.outbox == (outcome(EventKind.CONFIRMED, 2),)
    assert next_state(state, Proved(V2.target), NOW, TRYING) == (state, ())


def test_proofs_come_several_at_once() -> None:
    assert next_state(TRYING_V2, Proved(V2.target, 5), NOW, TRYING)[0].kept.phase == Running()


def test_frames_that_a_server_refuses_by_name_end_a_trial_and_refusals_of_other_tables_do_not() -> None:
    assert next_state(TRYING_V2, Refused(V1.target, 9), NOW, TRYING) == (TRYING_V2, ())

    once, actions = next_state(TRYING_V2, Refused(V2.target), NOW, TRYING)
    assert isinstance(once.kept.phase, Trial) and (once.kept.phase.refusals, actions) == (1, (Save(),))

    state, actions = next_state(once, Refused(V2.target), NOW, TRYING)
    assert (state.active, actions) == (V1, (Save(), RollBack(), Activate()))
    assert state.kept.last_refused is not None and "refused 2 frames" in state.kept.last_refused.reason


def test_a_failed_trial_returns_to_the_bundle_before_and_is_not_tried_again() -> None:
    state, actions = next_state(TRYING_V2, Failed(V2.target, "why"), NOW, TRYING)

    assert actions == (Save(), RollBack(), Activate())
    assert (state.active, state.other, state.kept.phase) == (V1, V2, Running())
    assert (state.kept.rejected_digests, state.kept.refusals) == ((V2.digest,), 1)
    assert state.kept.outbox == (outcome(EventKind.ROLLED_BACK, 2, code="failed-trial", reason="why"),)
    assert next_state(state, Assigned(assignment(2, 2), None), NOW, TRYING)[1] == ()
    again, _ = next_state(state, Assigned(assignment(5, 2), None), NOW, TRYING)
    refused, actions = next_state(again, Verified(assignment(5, 2), V2), NOW, TRYING)
    assert (refused.active, actions, refused.kept.seq) == (V1, (Save(),), 5)
    assert next_state(state, Failed(V1.target, "why"), NOW, TRYING) == (state, ())


def test_a_trial_that_fails_with_nothing_to_return_to_ends_where_it_is() -> None:
    alone = replace(TRYING_V2, other=None)

    state, actions = next_state(alone, Failed(V2.target, "why"), NOW, TRYING)

    assert actions == (Save(),)
    assert (state.active, state.kept.phase, state.kept.rejected_digests) == (V2, Running(), ())


def test_only_the_latest_failed_bundles_are_remembered() -> None:
    trial = replace(TRYING_V2, kept=TRYING_V2.kept.model_copy(update={"rejected_digests": ("a", "b")}))

    state, _ = next_state(trial, Failed(V2.target, "why"), NOW, TRYING)

    assert state.kept.rejected_digests == ("b", V2.digest)


def test_starts_that_crash_before_a_first_frame_end_a_trial() -> None:
    state = TRYING_V2
    for starts in (1, 2):
        state, actions = next_state(state, Started(), NOW, TRYING)
        assert isinstance(state.kept.phase, Trial) and actions == (Save(),)
        assert (state.kept.phase.boots, state.kept.phase.crashes) == (starts, starts)

    state, actions = next_state(state, Started(), NOW, TRYING)

    assert (state.active, actions) == (V1, (Save(), RollBack(), Activate()))
    assert state.kept.last_refused is not None and state.kept.last_refused.code == "failed-trial"


@pytest.mark.parametrize("sign_of_life", [Encoded(V2.target), Stopped()])
def test_starts_that_bring_a_frame_or_end_in_order_never_end_a_trial_however_long_nobody_answers(
    sign_of_life: Event,
) -> None:
    state = TRYING_V2
    for starts in range(1, 50):
        state, _ = next_state(state, Started(), NOW, TRYING)
        state, actions = next_state(state, sign_of_life, NOW, TRYING)
        assert isinstance(state.kept.phase, Trial) and actions == (Save(),)
        assert (state.kept.phase.boots, state.kept.phase.crashes) == (starts, 0)

    assert next_state(state, sign_of_life, NOW, TRYING) == (state, ())


def test_a_fault_that_was_overcome_is_no_start() -> None:
    assert next_state(TRYING_V2, Resumed(), NOW, TRYING) == (TRYING_V2, ())


def test_stopping_changes_nothing_but_a_trial() -> None:
    assert next_state(ON_V1, Stopped(), NOW) == (ON_V1, ())


def test_an_assignment_back_to_the_bundle_before_ends_a_trial_and_rejects_nothing() -> None:
    state, actions = next_state(TRYING_V2, Assigned(assignment(3, 1), None), NOW, TRYING)

    assert actions == (RollBack(), Save(), Activate())
    assert (state.active, state.kept.phase, state.kept.seq) == (V1, Running(), 3)
    assert state.kept.rejected_digests == ()
    assert state.kept.outbox == (outcome(EventKind.CONFIRMED, 1, seq=3),)


def test_the_bundle_before_a_trial_is_fetched_and_checked_if_the_floor_has_risen_above_it() -> None:
    risen, _ = next_state(TRYING_V2, FloorSeen(2), NOW, TRYING)

    assert next_state(risen, Assigned(assignment(3, 1), None), NOW, TRYING)[1] == (Fetch(assignment(3, 1), 2),)


def test_a_newer_bundle_takes_the_place_of_the_one_on_trial_never_of_the_one_before() -> None:
    state, _ = next_state(TRYING_V2, Assigned(assignment(3, 3), None), NOW, TRYING)
    state, actions = next_state(state, Verified(assignment(3, 3), V3), NOW, TRYING)

    assert actions == (RollBack(), Save(), Install(), Activate())
    assert (state.active, state.other) == (V3, V1)


def test_a_trial_whose_slot_was_never_switched_to_is_none() -> None:
    state, actions = next_state(replace(TRYING_V2, active=V1, other=None), Started(), NOW, TRYING)

    assert (state.kept.phase, actions) == (Running(), (Save(),))


def test_a_rejected_bundle_that_a_crash_left_in_use_gives_way_at_the_next_start() -> None:
    crashed = replace(TRYING_V2, kept=UpdateState(seq=2, floor_counter=1, rejected_digests=(V2.digest,)))

    state, actions = next_state(crashed, Started(), NOW, TRYING)

    assert (state.active, state.other, actions) == (V1, V2, (RollBack(), Activate()))
    assert next_state(state, Started(), NOW, TRYING) == (state, ())
    assert next_state(replace(crashed, other=None), Started(), NOW, TRYING)[1] == ()


def test_outcomes_wait_until_they_are_told_the_latest_last_and_few_of_them() -> None:
    state = ON_V1
    for seq in range(2, OUTBOX_LIMIT + 9):
        state, _ = next_state(state, Assigned(assignment(seq, 1), None), NOW)

    waiting = state.kept.outbox
    assert [told.seq for told in waiting] == list(range(9, OUTBOX_LIMIT + 9))

    state, actions = next_state(state, Told(waiting[:3]), NOW)
    assert (state.kept.outbox, actions) == (waiting[3:], (Save(),))
    assert state.kept.last_outcome == waiting[-1]
    assert next_state(state, Told(waiting[:3]), NOW) == (state, ())


@pytest.mark.parametrize("target", ["../../etc/passwd", "signs/0.json", "x" * 5000, ""])
def test_of_a_target_that_nobody_can_have_signed_there_is_nothing_to_tell(target: str) -> None:
    forged = Assignment.model_construct(seq=3, family="signs", counter=1, target=target)
    asked, _ = next_state(ON_V1, Assigned(forged, None), NOW)

    state, actions = next_state(asked, Unfit(forged, "offer-refused", "why"), NOW)

    assert (state.kept.refusals, state.kept.outbox, actions) == (1, (), (Save(),))


def test_a_start_leaves_a_device_that_runs_as_it_is() -> None:
    assert next_state(ON_V1, Started(), NOW, TRYING) == (ON_V1, ())
