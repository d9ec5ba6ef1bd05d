"""What it costs in bytes that each answer names its frames: `DW-Answered`, singly and in batches of 32.

The sensor's own channel, which asks for answers without results, posts frames of a bundle to a server: one by one, then
in batches. `wire_bytes_*` is what a frame costs both ways, HTTP included, as the server counts it at the socket;
`header_bytes_*` is the line of the header, divided among the frames of its answer. Device ids have 8 letters, numbers
7 digits. n counts the frames of each way. Bytes are exact: neither the machine nor its load matters.
"""

import secrets
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Final

from benchmarks import record
from benchmarks.bundle_frames import BundleFrames
from benchmarks.pinned_server import PinnedServer
from harness.measurement import Samples, measured
from sensor_client import device_channel
from sensor_client.clock import SystemClock
from sensor_client.device_channel import DeviceChannel
from sensor_client.http_line import HttpLine, Reply
from shared.jpeg import EOI
from shared.wire import ANSWERED_HEADER, Batch, BatchItem, Enrolment, EnrolmentRequest

FOLDER: Final = record.ROOT / "trainer" / "zoo" / "cifar100-100"
FIRST_NUMBER: Final = 1_000_000
FRAMES: Final = 512
BATCH: Final = 32


class NotingLine(HttpLine):
    """The sensor's line, which notes how long the header was."""

    header_bytes = 0

    def exchange(self, *asked: object, **options: object) -> Reply:
        """Exchange as ever."""
        reply = super().exchange(*asked, **options)  # type: ignore[arg-type]
        self.header_bytes += len(f"{ANSWERED_HEADER}: {reply.headers[ANSWERED_HEADER.lower()]}\r\n")
        return reply


class Known:
    """By what right the frames are posted: an enrolment that stands."""

    def __init__(self, enrolment: Enrolment) -> None:
        self._enrolment = enrolment

    def enrolment(self) -> Enrolment:
        """Who posts."""
        return self._enrolment

    def refused(self, token: str) -> None:
        """Nobody's token is refused here: the frame's error ends the benchmark."""

    def accepted(self, token: str) -> None:
        """As expected."""


def main() -> int:
    """Measure both ways, record."""
    frames = BundleFrames(FOLDER)
    with PinnedServer(0) as server:
        server.publish(FOLDER)
        server.assign(frames.bundle.family, frames.bundle.counter)
        with NotingLine(server.addresses["device"], SystemClock()) as line:
            channel = DeviceChannel(
                line=line,
                access=Known(enrolled(server, frames.bundle.family)),
                clock=SystemClock(),
                assignment_seen=lambda _number, _settings: None,
            )
            ways = {"single": lambda: post_singly(channel, frames), "batch32": lambda: post_batches(channel, frames)}
            figures = measure(ways, line, server, f"v{frames.bundle.counter}")
    record.write("answered_bytes", FRAMES, figures, f"frames of {FOLDER.name}")
    return 0


def measure(
    ways: Mapping[str, Callable[[], None]], line: NotingLine, server: PinnedServer, tables: str
) -> dict[str, float]:
    """Of each way the bytes a frame."""
    figures: dict[str, float] = {}
    bytes_before = 0.0
    for name, post in ways.items():
        line.header_bytes = 0
        post()
        row = measured(Samples.scrape(server.addresses["ops"]), tables, FRAMES)
        wire_bytes = row.wire_bytes * row.frames
        figures[f"wire_bytes_{name}"] = (wire_bytes - bytes_before) / FRAMES
        figures[f"header_bytes_{name}"] = line.header_bytes / FRAMES
        bytes_before = wire_bytes
    return figures


def enrolled(server: PinnedServer, family: str) -> Enrolment:
    """A new device."""
    with closing(server.operator()) as operator:
        code = operator.post("/v1/claims", {"family": family})["claim_code"]
    wanted = EnrolmentRequest(claim_code=code, secret=secrets.token_urlsafe(32))
    with HttpLine(server.addresses["device"], SystemClock()) as line:
        return device_channel.enrol(line, wanted, 0.0)


def post_singly(channel: DeviceChannel, frames: BundleFrames) -> None:
    """Every frame in a request of its own."""
    for number in range(FRAMES):
        channel.send_frame(FIRST_NUMBER + number, frames.streams[number % len(frames.streams)])


def post_batches(channel: DeviceChannel, frames: BundleFrames) -> None:
    """32 frames in each request."""
    prefix = frames.streams[0][: -len(frames.scans[0]) - len(EOI)]
    for start in range(FRAMES, 2 * FRAMES, BATCH):
        numbers = range(start, start + BATCH)
        items = (BatchItem(FIRST_NUMBER + n, 40 * n, frames.scans[n % len(frames.scans)]) for n in numbers)
        channel.send_batch(Batch(prefix, tuple(items)))


if __name__ == "__main__":
    sys.exit(main())
