"""One request, one answer, on every plane: whatever a head offers, the body is the body and never another request."""

import contextlib
import json
import re
import select
import socket
from collections.abc import Callable, Iterator

import httpx
import pytest

from tests.cloud_server.harness.devices import Device
from tests.cloud_server.harness.frames import frame, tables
from tests.cloud_server.harness.server import ServerHarness

pytestmark = pytest.mark.stateless

SMUGGLED = {"device": b"/v2", "operator": b"/v1/devices", "ops": b"/livez"}
"""What anybody may ask of each plane; answered, it would be 200."""
TARGETS = {"device": b"/v1/devices", "operator": b"/v1/claims", "ops": b"/metrics"}
"""What a POST goes to; answered, it is a refusal."""
CHUNKED = b"Transfer-Encoding: chunked"
UPGRADES = {
    "h2c as Java sends it": (
        b"Connection: Upgrade, HTTP2-Settings",
        b"Upgrade: h2c",
        b"HTTP2-Settings: AAEAAEAAAAIAAAAB",
    ),
    "websocket": (
        b"Connection: Upgrade",
        b"Upgrade: websocket",
        b"Sec-WebSocket-Version: 13",
        b"Sec-WebSocket-Key: eA==",
    ),
    "TLS": (b"Upgrade: TLS/1.0, HTTP/1.1", b"Connection: Upgrade"),
    "something unheard of": (b"Connection: upgrade", b"Upgrade: dctwire/9"),
    "nothing": (b"Connection: upgrade", b"Upgrade:"),
    "in capitals": (b"CONNECTION: UPGRADE", b"UPGRADE: H2C"),
    "twice": (b"Connection: Upgrade", b"Upgrade: h2c", b"Upgrade: websocket", b"Connection: upgrade"),
    "among other options": (b"Connection: keep-alive , upgrade", b"Upgrade: h2c"),
    "behind a tab": (b"Connection:\tUpgrade\t", b"Upgrade: h2c\t"),
    "and told to continue": (b"Connection: Upgrade", b"Upgrade: h2c", b"Expect: 100-continue"),
    "without saying so in Connection": (b"Upgrade: h2c",),
    "no upgrade": (),
}
LAST_UPGRADES = {
    "and close": (b"Connection: close, upgrade", b"Upgrade: h2c"),
    "close, then upgrade": (b"Connection: close", b"Connection: upgrade", b"Upgrade: websocket"),
}
"""After these the connection ends."""


def whole(data: bytes) -> Iterator[bytes]:
    """All in one segment."""
    yield data


def head_then_body(data: bytes) -> Iterator[bytes]:
    """The head in a segment of its own, and the rest in another."""
    head, _, rest = data.partition(b"\r\n\r\n")
    yield head + b"\r\n\r\n"
    yield rest


def byte_by_byte(data: bytes) -> Iterator[bytes]:
    """Every byte in a segment of its own."""
    for at in range(len(data)):
        yield data[at : at + 1]


def in_sevens(data: bytes) -> Iterator[bytes]:
    """Segments that end where nobody expects it."""
    for at in range(0, len(data), 7):
        yield data[at : at + 7]


DELIVERIES: tuple[Callable[[bytes], Iterator[bytes]], ...] = (whole, head_then_body, byte_by_byte, in_sevens)


@contextlib.contextmanager
def connected(harness: ServerHarness, plane: str) -> Iterator[socket.socket]:
    """A raw connection to a plane that sends each piece at once, in a segment of its own where the network lets it."""
    url = httpx.URL(harness.addresses[plane])
    with socket.create_connection((url.host, url.port or 80), timeout=5) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield connection


def answers(connection: socket.socket, pieces: Iterator[bytes]) -> list[int]:
    """Send the pieces; the status of each final answer until the server closes."""
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        for piece in pieces:
            connection.sendall(piece)
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(1 << 16):
            received += piece
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", received) if status != b"100"]


def head(plane: str, *headers: bytes, version: bytes = b"1.1") -> bytes:
    """The head of a POST."""
    return b"\r\n".join([b"POST " + TARGETS[plane] + b" HTTP/" + version, b"Host: x", *headers, b"", b""])


def smuggled(plane: str) -> bytes:
    """A body that is a request, if somebody takes it for one."""
    return b"GET " + SMUGGLED[plane] + b" HTTP/1.1\r\nHost: x\r\n\r\n"


def chunked(body: bytes) -> bytes:
    """The body as two chunks, with a trailer behind them."""
    return b"5\r\n" + body[:5] + b"\r\n%x\r\n" % len(body[5:]) + body[5:] + b"\r\n0\r\nUpgrade: h2c\r\n\r\n"


