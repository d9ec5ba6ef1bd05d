"""The rules of updates: single steps, and a device that may crash anywhere, held to what must always be true."""

from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sensor_client.ota.machine import known_etag, next_state, quiet_seq
from sensor_client.ota.states import (
    Action,
    Activate,
    Assigned,
    BundleFacts,
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
from shared.wire import Assignment

NOW = 1_800_000_000.0
TRYING = Policy(proofs_needed=2, boots_limit=2, rejected_limit=2)


def bundle(counter: int, min_counter: int = 1) -> BundleFacts:
    return BundleFacts(target=f"signs/{counter}.json", digest=f"{counter:064x}", min_counter=min_counter)


def assignment(seq: int, counter: int) -> Assignment:
    return Assignment(seq=seq, family="signs", counter=counter, target=f"signs/{counter}.json")


V1, V2, V3 = bundle(1), bundle(2), bundle(3)
ON_V1 = State(kept=UpdateState(seq=1, floor_counter=1, activations=1), active=V1, other=None)
FETCHING_V2 = replace(ON_V1, fetching=assignment(2, 2), etag='"2"')
TRYING_V2 = replace(
    ON_V1, kept=UpdateState(seq=2, phase=Trial(target=V2.target, digest=V2.digest)), active=V2, other=V1
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
    assert next_state(state, Assigned(assignment(seq, 1), '"e"'), NOW) == (state, ())


def test_a_device_that_runs_another_bundle_than_it_decided_for_heals() -> None:
    fell_back = replace(ON_V1, kept=UpdateState(seq=2))

    assert next_state(fell_back, Assigned(assignment(2, 2), None), NOW)[1] == (Fetch(assignment(2, 2), 0),)


def test_a_verified_bundle_is_installed_then_saved_then_used_and_raises_the_floor() -> None:
    offered = bundle(2, min_counter=2)

    state, actions = next_state(FETCHING_V2, Verified(assignment(2, 2), offered), NOW)

    assert actions == (Install(), Save(), Activate())
    assert (state.active, state.other) == (offered, V1)
    assert (state.kept.seq, state.kept.floor_counter, state.kept.activations) == (2, 2, 2)
    assert (state.kept.phase, known_etag(state), quiet_seq(state)) == (Running(), '"2"', 2)


def test_the_floor_does_not_fall_with_a_bundle_that_names_a_lower_one() -> None:
    fetching = replace(FETCHING_V2, kept=UpdateState(seq=1, floor_counter=2))

    state, _ = next_state(fetching, Verified(assignment(2, 2), bundle(2, min_counter=1)), NOW)

    assert state.kept.floor_counter == 2


def test_a_trial_is_saved_before_its_bundle_is_installed() -> None:
    state, actions = next_state(FETCHING_V2, Verified(assignment(2, 2), V2), NOW, TRYING)

    assert actions == (Save(), Install(), Activate())
    assert state.kept.phase == Trial(target=V2.target, digest=V2.digest)


def test_the_first_bundle_of_a_device_is_not_tried_since_there_is_none_to_return_to() -> None:
    new = State(kept=UpdateState(), active=None, other=None, fetching=assignment(1, 1))

    assert next_state(new, Verified(assignment(1, 1), V1), NOW, TRYING)[0].kept.phase == Running()


@pytest.mark.parametrize(
    "outcome",
    [
        Verified(assignment(2, 2), V2),
        Unverified(assignment(2, 2), "untrusted", "why"),
        Unfit(assignment(2, 2), "invalid-bundle", "why"),
    ],
)
def test_what_a_fetch_brought_is_passed_over_once_another_assignment_came(
    outcome: Verified | Unverified | Unfit,
) -> None:
    newer, _ = next_state(FETCHING_V2, Assigned(assignment(3, 3), None), NOW)
    taken_back, _ = next_state(FETCHING_V2, Assigned(assignment(1, 1), None), NOW)

    assert next_state(newer, outcome, NOW) == (newer, ())
    assert next_state(taken_back, outcome, NOW) == (taken_back, ())


def test_an_unfit_bundle_is_refused_once_and_saved() -> None:
    state, actions = next_state(FETCHING_V2, Unfit(assignment(2, 2), "invalid-bundle", "w" * 900), NOW)

    assert actions == (Save(),)
    assert (state.active, state.kept.seq, state.kept.refusals) == (V1, 2, 1)
    assert state.kept.last_refused == RefusedOffer(seq=2, target=V2.target, code="invalid-bundle", reason="w" * 500)
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
    assert next_state(state, Proved(V2.target), NOW, TRYING) == (state, ())


def test_a_failed_trial_returns_to_the_bundle_before_and_is_not_tried_again() -> None:
    state, actions = next_state(TRYING_V2, Failed(V2.target, "why"), NOW, TRYING)

    assert actions == (Save(), RollBack(), Activate())
    assert (state.active, state.other, state.kept.phase) == (V1, V2, Running())
    assert (state.kept.rejected_digests, state.kept.refusals) == ((V2.digest,), 1)
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


def test_a_trial_ends_with_the_start_that_is_too_much() -> None:
    state = TRYING_V2
    for boots in (1, 2):
        state, actions = next_state(state, Started(), NOW, TRYING)
        assert isinstance(state.kept.phase, Trial) and (state.kept.phase.boots, actions) == (boots, (Save(),))

    state, actions = next_state(state, Started(), NOW, TRYING)

    assert (state.active, actions) == (V1, (Save(), RollBack(), Activate()))
    assert state.kept.last_refused is not None and state.kept.last_refused.code == "failed-trial"


def test_an_assignment_back_to_the_bundle_before_ends_a_trial_and_rejects_nothing() -> None:
    state, actions = next_state(TRYING_V2, Assigned(assignment(3, 1), None), NOW, TRYING)

    assert actions == (RollBack(), Save(), Activate())
    assert (state.active, state.kept.phase, state.kept.seq) == (V1, Running(), 3)
    assert state.kept.rejected_digests == ()


def test_a_newer_bundle_takes_the_place_of_the_one_on_trial_never_of_the_one_before() -> None:
    state, _ = next_state(TRYING_V2, Assigned(assignment(3, 3), None), NOW, TRYING)
    state, actions = next_state(state, Verified(assignment(3, 3), V3), NOW, TRYING)

    assert actions == (RollBack(), Save(), Install(), Activate())
    assert (state.active, state.other) == (V3, V1)


def test_a_trial_whose_slot_was_never_switched_to_is_none() -> None:
    state, actions = next_state(replace(TRYING_V2, active=V1, other=None), Started(), NOW, TRYING)

    assert (state.kept.phase, actions) == (Running(), (Save(),))


def test_a_rejected_bundle_that_a_crash_left_in_use_gives_way_at_the_next_start() -> None:
    crashed = replace(TRYING_V2, kept=UpdateState(seq=2, rejected_digests=(V2.digest,)))

    state, actions = next_state(crashed, Started(), NOW, TRYING)

    assert (state.active, state.other, actions) == (V1, V2, (RollBack(), Activate()))
    assert next_state(state, Started(), NOW, TRYING) == (state, ())
    assert next_state(replace(crashed, other=None), Started(), NOW, TRYING)[1] == ()


def test_a_start_leaves_a_device_that_runs_as_it_is() -> None:
    assert next_state(ON_V1, Started(), NOW, TRYING) == (ON_V1, ())


class Device(RuleBasedStateMachine):
    """A device with two slots and a file, and a server that assigns what it likes; any action may be the last one."""

    @initialize(
        proofs=st.integers(0, 3), boots=st.integers(0, 2), attempts=st.integers(1, 3), rejected=st.integers(1, 3)
    )
    def begin(self, proofs: int, boots: int, attempts: int, rejected: int) -> None:
        self.policy = Policy(
            trust_attempts=attempts,
            put_off_seconds=100.0,
            proofs_needed=proofs,
            boots_limit=boots,
            rejected_limit=rejected,
        )
        self.now = NOW
        self.slots: list[BundleFacts | None] = [None, None]
        self.link = 0
        self.file = UpdateState()
        self.used: BundleFacts | None = None
        self.proofs: dict[str, int] = {}
        self.confirmed: set[str] = set()
        self.highest_floor = 0
        self.boot()

    def boot(self) -> None:
        self.used = self.slots[self.link]
        self.state = State(kept=self.file, active=self.used, other=self.slots[1 - self.link])
        self.tell(Started())

    def tell(self, event: Event, last_action: int = 99) -> tuple[Action, ...]:
        state, actions = next_state(self.state, event, self.now, self.policy)
        for action in actions[:last_action]:
            self.carry_out(action, state, event)
        if len(actions) > last_action:  # the power went
            self.boot()
            return ()
        self.state = state
        self.highest_floor = max(self.highest_floor, state.kept.floor_counter)
        return actions

    def carry_out(self, action: Action, state: State, event: Event) -> None:
        match action:
            case Install():
                assert isinstance(event, Verified)
                has_one_to_return_to = any(slot and slot.digest in self.confirmed for slot in self.slots)
                self.slots[1 - self.link] = event.bundle
                self.link = 1 - self.link
                self.proofs[event.bundle.digest] = 0
                if self.policy.proofs_needed == 0 or not has_one_to_return_to:
                    self.confirmed.add(event.bundle.digest)
                elif isinstance(state.kept.phase, Trial):
                    self.confirmed.discard(event.bundle.digest)
            case RollBack():
                assert self.slots[1 - self.link] is not None
                self.link = 1 - self.link
            case Save():
                self.file = UpdateState.model_validate_json(state.kept.model_dump_json())
            case Activate():
                self.used = self.slots[self.link]

    @rule(seq=st.integers(1, 4), counter=st.integers(1, 5), last_action=st.integers(0, 9))
    def assign(self, seq: int, counter: int, last_action: int) -> None:
        self.tell(Assigned(assignment(seq, counter), f'"{seq}"'), last_action)

    @precondition(lambda self: self.state.fetching is not None)
    @rule(
        outcome=st.sampled_from(["verified", "verified", "verified", "verified", "unverified", "unfit", "unsupported"]),
        is_stale=st.sampled_from([False, False, False, True]),
        last_action=st.integers(0, 9),
    )
    def fetch(self, outcome: str, is_stale: bool, last_action: int) -> None:
        before = self.state
        assert before.fetching is not None
        asked = assignment(9, 5) if is_stale else before.fetching
        offered = bundle(asked.counter, min_counter=max(1, asked.counter - 2))
        if outcome == "verified" and asked.counter < before.kept.floor_counter:
            outcome = "unfit"  # as check_offer finds
        events: dict[str, Event] = {
            "verified": Verified(asked, offered),
            "unverified": Unverified(asked, "untrusted", "why"),
            "unfit": Unfit(asked, "offer-refused", "why"),
            "unsupported": Unfit(asked, "unsupported-bundle", "why"),
        }
        actions = self.tell(events[outcome], last_action)
        if is_stale:
            assert self.state == before and actions == ()
        elif Activate() in actions:
            self.check_settled(before.fetching)

    def check_settled(self, asked: Assignment) -> None:
        assert self.state.active is not None and self.state.active.target == asked.target
        assert (self.state.kept.seq, quiet_seq(self.state)) == (asked.seq, asked.seq)
        assert known_etag(self.state) == self.state.etag
        assert self.tell(Assigned(asked, self.state.etag)) == ()

    @precondition(lambda self: self.state.active is not None)
    @rule(counter=st.integers(1, 5), is_of_the_active=st.booleans())
    def prove(self, counter: int, is_of_the_active: bool) -> None:
        assert self.state.active is not None
        proved = self.state.active if is_of_the_active else bundle(counter)
        if proved.target == self.state.active.target:
            digest = self.state.active.digest
            self.proofs[digest] = self.proofs.get(digest, 0) + 1
            if self.proofs[digest] >= self.policy.proofs_needed:
                self.confirmed.add(digest)
        self.tell(Proved(proved.target))

    @precondition(lambda self: self.state.active is not None)
    @rule(last_action=st.integers(0, 9))
    def fail(self, last_action: int) -> None:
        assert self.state.active is not None
        self.tell(Failed(self.state.active.target, "why"), last_action)

    @rule()
    def restart(self) -> None:
        self.boot()

    @rule(seconds=st.sampled_from([-1000.0, 1.0, 99.0, 100.0]))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def insist_on_what_does_not_verify(self) -> None:
        asked = assignment(77, 4)
        tries = 0
        for _ in range(self.policy.trust_attempts + 2):
            self.tell(Assigned(asked, None))
            if self.state.fetching == asked:
                tries += 1
                self.tell(Unverified(asked, "untrusted", "why"))
        assert tries <= self.policy.trust_attempts

    @invariant()
    def what_runs_is_what_the_disk_says(self) -> None:
        assert self.used == self.state.active == self.slots[self.link]
        assert self.state.other == self.slots[1 - self.link]
        assert self.file == self.state.kept

    @invariant()
    def there_is_always_a_confirmed_bundle_once_there_was_one(self) -> None:
        assert not self.confirmed or any(slot and slot.digest in self.confirmed for slot in self.slots)

    @invariant()
    def what_runs_is_confirmed_or_on_trial(self) -> None:
        if self.used is not None and self.used.digest not in self.confirmed:
            assert isinstance(self.state.kept.phase, Trial) and self.state.kept.phase.target == self.used.target

    @invariant()
    def a_rejected_bundle_does_not_run(self) -> None:
        assert self.used is None or self.used.digest not in self.state.kept.rejected_digests

    @invariant()
    def the_rejected_are_few_and_different(self) -> None:
        rejected = self.state.kept.rejected_digests
        assert len(rejected) == len(set(rejected)) <= self.policy.rejected_limit

    @invariant()
    def a_trial_takes_few_starts_and_has_a_bundle_to_return_to(self) -> None:
        phase = self.state.kept.phase
        if isinstance(phase, Trial):
            assert phase.boots <= self.policy.boots_limit and phase.proofs < self.policy.proofs_needed
            assert self.state.other is not None and self.state.other.digest in self.confirmed

    @invariant()
    def the_floor_never_falls(self) -> None:
        assert self.state.kept.floor_counter >= self.highest_floor


TestDevice = Device.TestCase
TestDevice.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
