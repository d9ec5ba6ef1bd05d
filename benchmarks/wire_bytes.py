"""What a frame costs at the socket beside its scan, headers of both ways included: alone and in batches of 16.

    make bench NAME=wire_bytes

The sensor's own line and channel, which ask for answers without results, post frames of the zoo's `cifar100-100`
through a socket that counts. `http1`: straight to the server. `http2`: to nginx with TLS 1.3 and HTTP/2, which asks
the server over HTTP/1.1 on its own side; what TLS adds (22 bytes a record: its header, the type of its content and the
tag) is counted from the records' headers and left out, and stands apart in `tls_bytes_*`. Whether it was HTTP/2 is
asked of nginx's own list of requests. The connection is open already, as a camera's is: its handshake, HTTP/2's
settings and the first request of each kind are not counted.

`beyond_scan_*` is what was sent and received less the scans, divided by the frames; `scan_bytes_*` a scan's mean.
Numbers have 7 digits, device ids 8 letters; frames are taken 40 ms apart. n counts the frames of each way. Neither the
machine nor its load matters.
Needs nginx (Debian: nginx-light) and the extra [http2]. Exit status 1: a bar is missed.
"""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from benchmarks import record
from benchmarks.answered_bytes import FIRST_NUMBER, FOLDER, Known, enrolled
from benchmarks.bundle_frames import BundleFrames
from benchmarks.counting_relay import CountingRelay
from benchmarks.pinned_server import PinnedServer
from benchmarks.wire_bytes_way import TlsRelay, nginx
from sensor_client.clock import SystemClock
from sensor_client.device_channel import DeviceChannel
from sensor_client.http_line import HttpLine
from shared.jpeg import EOI
from shared.wire import Batch, BatchItem, Enrolment

FRAMES: Final = 512
BEGUN_MS: Final = 1_700_000_000_000
BATCH: Final = 16
BARS: Final = {
    "beyond_scan_single_http1": 300.0,
    "beyond_scan_single_http2": 300.0,
    "beyond_scan_batch16_http1": 22.0,
    "beyond_scan_batch16_http2": 16.0,
}


class Poster:
    """Posts frames of a bundle through a line, each under a number of its own."""

    def __init__(self, line: HttpLine, enrolment: Enrolment, frames: BundleFrames, first: int) -> None:
        self._frames = frames
        self._next = first
        self._prefix = frames.streams[0][: -len(frames.scans[0]) - len(EOI)]
        self._channel = DeviceChannel(
            line=line, access=Known(enrolment), clock=SystemClock(), assignment_seen=lambda _number, _settings: None
        )
        self.scan_bytes = 0

    def single(self) -> None:
        """Post one frame."""
        at = self._next % len(self._frames.scans)
        self._channel.send_frame(self._next, self._frames.streams[at])
        self._next += 1
        self.scan_bytes += len(self._frames.scans[at])

    def batch16(self) -> None:
        """Post 16 frames in one request."""
        numbers = range(self._next, self._next + BATCH)
        scans = [self._frames.scans[number % len(self._frames.scans)] for number in numbers]
        items = (BatchItem(number, BEGUN_MS + 40 * number, scan) for number, scan in zip(numbers, scans, strict=True))
        self._channel.send_batch(Batch(self._prefix, tuple(items)))
        self._next += BATCH
        self.scan_bytes += sum(map(len, scans))


def main() -> int:
    """Measure every way, record, compare with the bars."""
    frames = BundleFrames(FOLDER)
    with PinnedServer(0) as server:
        server.publish(FOLDER)
        server.assign(frames.bundle.family, frames.bundle.counter)
        with CountingRelay(server.device_address) as relay:
            figures = measured("http1", relay, "http", None, server, frames)
        with tempfile.TemporaryDirectory() as folder:
            figures |= through_nginx(Path(folder) / "nginx", server, frames)
    record.write("wire_bytes", FRAMES, figures, f"frames of {FOLDER.name}, nginx in front for HTTP/2")
    missed = {name: figures[name] for name, bar in BARS.items() if figures[name] > bar}
    print("\n".join(f"{name}: {value:.1f}, and at most {BARS[name]:.0f} was wanted" for name, value in missed.items()))
    return 1 if missed else 0


def through_nginx(folder: Path, server: PinnedServer, frames: BundleFrames) -> dict[str, float]:
    """The figures of HTTP/2.

    Raises:
        RuntimeError: it was not spoken.
    """
    with nginx(folder, server) as (address, certificate, requests), TlsRelay(address) as relay:
        figures = measured("http2", relay, "https", certificate, server, frames)
    spoken = {line.split()[0] for line in requests.read_text().splitlines() if line.endswith(" 204")}
    if spoken != {"HTTP/2.0"}:
        raise RuntimeError(f"frames were posted over {spoken}: install dctwire[http2]")
    return figures


def measured(
    way: str, relay: CountingRelay, scheme: str, certificate: str | None, server: PinnedServer, frames: BundleFrames
) -> dict[str, float]:
    """Bytes a frame of one way, posted alone and in batches."""
    host, port = relay.address
    with HttpLine(f"{scheme}://{host}:{port}", SystemClock(), authorities=certificate) as line:
        poster = Poster(line, enrolled(server, frames.bundle.family), frames, FIRST_NUMBER)
        found: dict[str, float] = {}
        for name, post, posts in (("single", poster.single, FRAMES), ("batch16", poster.batch16, FRAMES // BATCH)):
            post()
            found |= counted(f"{name}_{way}", post, posts, relay, poster)
    return found


def counted(name: str, post: Callable[[], None], posts: int, relay: CountingRelay, poster: Poster) -> dict[str, float]:
    """What so many posts cost a frame."""
    before, tls_before, poster.scan_bytes = _passed(relay), _tls(relay), 0
    for _ in range(posts):
        post()
    tls = _tls(relay) - tls_before
    return {
        f"beyond_scan_{name}": (_passed(relay) - before - tls - poster.scan_bytes) / FRAMES,
        f"tls_bytes_{name}": tls / FRAMES,
        f"scan_bytes_{name}": poster.scan_bytes / FRAMES,
    }


def _passed(relay: CountingRelay) -> int:
    return relay.sent_bytes + relay.received_bytes


def _tls(relay: CountingRelay) -> int:
    return relay.overhead_bytes if isinstance(relay, TlsRelay) else 0


if __name__ == "__main__":
    sys.exit(main())