LAST = b"GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize("is_chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize("plane", TARGETS)
@pytest.mark.parametrize("case", UPGRADES)
def test_an_upgrade_is_ignored_and_the_next_request_is_the_next_request(
    harness: ServerHarness, case: str, plane: str, is_chunked: bool
) -> None:
    body = smuggled(plane)
    framing = CHUNKED if is_chunked else b"Content-Length: %d" % len(body)
    request = head(plane, *UPGRADES[case], framing) + (chunked(body) if is_chunked else body)
    for deliver in DELIVERIES:
        with connected(harness, plane) as connection:
            first, second = answers(connection, deliver(request + LAST))
        assert 400 <= first < 500
        assert second == 404


@pytest.mark.parametrize("case", LAST_UPGRADES)
@pytest.mark.parametrize("plane", TARGETS)
def test_what_follows_the_last_request_of_a_connection_is_never_executed(
    harness: ServerHarness, case: str, plane: str
) -> None:
    body = smuggled(plane)
    request = head(plane, *LAST_UPGRADES[case], b"Content-Length: %d" % len(body)) + body
    for deliver in DELIVERIES:
        with connected(harness, plane) as connection:
            (first,) = answers(connection, deliver(request + smuggled(plane)))
        assert 400 <= first < 500


@pytest.mark.parametrize("case", [*UPGRADES, *LAST_UPGRADES])
def test_a_frame_behind_an_upgrade_is_classified(harness: ServerHarness, device: Device, case: str) -> None:
    data, offered = frame(tables(50)), (UPGRADES | LAST_UPGRADES)[case]
    for sequence, deliver in enumerate(DELIVERIES):
        headers = [b"Authorization: Bearer " + device.token.encode(), b"DW-Sequence: %d" % sequence, *offered]
        lines = [b"POST /v1/frames HTTP/1.1", b"Host: x", *headers, b"Content-Length: %d" % len(data), b"", b""]
        with connected(harness, "device") as connection:
            found = answers(connection, deliver(b"\r\n".join(lines) + data + LAST))
        assert found == ([200] if case in LAST_UPGRADES else [200, 404])


def test_javas_client_posts_frame_after_frame_on_one_connection(harness: ServerHarness, device: Device) -> None:
    frames = [frame(tables(50), seed) for seed in range(3)]
    lines = (
        b"POST /v1/frames HTTP/1.1",
        *UPGRADES["h2c as Java sends it"],
        b"Host: x",
        b"User-Agent: Java-http-client/21",
    )
    with connected(harness, "device") as connection:
        for sequence, data in enumerate(frames):
            own = (b"DW-Sequence: %d" % sequence, b"Authorization: Bearer " + device.token.encode())
            connection.sendall(b"\r\n".join([*lines, *own, b"Content-Length: %d" % len(data), b"", b""]) + data)
            answer = connection.recv(1 << 16)
            assert answer.startswith(b"HTTP/1.1 200 ")
            assert json.loads(answer.partition(b"\r\n\r\n")[2])["id"] == f"{device.device_id}.{sequence}"


@pytest.mark.parametrize("plane", TARGETS)
def test_an_old_client_that_offers_an_upgrade_gets_its_answer_and_the_door(harness: ServerHarness, plane: str) -> None:
    body = smuggled(plane)
    offered = UPGRADES["h2c as Java sends it"]
    request = head(plane, *offered, b"Content-Length: %d" % len(body), version=b"1.0") + body
    for deliver in DELIVERIES:
        with connected(harness, plane) as connection:
            (first,) = answers(connection, deliver(request + smuggled(plane)))
        assert 400 <= first < 500


@pytest.mark.parametrize("plane", TARGETS)
@pytest.mark.parametrize("offered", [(), UPGRADES["websocket"]], ids=["plain", "upgrade"])
def test_a_tunnel_is_refused_and_nothing_in_it_is_a_request(
    harness: ServerHarness, plane: str, offered: tuple[bytes, ...]
) -> None:
    lines = [b"CONNECT x:80 HTTP/1.1", b"Host: x:80", *offered, b"Content-Length: 0", b"", b""]
    for deliver in DELIVERIES:
        with connected(harness, plane) as connection:
            (first,) = answers(connection, deliver(b"\r\n".join(lines) + smuggled(plane)))
        assert first == 400


def test_requests_in_front_of_a_tunnel_get_their_answers_first(harness: ServerHarness) -> None:
    with connected(harness, "device") as connection:
        found = answers(
            connection, whole(smuggled("device") * 2 + b"CONNECT x:80 HTTP/1.1\r\n\r\n" + smuggled("device"))
        )
    assert found == [200, 200]


