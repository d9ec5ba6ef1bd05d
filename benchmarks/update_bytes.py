"""What a device pays for its updates, in bytes of whole HTTP messages each way, with few and with many published.

    make bench NAME=update_bytes

A server's process publishes 1 or 1,000 families, of which the device's own has 1 or 1,000 versions. A device is the
sensor's own code: its line, its channel, its TUF client. All that it sends and receives passes a socket that counts.
The 1,000 are laid out as `published_many` says; the version to which the device updates goes the whole way of
`dctwire publish` and `dctwire assign`.

- `check`: asking for the assignment where there is none but the one that the device has.
- `idle`: following the metadata where nothing is new, as each device does once a day.
- `update`: the new assignment, all metadata, and the bundle.
- `events`: telling what became of it, trial and confirmed.

`_sent` is from the device, `_received` to it; a name ends in the numbers of families and of versions. The bundle is the
zoo's `cifar100-100`. n counts the layouts. Exit status 1: a bar is missed.
"""

import secrets
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import record
from benchmarks.counting_relay import CountingRelay
from benchmarks.pinned_server import PinnedServer
from benchmarks.published_many import publish_many, version
from cloud_server.cli.publishing import ModelFolder
from sensor_client.clock import SystemClock
from sensor_client.device_channel import DeviceChannel, enrol
from sensor_client.http_line import HttpLine
from shared.trust import TrustClient
from shared.wire import AssignmentOutcome, Enrolment, EnrolmentRequest, EventKind

FOLDER = record.ROOT / "trainer" / "zoo" / "cifar100-100"
FAMILY = "family-0"
LAYOUTS = ((1, 1), (1000, 1), (1, 1000), (1000, 1000))
SERVER_CORE = 0
FEW_MODELS = {"DCTWIRE_SERVER_MODEL_MEMORY_BYTES": str(64 << 20)}
"""Or the server loads classifiers at its start until half of the machine's memory is full."""
BARS_BYTES = {"check_sent": 150, "check_received": 150, "idle": 1200, "update": 6000}
Figures = dict[str, float]


def main() -> int:
    """Measure every layout, write the figures, and compare them with the bars."""
    figures: Figures = {}
    for families, versions in LAYOUTS:
        for name, value in measure(families, versions).items():
            figures[f"{name}_{families}_{versions}"] = value
    record.write("update_bytes", len(LAYOUTS), figures)
    missed = list(over(figures))
    print("\n".join(missed) or "every bar is kept")
    return 1 if missed else 0


def over(figures: Figures) -> Iterator[str]:
    """What is over its bar."""
    for families, versions in LAYOUTS:
        for name, bar in BARS_BYTES.items():
            value = figures[f"{name}_{families}_{versions}"]
            if value > bar:
                yield f"{name}: {value:.0f} B with {families} families and {versions} versions; at most {bar}"


def measure(families: int, versions: int) -> Figures:
    """The bytes of one device."""
    folder = ModelFolder.read(FOLDER)
    published = [(f"family-{number}", 1) for number in range(1, families)]
    published += [(FAMILY, counter) for counter in range(1, versions + 1)]

    def prepare(keys: Path, data: Path) -> None:
        publish_many(folder, published, keys, data)

    with (
        PinnedServer(SERVER_CORE, environment=FEW_MODELS, prepare=prepare) as server,
        CountingRelay(server.device_address) as relay,
    ):
        server.assign(FAMILY, versions)
        meter = Meter(relay)
        with device_of(server, relay) as device:
            device.update()
            with meter.measuring("check"):
                device.ask()
            with meter.measuring("idle"):
                device.trust.refresh()
            server.publish(version(folder, FAMILY, versions + 1))
            server.assign(FAMILY, versions + 1)
            with meter.measuring("update"):
                outcome = device.update()
            with meter.measuring("events"):
                for event in (EventKind.TRIAL, EventKind.CONFIRMED):
                    device.channel.send_outcome(outcome.model_copy(update={"event": event}))
    return meter.figures


class Meter:
    """Takes down what passes a relay meanwhile."""

    def __init__(self, relay: CountingRelay) -> None:
        self._relay = relay
        self.figures: Figures = {}

    @contextmanager
    def measuring(self, name: str) -> Iterator[None]:
        """Whatever is asked inside the block is answered when it ends."""
        sent, received = self._relay.sent_bytes, self._relay.received_bytes
        yield
        sent, received = self._relay.sent_bytes - sent, self._relay.received_bytes - received
        self.figures |= {f"{name}_sent": sent, f"{name}_received": received, name: sent + received}


@dataclass(frozen=True)
class Joined:
    """A device that is enrolled, and stays so."""

    joined: Enrolment

    def enrolment(self) -> Enrolment:
        """Its id and token."""
        return self.joined

    def refused(self, token: str) -> None:
        """Nothing here lets that happen."""
        raise RuntimeError(f"{self.joined.device_id} is refused: {token}")

    def accepted(self, token: str) -> None:
        """As it should be."""


class Device:
    """A camera's update, without the camera."""

    def __init__(self, channel: DeviceChannel, trust: TrustClient) -> None:
        self.channel = channel
        self.trust = trust
        self._etag: str | None = None

    def ask(self) -> None:
        """Ask for the assignment, where it is the one that is known."""
        if self.channel.assignment(self._etag).assignment is not None:
            raise RuntimeError("there is another assignment")

    def update(self) -> AssignmentOutcome:
        """Ask for the assignment, which is new, and fetch its bundle."""
        reply = self.channel.assignment(self._etag)
        assert reply.assignment is not None, "it is new"
        self._etag = reply.etag
        self.trust.download(reply.assignment.target)
        return AssignmentOutcome(seq=reply.assignment.seq, event=EventKind.TRIAL, target=reply.assignment.target)


@contextmanager
def device_of(server: PinnedServer, relay: CountingRelay) -> Iterator[Device]:
    """A device that has enrolled over the relay."""
    clock, (host, port) = SystemClock(), relay.address
    with tempfile.TemporaryDirectory() as state, closing(HttpLine(f"http://{host}:{port}", clock)) as line:
        wanted = EnrolmentRequest(claim_code=server.claim(FAMILY), secret=secrets.token_urlsafe(32))
        access = Joined(enrol(line, wanted, time.time()))
        channel = DeviceChannel(line=line, access=access, clock=clock, assignment_seen=lambda _number, _settings: None)
        yield Device(channel, TrustClient(Path(state), server.root, channel.fetch, FAMILY))


if __name__ == "__main__":
    sys.exit(main())
