"""A device whose power may go between any two actions, and whose files may be damaged: what must always be true.

The numbers are those of `docs/trust.md`, where the invariants are written down.
"""

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sensor_client.active_bundle import ActiveBundle
from sensor_client.ota import Installation, Slots, UpdateStateFile
from sensor_client.ota.changes import OUTBOX_LIMIT, may_be_probed
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
from sensor_client.ota.update_state import Running, Trial, UpdateState
from shared.bundle import Bundle
from shared.wire import Assignment
from tests.sensor_client.ota.damages import DAMAGES
from tests.sensor_client.ota.test_machine import NOW, assignment, bundle
from tests.sensor_client.signed_bundles import make_bundle

ALL = 99
FILES = ("a.json", "b.json", "active")
BUNDLES = [make_bundle(counter, quality=30 + counter) for counter in range(1, 4)]
VERIFIED = (Verified, FloorSeen, Started, Resumed)
EVIDENCE = (Failed, Refused, Started)


class Device(RuleBasedStateMachine):
    """Two slots, a record and verified metadata on disk, and a server that assigns what it likes."""

    @initialize(
        proofs=st.integers(0, 3),
        refusals=st.integers(1, 3),
        crashes=st.integers(1, 3),
        attempts=st.integers(1, 3),
        rejected=st.integers(1, 3),
    )
    def begin(self, proofs: int, refusals: int, crashes: int, attempts: int, rejected: int) -> None:
        self.policy = Policy(
            trust_attempts=attempts,
            put_off_seconds=100.0,
            proofs_needed=proofs,
            refusals_limit=refusals,
            crashes_limit=crashes,
            rejected_limit=rejected,
        )
        self.now = NOW
        self.slots: list[BundleFacts | None] = [None, None]
        self.link = 0
        self.file = UpdateState()
        self.metadata_floor = 0
        self.highest_floor = 0
        self.used: BundleFacts | None = None
        self.proven: set[str] = set()  # or there was no choice
        self.start(Started(0))

    def start(self, event: Started | Resumed) -> None:
        self.used = self.slots[self.link] or self.slots[1 - self.link]
        if self.slots[self.link] is None and self.used is not None:
            self.link = 1 - self.link  # the link heals
        has_choice = any(facts is not None and facts.digest in self.proven for facts in self.slots)
        if has_choice and self.used is not None and self.used.digest not in self.proven:
            phase = self.file.phase
            is_on_trial = isinstance(phase, Trial) and phase.target == self.used.target
            assert is_on_trial or self.used.digest in self.file.rejected_digests, "the disk does not know what this is"
        other = self.slots[1 - self.link]
        self.state = State(kept=self.file, active=self.used, other=other)
        self.tell(event)

    def boot(self) -> None:
        self.start(Started(self.metadata_floor))

    def tell(self, event: Event, last_action: int = ALL) -> tuple[Action, ...]:
        before = self.state
        state, actions = next_state(before, event, self.now, self.policy)
        self.check_step(before, event, state, actions)
        for action in actions[:last_action]:
            self.carry_out(action, state, event)
        if len(actions) > last_action:  # the power went
            self.boot()
            return ()
        self.state = state
        if isinstance(state.kept.phase, Running) and state.active is not None:
            self.proven.add(state.active.digest)
        self.highest_floor = max(self.highest_floor, state.kept.floor_counter)
        return actions

    def check_step(self, before: State, event: Event, after: State, actions: tuple[Action, ...]) -> None:
        """Invariants 1 and 5: what moves the floor was verified, and what speaks against a bundle was seen here."""
        if not isinstance(event, VERIFIED):
            is_about_a_bundle_here = after.kept.floor_counter in {
                facts.min_counter for facts in (before.active, before.other) if facts
            }
            assert after.kept.floor_counter == before.kept.floor_counter or is_about_a_bundle_here
        if len(after.kept.rejected_digests) and after.kept.rejected_digests != before.kept.rejected_digests:
            assert isinstance(event, EVIDENCE) and isinstance(before.kept.phase, Trial)
        is_operators_choice = isinstance(event, Assigned | Verified)
        if RollBack() in actions and not is_operators_choice:
            assert isinstance(event, (*EVIDENCE, Resumed))

    def carry_out(self, action: Action, state: State, event: Event) -> None:
        match action:
            case Install():
                assert isinstance(event, Verified)
                self.slots[1 - self.link] = event.bundle
                self.link = 1 - self.link
                if self.policy.proofs_needed == 0:
                    self.proven.add(event.bundle.digest)
                else:
                    self.proven.discard(event.bundle.digest)
            case RollBack():
                back = self.slots[1 - self.link]
                assert back is not None
                assert self.file.rejected_digests == state.kept.rejected_digests, "a crash would bring it back"
                self.link = 1 - self.link
                self.proven.add(back.digest)
            case Save():
                self.file = UpdateState.model_validate_json(state.kept.model_dump_json())
            case Activate():
                self.used = self.slots[self.link]

    def found(self, asked: Assignment, floor_counter: int) -> Verified | Unfit:
        """What a device finds that fetches a genuine bundle."""
        offered = bundle(asked.counter, min_counter=max(1, asked.counter - 2))
        if offered.counter < floor_counter:
            return Unfit(asked, "offer-refused", "older than the floor")
        return Verified(asked, offered, self.metadata_floor)

    @rule(seq=st.integers(1, 4), counter=st.integers(1, 5), last_action=st.integers(0, 9))
    def assign(self, seq: int, counter: int, last_action: int) -> None:
        self.tell(Assigned(assignment(seq, counter), f'"{seq}"'), last_action)

    @rule(seq=st.sampled_from([1, 2**62, 10**40]), path=st.sampled_from(["", "signs/1.json", "x" * 999, "../1.json"]))
    def forge_an_assignment(self, seq: int, path: str) -> None:
        forged = Assignment.model_construct(seq=seq, family="signs", counter=1, target=path)
        self.tell(Assigned(forged, None))
        if self.state.fetching is not None:
            self.tell(Unverified(forged, "untrusted", "no such target is signed"))

    @precondition(lambda self: self.state.fetching is not None)
    @rule(
        outcome=st.sampled_from(["genuine", "genuine", "genuine", "genuine", "unverified", "unfit", "unsupported"]),
        is_stale=st.sampled_from([False, False, False, True]),
        last_action=st.integers(0, 9),
    )
    def fetch(self, outcome: str, is_stale: bool, last_action: int) -> None:
        before = self.state
        assert before.fetching is not None
        asked = assignment(9, 5) if is_stale else before.fetching
        events: dict[str, Event] = {
            "genuine": self.found(asked, max(before.kept.floor_counter, self.metadata_floor)),
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

    @rule(counter=st.integers(1, 5), is_of_the_active=st.booleans(), frames=st.integers(1, 4), last=st.integers(0, 9))
    def prove(self, counter: int, is_of_the_active: bool, frames: int, last: int) -> None:
        self.tell(Proved(self.some_target(counter, is_of_the_active), frames), last)

    @rule(counter=st.integers(1, 5), is_of_the_active=st.booleans(), last=st.integers(0, 9))
    def refuse_frames(self, counter: int, is_of_the_active: bool, last: int) -> None:
        self.tell(Refused(self.some_target(counter, is_of_the_active)), last)

    @precondition(lambda self: self.state.active is not None)
    @rule(last_action=st.integers(0, 9))
    def fail(self, last_action: int) -> None:
        self.tell(Failed(self.some_target(1, True), "why"), last_action)

    @rule()
    def encode(self) -> None:
        self.tell(Encoded(self.some_target(1, True)))

    def some_target(self, counter: int, is_of_the_active: bool) -> str:
        active = self.state.active
        return active.target if is_of_the_active and active is not None else f"signs/{counter}.json"

    @rule(how_many=st.integers(0, 3))
    def hear_of_outcomes(self, how_many: int) -> None:
        self.tell(Told(self.state.kept.outbox[:how_many]))

    @rule(floor_counter=st.integers(0, 3), last_action=st.integers(0, 9))
    def look_at_the_metadata(self, floor_counter: int, last_action: int) -> None:
        self.metadata_floor = max(self.metadata_floor, floor_counter)  # they never say less than before
        self.tell(FloorSeen(self.metadata_floor), last_action)

    @rule(days=st.floats(0.0, 4.0), last_action=st.integers(0, 9))
    def run_for(self, days: float, last_action: int) -> None:
        self.tell(Ran(days * 86_400.0), last_action)

    @rule()
    def stop_and_start(self) -> None:
        self.tell(Stopped())
        self.boot()

    @rule()
    def lose_power(self) -> None:
        self.boot()

    @rule()
    def meet_a_fault(self) -> None:
        self.start(Resumed())

    @rule(slot=st.integers(0, 1), losses=st.sampled_from(["slot", "link", "record", "slots and record", "all slots"]))
    def damage_files(self, slot: int, losses: str) -> None:
        """Invariant 6: what the rest of the disk says of the floor is not lost with a damaged record."""
        if "slot" in losses:
            self.slots[slot] = None
        if "slots" in losses:
            self.slots[1 - slot] = None
        self.proven |= {facts.digest for facts in self.slots if facts is not None}
        if losses == "link":
            self.link = 1 - self.link
        if "record" in losses:
            self.file = UpdateState()
            rest = [facts.min_counter for facts in self.slots if facts is not None]
            self.highest_floor = max([self.metadata_floor, *rest])
        self.boot()

    @rule(seconds=st.sampled_from([-1000.0, 1.0, 99.0, 100.0]))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    @rule(seq=st.integers(1, 4), counter=st.integers(1, 5))
    def reach_the_server(self, seq: int, counter: int) -> None:
        """Invariant 7: whatever the state is, two questions to a server lead to the bundle that it assigns."""
        asked = assignment(seq, counter)
        self.now += 2 * self.policy.put_off_seconds
        for _ in range(2):
            actions = self.tell(Assigned(asked, None))
            for action in actions:
                if isinstance(action, Fetch):
                    self.tell(self.found(asked, max(action.floor_counter, self.metadata_floor)))
        active = self.state.active
        if active is None or active.target != asked.target:
            assert self.has_refused(asked)

    def has_refused(self, asked: Assignment) -> bool:
        """Whether the device has a reason of its own to keep to another bundle."""
        last = self.state.kept.last_refused
        return last is not None and (last.seq, last.target) == (asked.seq, asked.target) and last.is_final

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
    def a_device_that_had_a_bundle_runs_one(self) -> None:
        """Invariant 2, as far as it is one of rules: only damage to both slots takes the tables away."""
        assert self.used is not None or self.slots == [None, None]

    @invariant()
    def a_rejected_bundle_does_not_run_where_there_is_another(self) -> None:
        if self.used is not None and self.used.digest in self.state.kept.rejected_digests:
            other = self.state.other
            assert (
                other is None
                or other.digest in self.state.kept.rejected_digests
                or isinstance(self.state.kept.phase, Trial)
            )

    @invariant()
    def what_is_probed_is_none_that_must_not_run_here(self) -> None:
        other = self.state.other
        if may_be_probed(self.state):
            assert other is not None and other.digest not in self.state.kept.rejected_digests
            assert other.counter >= self.highest_floor
        assert 0.0 <= self.state.kept.probing_seconds_left <= self.policy.probing_seconds

    @invariant()
    def lists_have_an_end(self) -> None:
        rejected = self.state.kept.rejected_digests
        assert len(rejected) == len(set(rejected)) <= self.policy.rejected_limit
        assert len(self.state.kept.outbox) <= OUTBOX_LIMIT

    @invariant()
    def a_trial_has_an_end(self) -> None:
        phase = self.state.kept.phase
        if isinstance(phase, Trial):
            assert phase.crashes <= self.policy.crashes_limit
            assert phase.proofs < self.policy.proofs_needed and phase.refusals < self.policy.refusals_limit
            assert self.used is not None and self.used.target == phase.target
        else:
            assert isinstance(phase, Running)

    @invariant()
    def the_floor_never_falls(self) -> None:
        assert self.state.kept.floor_counter >= self.highest_floor


class Disk(RuleBasedStateMachine):
    """The real slots, link and record of a device whose files are damaged while its program runs (invariant 7).

    What is in use, and the bundle to return to, are known to the program: before it touches the slots, and at the end
    of each step of updates, they are on disk again, so that a start after that finds both.
    """

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.kept = UpdateState()
        self.active: Bundle | None = None
        self.other: Bundle | None = None
        self.start()

    def start(self) -> None:
        self.camera = ActiveBundle()
        record = UpdateStateFile(self.folder / "update-state.json")
        self.installation = Installation(Slots(self.folder / "bundles"), record, self.camera)
        assert self.installation.load() == (self.kept, self.active, self.other)
        self.installation.hand_over()

    def carry_out(self, *actions: Action, offered: Bundle | None = None) -> None:
        for action in actions:
            self.installation.carry_out(action, self.kept, offered)

    @rule(bundle=st.sampled_from(BUNDLES))
    def take_in(self, bundle: Bundle) -> None:
        self.carry_out(Install(), Activate(), offered=bundle)
        self.active, self.other = bundle, self.active
        self.kept = UpdateState(seq=self.kept.seq + 1)
        self.carry_out(Save())

    @precondition(lambda self: self.other is not None)
    @rule()
    def go_back(self) -> None:
        self.carry_out(RollBack(), Activate())
        self.active, self.other = self.other, self.active

    @rule(
        names=st.sets(st.sampled_from(["a.json", "b.json", "active"]), min_size=1), damage=st.sampled_from([*DAMAGES])
    )
    def damage_files(self, names: set[str], damage: str) -> None:
        for name in sorted(names):
            path = self.folder / "bundles" / name
            if path.is_symlink() or path.is_file():
                with suppress(OSError):  # what leads nowhere any more cannot be damaged through its name
                    DAMAGES[damage](path)

    @rule()
    def lose_the_folder(self) -> None:
        shutil.rmtree(self.folder / "bundles", ignore_errors=True)

    @rule(is_started_anew=st.booleans())
    def end_a_step(self, is_started_anew: bool) -> None:
        self.installation.heal()
        slots = Slots(self.folder / "bundles")
        assert (slots.active(), slots.previous()) == (self.active, self.other)
        assert slots.is_whole() == (self.active is not None)
        if is_started_anew:
            self.start()

    @invariant()
    def the_camera_has_what_is_in_use(self) -> None:
        assert self.camera.bundle == self.active

    def teardown(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


TestDevice = Device.TestCase
TestDevice.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
TestDisk = Disk.TestCase
TestDisk.settings = settings(max_examples=20, stateful_step_count=15, deadline=None)
