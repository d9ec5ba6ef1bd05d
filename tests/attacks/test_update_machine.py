"""A device and its server, property by property: whatever comes in whatever order, the device runs what is assigned.

The real updater, trust client, slots and records of a device, over HTTP to a repository that is really signed; the
clock is a fake one. `make test-attacks` tries many more orders than `make test`.
"""

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sensor_client.clock import SystemClock
from sensor_client.device_channel import DeviceChannel
from sensor_client.http_line import HttpLine
from sensor_client.ota.states import Policy
from sensor_client.signals import Signals
from shared.bundle import Bundle
from shared.errors import ChannelError, RefusedError
from shared.wire import ProblemCode
from tests.attacks.damages import DAMAGES, Damage, files_of
from tests.sensor_client.device_plane import DEVICE_ID, TOKEN, DevicePlane, problem
from tests.sensor_client.fakes import Access, FakeClock
from tests.sensor_client.ota.updating import Device
from tests.sensor_client.signed_bundles import Publisher, make_bundle

EXAMPLES = max(8, int(os.environ.get("DCTWIRE_ATTACKS", "100")) // 12)
FAMILY = "signs"
STEPS_TO_CONVERGE = 12
TARGETS = (f"{FAMILY}/77.json", "other/1.json", f"{FAMILY}/timestamp.json")


class Updates(RuleBasedStateMachine):
    """One device, one family, and everything that happens to them."""

    @initialize()
    def begin(self) -> None:
        """A device that is enrolled, and a family with one bundle."""
        self.folder = Path(tempfile.mkdtemp())
        self.publisher = Publisher(self.folder / "publisher")
        self.plane = DevicePlane(tuf=self.publisher.directory)
        self.plane.start()
        self.line = HttpLine(self.plane.url, SystemClock())
        self.published: list[Bundle] = []
        self.seq = 0
        signals = Signals(settled_seq=0)
        channel = DeviceChannel(
            line=self.line,
            access=Access(DEVICE_ID, TOKEN),
            clock=SystemClock(),
            assignment_seen=signals.notice_assignment,
        )
        self.state = self.folder / "device"
        self.state.mkdir()
        self.device = Device(self.state, channel, self.publisher, signals, FakeClock())
        self.device.policy = Policy(proofs_needed=0)  # trials have tests of their own, where they are the subject
        self.device.restart()
        self.publish(raises_floor=False)
        self.assign(0)

    @property
    def floor(self) -> int:
        """The highest `min_counter` that was ever signed."""
        return max(bundle.min_counter for bundle in self.published)

    @rule(raises_floor=st.booleans())
    @precondition(lambda self: len(self.published) < 8)
    def publish(self, raises_floor: bool) -> None:
        """A bundle comes, which may be the oldest that is still safe; then it is assigned at once."""
        counter = len(self.published) + 1
        min_counter = counter if raises_floor or not self.published else self.floor
        bundle = make_bundle(counter, quality=20 + 9 * counter, min_counter=min_counter)
        self.publisher.publish(bundle)
        self.published.append(bundle)
        if raises_floor:
            self.assign(0)

    @rule(back=st.integers(0, 7))
    def assign(self, back: int) -> None:
        """An operator assigns one of the bundles that are safe."""
        safe = [bundle for bundle in self.published if bundle.counter >= self.floor]
        self.assigned = safe[-1 - back % len(safe)]
        self.seq += 1
        self.plane.assign(self.seq, FAMILY, self.assigned.counter)

    @rule(seq=st.sampled_from((0, 1, 10**9, 2**62)), named=st.sampled_from(TARGETS))
    def forge(self, seq: int, named: str) -> None:
        """Whoever holds the line assigns something else for a moment."""
        self.plane.assign(seq, FAMILY, 1, named)
        self.step()
        self.plane.assign(self.seq, FAMILY, self.assigned.counter)

    @rule(which=st.integers(0, 99), damage=st.sampled_from(DAMAGES))
    def damage(self, which: int, damage: Damage) -> None:
        """A file of the device is damaged while it runs."""
        files = files_of(self.state)
        if files:
            damage(files[which % len(files)])

    @rule()
    def restart(self) -> None:
        """The program is killed, and starts again."""
        self.device.restart()

    @rule(path=st.sampled_from(("/v1/assignment", f"/tuf/{FAMILY}/timestamp.json", "/tuf/2.root.json")))
    def fail(self, path: str) -> None:
        """One request will be answered that the server is not ready."""
        self.plane.scripted.append((path, problem(ProblemCode.NOT_READY)))

    @rule(seconds=st.sampled_from((-3e8, -7200.0, 7200.0, 3e6)))
    def jump(self, seconds: float) -> None:
        """The clock jumps."""
        self.device.clock.elapsed_seconds += seconds

    @rule()
    def step(self) -> None:
        """The device does what it would do next; a line or a disk that fails is no news to it."""
        with suppress(ChannelError, RefusedError, OSError):
            self.device.updater.step()

    @rule(is_started_anew=st.booleans())
    def converge(self, is_started_anew: bool) -> None:
        """The line is honest for a while: the device runs what is assigned, and its floor is the family's (6, 7).

        Both slots hold what the device knows of them, whatever happened to their files.
        """
        self.plane.scripted.clear()
        if is_started_anew:
            self.device.restart()
        for _ in range(STEPS_TO_CONVERGE):
            self.step()
            self.device.clock.elapsed_seconds += Policy().put_off_seconds / 3
        assert self.device.runs == self.assigned.name
        assert self.device.updater.kept.seq == self.seq
        assert self.device.updater.kept.floor_counter == self.floor
        assert self.device.slots.is_whole() and self.device.slots.active() == self.assigned
        before, on_disk = self.device.updater._state.other, self.device.slots.previous()
        assert before is None or (on_disk is not None and on_disk.target_path == before.target)

    @invariant()
    def runs_nothing_but_what_was_signed(self) -> None:
        """Whatever it runs is a bundle of its family that the right keys signed (1)."""
        if hasattr(self, "device"):
            assert self.device.active.bundle in (None, *self.published)

    def teardown(self) -> None:
        """Close what was opened."""
        if hasattr(self, "plane"):
            self.line.close()
            self.plane.stop()
            shutil.rmtree(self.folder, ignore_errors=True)


TestUpdates = Updates.TestCase
TestUpdates.settings = settings(
    max_examples=EXAMPLES, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
