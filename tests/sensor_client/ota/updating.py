"""The updater of one device, as tests drive it: with a real trust client, real slots and records, and a fake clock."""

from collections.abc import Callable
from pathlib import Path

from sensor_client.active_bundle import ActiveBundle
from sensor_client.device_channel import DeviceChannel
from sensor_client.ota import (
    Evidence,
    Installation,
    Outbox,
    RefusedOffer,
    Slots,
    Updater,
    UpdateSettings,
    UpdateStateFile,
)
from sensor_client.ota.states import Policy
from sensor_client.signals import Signals
from shared.bundle import Bundle
from shared.trust import TrustClient
from shared.trust.build_time import BUILT_AT
from tests.sensor_client.fakes import FakeClock
from tests.sensor_client.signed_bundles import Publisher, make_bundle

TRUST_ATTEMPTS = Policy().trust_attempts
PUT_OFF_SECONDS = Policy().put_off_seconds
V1 = make_bundle(1)
V2 = make_bundle(2, quality=70)


class Device:
    """The updater of one device, which can be restarted."""

    def __init__(
        self, folder: Path, channel: DeviceChannel, publisher: Publisher, signals: Signals, clock: FakeClock
    ) -> None:
        self._parts = (folder, channel, publisher, signals, clock)
        self.clock, self.signals = clock, signals
        self.slots = Slots(folder / "bundles")
        self.state_file = UpdateStateFile(folder / "update-state.json")
        self.policy = Policy()
        self.built_at = BUILT_AT
        self.restart()

    def restart(self) -> None:
        folder, channel, publisher, signals, clock = self._parts
        self.active = ActiveBundle()
        self.evidence = Evidence(signals.update_wanted.set)
        self.outbox = Outbox(fresh=signals.report_wanted.set, settled=signals.update_wanted.set)
        self.trust = TrustClient(folder / "trust", publisher.root, channel.fetch, "signs", built_at=self.built_at)
        self.updater = Updater(
            channel=channel,
            trust=self.trust,
            installation=Installation(self.slots, self.state_file, self.active),
            clock=clock,
            random=lambda: 0.5,
            signals=signals,
            evidence=self.evidence,
            outbox=self.outbox,
            settings=UpdateSettings(family="signs", poll_seconds=300.0, policy=self.policy),
        )

    def run_until(self, condition: Callable[[], bool]) -> None:
        """Let it run until this is so, looked at whenever it waits; then ask it to stop."""

        def look(seconds: float) -> None:
            if condition() or len(self.clock.waits) > 5000:
                self.signals.request_stop()

        self.signals.stop.clear()
        self.clock.waits.clear()
        self.clock.on_wait = look
        self.updater.run()
        assert condition()

    @property
    def runs(self) -> str:
        return self.active.bundle.name if self.active.bundle else ""

    @property
    def last_refused(self) -> RefusedOffer:
        refused = self.state_file.load().last_refused
        assert refused is not None
        return refused

    @property
    def outcomes(self) -> list[tuple[int, str]]:
        return [(outcome.seq, outcome.event.value) for outcome in self.updater.kept.outbox]

    def work(self, steps: int = 1) -> None:
        for _ in range(steps):
            self.updater.step()


def prove(device: Device, bundle: Bundle, frames: int = Policy().proofs_needed) -> None:
    device.evidence.proved(bundle.target_path, frames)
    take(device)


def take(device: Device) -> None:
    """Let the updater look at what it was told, and at nothing else."""
    device.run_until(lambda: True)
