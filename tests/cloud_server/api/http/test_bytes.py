"""The byte counters, held against what the client's own socket saw."""

import socket
from collections.abc import Callable

import pytest

from sensor_client.clock import SystemClock
from sensor_client.device_channel import DeviceChannel
from sensor_client.http_line import HttpLine
from sensor_client.traffic import Purpose
from shared.jpeg import Stream, inspect
from shared.wire import BATCH_MEDIA_TYPE, Batch, BatchItem
from tests.cloud_server.harness.devices import Device
from tests.cloud_server.harness.frames import batch_with_scans, frame, tables
from tests.cloud_server.harness.metrics import Scrape, grown
from tests.cloud_server.harness.server import ServerHarness
from tests.sensor_client.fakes import Access

pytestmark = pytest.mark.stateless

DIRECTIONS = ("in", "out")


def request(device: Device, method: str, path: str, body: bytes, *headers: str) -> bytes:
    """One HTTP/1.1 request, as bytes."""
    lines = [f"{method} {path} HTTP/1.1", "Host: x", f"Authorization: Bearer {device.token}", *headers]
    return ("\r\n".join([*lines, f"Content-Length: {len(body)}"]) + "\r\n\r\n").encode() + body


def read_one_answer(connection: socket.socket) -> bytes:
    """The bytes of one answer on a connection that stays open."""
    raw = b""
    while b"\r\n\r\n" not in raw:
        raw += connection.recv(1)
    length = next(
        (int(line.split(b":")[1]) for line in raw.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
    )
    body = b""
    while len(body) < length:
        body += connection.recv(length - len(body))
    return raw + body


def test_frames_on_one_connection_add_up_to_the_byte(harness: ServerHarness, device: Device) -> None:
    frames = [frame(tables(50), seed) for seed in range(10)]
    before = harness.scrape()
    sent = received = 0
    with harness.connect() as connection:
        for sequence, data in enumerate(frames):
            raw = request(device, "POST", "/v1/frames", data, f"DW-Sequence: {sequence}")
            connection.sendall(raw)
            sent += len(raw)
            received += len(read_one_answer(connection))
    after = harness.scrape()
    scans = sum(inspect(data).scan_bytes for data in frames)
    parts = {
        part: grown(before, after, "dctwire_payload_bytes_total", direction="in", tables="v1", part=part)
        for part in ("scan", "tables", "markers", "http")
    }
    assert parts["scan"] == scans
    assert parts["tables"] == 0
    assert parts["markers"] == sum(map(len, frames)) - scans == 51 * len(frames)
    assert sum(parts.values()) == sent
    assert grown(before, after, "dctwire_payload_bytes_total", direction="out", tables="v1") == received
    assert grown(before, after, "dctwire_wire_bytes_total", direction="in", route="frames") == sent
    assert grown(before, after, "dctwire_wire_bytes_total", direction="out", route="frames") == received


class Counter:
    """Counts what a device's line tells of itself."""

    def __init__(self) -> None:
        self.bytes = 0

    def ask(self, purpose: Purpose, request_bytes: int) -> None:
        """Let everything go."""

    def count(self, purpose: Purpose, *, sent: int = 0, received: int = 0) -> None:
        self.bytes += sent + received


@pytest.mark.parametrize(("frames_at_once", "most_bytes"), [(1, 300), (16, 22)])
def test_a_frame_of_a_sensor_costs_few_bytes_beside_its_scan_headers_of_both_ways_included(
    harness: ServerHarness, device: Device, frames_at_once: int, most_bytes: int
) -> None:
    counter = Counter()
    with HttpLine(harness.addresses["device"], SystemClock(), meter=counter) as line:
        channel = DeviceChannel(
            line=line,
            access=Access(device.device_id, device.token),
            clock=SystemClock(),
            assignment_seen=lambda seq, settings: None,
        )
        if frames_at_once == 1:
            data = frame(tables(50), 1)
            scan_bytes = inspect(data).scan_bytes
            channel.send_frame(1_000, data)
        else:
            same = batch_with_scans(50, range(frames_at_once))
            items = [BatchItem(5_200 + n, 1_700_000_000_000 + 40 * n, item.scan) for n, item in enumerate(same.items)]
            scan_bytes = sum(len(item.scan) for item in items)
            channel.send_batch(Batch(same.prefix, tuple(items)))

    assert (counter.bytes - scan_bytes) / frames_at_once <= most_bytes


def test_an_ordinary_file_shows_what_its_tables_cost(harness: ServerHarness, device: Device) -> None:
    data = frame(tables(50), 2, Stream.INTERCHANGE)
    before = harness.scrape()
    device.post(data)
    after = harness.scrape()

    def part(name: str) -> float:
        return grown(before, after, "dctwire_payload_bytes_total", direction="in", tables="interchange", part=name)

    assert part("scan") == inspect(data).scan_bytes
    assert 540 <= part("tables") <= 570  # two 69-byte DQT segments and 420-odd bytes of DHT
    assert part("scan") + part("tables") + part("markers") == len(data)


def test_a_batch_counts_its_shared_headers_once(harness: ServerHarness, device: Device) -> None:
    batch = batch_with_scans(25, range(20))
    body = batch.to_bytes()
    raw = request(device, "POST", "/v1/frames:batch", body, f"Content-Type: {BATCH_MEDIA_TYPE}")
    before = harness.scrape()
    with harness.connect() as connection:
        connection.sendall(raw)
        answer = read_one_answer(connection)
    after = harness.scrape()
    counted = {"direction": "in", "tables": "v2"}
    assert grown(before, after, "dctwire_payload_bytes_total", part="scan", **counted) == sum(
        len(item.scan) for item in batch.items
    )
    assert grown(before, after, "dctwire_payload_bytes_total", **counted) == len(raw)
    assert grown(before, after, "dctwire_payload_bytes_total", direction="out", tables="v2") == len(answer)


def test_chunked_and_trickled_bodies_are_counted_as_they_crossed(harness: ServerHarness, device: Device) -> None:
    data = frame(tables(50), 4)
    head = request(device, "POST", "/v1/frames", b"", "DW-Sequence: 0")
    head = head.replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in data) + b"0\r\n\r\n"
    before = harness.scrape()
    with harness.connect() as connection:
        connection.sendall(head)
        for at in range(0, len(chunks), 7):
            connection.sendall(chunks[at : at + 7])
        answer = read_one_answer(connection)
    after = harness.scrape()
    assert grown(before, after, "dctwire_payload_bytes_total", direction="in", tables="v1") == len(head + chunks)
    assert grown(before, after, "dctwire_payload_bytes_total", direction="out", tables="v1") == len(answer)