def test_so_many_upgrades_at_once_are_answered_as_so_many_requests(harness: ServerHarness) -> None:
    one = b"GET /v2 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    with connected(harness, "device") as connection:
        found = answers(connection, whole(one * 15 + LAST))
    assert found == [200] * 15 + [404]


UNCLEAR = {
    "a length twice": (b"Content-Length: 4", b"Content-Length: 4"),
    "a length and chunks": (b"Content-Length: 4", CHUNKED),
    "chunks and a length": (CHUNKED, b"Content-Length: 4"),
    "chunks twice": (CHUNKED, CHUNKED),
    "chunks twice in one": (b"Transfer-Encoding: chunked, chunked",),
    "chunks of another coding": (b"Transfer-Encoding: gzip, chunked",),
    "identity": (b"Transfer-Encoding: identity", b"Content-Length: 4"),
    "a coding in quotes": (b'Transfer-Encoding: "chunked"',),
    "a coding with a parameter": (b"Transfer-Encoding: chunked;x=y",),
    "a coding behind a vertical tab": (b"Transfer-Encoding: \x0bchunked",),
    "a coding that is empty": (b"Transfer-Encoding:", b"Content-Length: 4"),
    "a folded line": (b"Transfer-Encoding:\r\n chunked",),
    "chunks and a tab": (b"Transfer-Encoding: chunked\t",),
    "a folded Upgrade": (b"Connection: Upgrade", b"Upgrade: h2c,\r\n websocket", b"Content-Length: 4"),
    "a space before the colon": (b"Content-Length : 4",),
    "a NUL": (b"X: a\0b", b"Content-Length: 4"),
    "a line that ends in a bare return": (b"X: a\rContent-Length: 40", b"Content-Length: 4"),
    "a line that ends in a bare feed": (b"X: a\nContent-Length: 40",),
    "a name with a space": (b"Content Length: 4",),
    "no name": (b": 4",),
    "a second Host": (b"Host: y", b"Content-Length: 4"),
    "the same Host again": (b"HOST: x", b"Content-Length: 4"),
}


@pytest.mark.parametrize("offered", [(), UPGRADES["h2c as Java sends it"]], ids=["plain", "upgrade"])
@pytest.mark.parametrize("plane", TARGETS)
@pytest.mark.parametrize("case", UNCLEAR)
def test_a_head_that_parsers_read_differently_is_refused_and_nothing_behind_it_is_a_request(
    harness: ServerHarness, case: str, plane: str, offered: tuple[bytes, ...]
) -> None:
    for order in ((*offered, *UNCLEAR[case]), (*UNCLEAR[case], *offered)):
        for deliver in DELIVERIES:
            with connected(harness, plane) as connection:
                found = answers(connection, deliver(head(plane, *order) + smuggled(plane)))
            assert found == [400]


@pytest.mark.parametrize(
    "rest", [b"zz\r\n", b"1\r\na\r\n0\r\nContent-Length: 1\r\n\r\n"], ids=["no chunk", "a trailer"]
)
@pytest.mark.parametrize("plane", TARGETS)
def test_a_body_that_is_damaged_behind_its_answer_gets_no_second_one(
    harness: ServerHarness, plane: str, rest: bytes
) -> None:
    def told_early() -> Iterator[bytes]:
        yield head(plane, CHUNKED)
        readable = select.poll()  # unlike select, also above descriptor 1023, which a long run of tests reaches
        readable.register(connection, select.POLLIN)
        readable.poll(5_000)  # most targets refuse this before the body is here
        yield rest

    with connected(harness, plane) as connection:
        found = answers(connection, told_early())
    assert len(found) == 1
    assert 400 <= found[0] < 500


@pytest.mark.parametrize("target", [b"http://x%s", b"HTTP://elsewhere.example%s"], ids=["own", "another's"])
@pytest.mark.parametrize("plane", TARGETS)
def test_a_target_in_absolute_form_changes_nothing_about_the_body(
    harness: ServerHarness, plane: str, target: bytes
) -> None:
    body = smuggled(plane)
    request = head(plane, *UPGRADES["websocket"], b"Content-Length: %d" % len(body)) + body
    absolute = request.replace(TARGETS[plane], target % TARGETS[plane], 1)
    for deliver in DELIVERIES:
        with connected(harness, plane) as connection:
            first, second = answers(connection, deliver(absolute + LAST))
        assert 400 <= first < 500
        assert second == 404