def test_pipelined_requests_add_up_together(harness: ServerHarness, device: Device) -> None:
    both = b"".join(
        request(device, "POST", "/v1/frames", frame(tables(50), seed), f"DW-Sequence: {seed}") for seed in range(2)
    )
    before = harness.scrape()
    with harness.connect() as connection:
        connection.sendall(both)
        answers = read_one_answer(connection) + read_one_answer(connection)
    after = harness.scrape()
    assert grown(before, after, "dctwire_wire_bytes_total", direction="in", route="frames") == len(both)
    assert grown(before, after, "dctwire_wire_bytes_total", direction="out", route="frames") == len(answers)


def test_a_frame_sent_again_costs_its_bytes_again(harness: ServerHarness, device: Device) -> None:
    data = frame(tables(50), 1)
    before = harness.scrape()
    for _ in range(3):
        device.post(data, sequence=5)
    after = harness.scrape()
    assert grown(before, after, "dctwire_payload_bytes_total", direction="in", tables="v1", part="markers") == 3 * 51
    assert grown(before, after, "dctwire_frames_total") == 1


def malformed(_device: Device) -> bytes:
    """No HTTP."""
    return b"\x00\x01garbage\r\n\r\n"


def unauthorised(_device: Device) -> bytes:
    """A frame from nobody."""
    return b"POST /v1/frames HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc"


def unread(device: Device) -> bytes:
    """A body that is refused before it is read."""
    return request(device, "POST", "/v1/frames", bytes(3 << 20), "DW-Sequence: 1")


@pytest.mark.parametrize(("make", "route"), [(malformed, "malformed"), (unauthorised, "frames"), (unread, "frames")])
def test_refused_bytes_are_counted_on_the_wire_and_not_as_payload(
    harness: ServerHarness, device: Device, make: Callable[[Device], bytes], route: str
) -> None:
    raw = make(device)
    before = harness.scrape()
    with harness.connect() as connection:
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    after = scrape_once(
        harness, lambda now: grown(before, now, "dctwire_wire_bytes_total", route=route, direction="out") > 0
    )
    assert grown(before, after, "dctwire_wire_bytes_total", direction="in", route=route) == len(raw)
    assert grown(before, after, "dctwire_wire_bytes_total", direction="out", route=route) == len(answer)
    assert grown(before, after, "dctwire_payload_bytes_total") == 0


def scrape_once(harness: ServerHarness, holds: Callable[[Scrape], bool]) -> Scrape:
    """The first reading of which this holds: a connection's last bytes are counted when the server sees its end."""
    for _ in range(10_000):
        reading = harness.scrape()
        if holds(reading):
            return reading
    raise AssertionError("the counters did not get there")


def test_every_byte_of_a_device_is_on_one_route_or_another(harness: ServerHarness) -> None:
    """Enrolment, assignment, TUF, frames: the sum over routes is what the sockets carried."""
    before = harness.scrape()
    counted = {"in": 0, "out": 0}

    device = harness.enrol("digits")
    with harness.connect() as connection:
        for raw in (
            request(device, "GET", "/v1/assignment", b""),
            request(device, "GET", "/tuf/digits/timestamp.json", b""),
            request(device, "GET", "/nothing", b""),
            request(device, "POST", "/v1/frames", frame(tables(50)), "DW-Sequence: 0"),
        ):
            connection.sendall(raw)
            counted["in"] += len(raw)
            counted["out"] += len(read_one_answer(connection))
    after = harness.scrape()
    for direction in DIRECTIONS:
        enrolment = grown(before, after, "dctwire_wire_bytes_total", direction=direction, route="devices")
        total = grown(before, after, "dctwire_wire_bytes_total", direction=direction)
        assert total - enrolment == counted[direction]
        assert enrolment > 100
