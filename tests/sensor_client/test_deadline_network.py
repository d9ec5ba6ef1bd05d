"""Replies that no dctwire server gives: each is a ChannelError within the deadline, and ends nothing else."""

import contextlib
import gzip
import socket
import threading
import time
from collections.abc import Callable

import pytest

from sensor_client.clock import SystemClock
from sensor_client.device_channel import DeviceChannel
from sensor_client.http_line import HEAD_LIMIT_BYTES, HttpLine
from shared.errors import ChannelError
from tests.sensor_client.device_plane import DEVICE_ID, TOKEN
from tests.sensor_client.fakes import Access
from tests.sensor_client.raw_server import RawServer, Says, dripping, endless, whole

OK = b"HTTP/1.1 200 OK\r\n"
FINE = whole(OK + b"Content-Length: 4\r\n\r\nfine")
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
HASTE = 300


class HastyClock:
    """Runs so fast that the deadline of an exchange is over in a tenth of a second."""

    def now(self) -> float:
        return time.time()

    def monotonic_seconds(self) -> float:
        return time.monotonic() * HASTE

    def wait(self, event: threading.Event, seconds: float) -> bool:
        return event.wait(seconds / HASTE)


SLOW: dict[str, Says] = {
    "a head that drips": dripping(OK + b"X: ", b"x"),
    "a status line that drips": dripping(b"HTTP/1.1 20", b"0"),
    "a body that drips": dripping(OK + b"Content-Length: 1000000\r\n\r\n", b"x"),
    "chunks that drip": dripping(CHUNKED, b"1\r\nx\r\n"),
    "a chunk's extension that drips": dripping(CHUNKED + b"1;x=", b"x"),
    "endless 1xx that drip": dripping(b"", b"HTTP/1.1 102 Processing\r\n\r\n"),
    "trailers that drip": dripping(CHUNKED + b"0\r\nX: ", b"x"),
}
BOMB = gzip.compress(bytes(9_000_000))
COOKIES = b"".join(b"Set-Cookie: c%d=%s\r\n" % (index, b"x" * 1000) for index in range(17))
LONG: dict[str, Says] = {
    "endless data with a length": endless(OK + b"Content-Length: 99999999999\r\n\r\n", bytes(65536)),
    "endless data until the connection ends": endless(OK + b"\r\n", bytes(65536)),
    "endless chunks": endless(CHUNKED, b"10000\r\n" + bytes(65536) + b"\r\n"),
    "an endless head": endless(OK, b"X: " + b"x" * 1000 + b"\r\n"),
    "an endless header": endless(OK + b"X: ", b"x" * 65536),
    "endless 1xx": endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 500),
    "a head over the limit": whole(OK + b"X: " + b"x" * HEAD_LIMIT_BYTES + b"\r\nContent-Length: 0\r\n\r\n"),
    "cookies over the limit": whole(OK + COOKIES + b"Content-Length: 0\r\n\r\n"),
    "a body over the limit": whole(OK + b"Content-Length: 2097153\r\n\r\n" + bytes(2097153)),
    "a compressed body": whole(OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(BOMB) + BOMB),
    "two lengths": whole(OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx"),
    "a header with a zero byte": whole(OK + b"X: a\0b\r\nContent-Length: 0\r\n\r\n"),
}


LATE = "no whole reply within 30 s|timed out"
"""The second where the deadline passes while a read waits, as it may on a busy machine."""


@pytest.mark.parametrize("case", SLOW)
def test_a_slow_reply_ends_at_the_deadline_of_the_whole_exchange(case: str) -> None:
    with RawServer(SLOW[case], FINE) as server, HttpLine(server.url, HastyClock()) as line:
        with pytest.raises(ChannelError, match=LATE):
            line.exchange("GET", "/v1/assignment")

        assert line.exchange("GET", "/v1/assignment").body == b"fine"
    assert server.connections == 2


@pytest.mark.parametrize("case", LONG)
def test_a_reply_over_a_limit_costs_its_connection_and_nothing_else(case: str) -> None:
    with RawServer(LONG[case], FINE) as server, HttpLine(server.url, SystemClock()) as line:
        with pytest.raises(ChannelError):
            line.exchange("GET", "/v1/assignment")

        assert line.exchange("GET", "/v1/assignment").body == b"fine"
    assert server.connections == 2


def test_a_server_that_takes_the_body_drop_by_drop_is_left_at_the_deadline() -> None:
    taken = []

    def sip(connection: socket.socket) -> None:
        while size := len(connection.recv(8192)):
            taken.append(size)
            time.sleep(0.002)

    body = bytes(16 * 1024 * 1024)
    late = pytest.raises(ChannelError, match=LATE)
    with SippingServer(sip) as url, HttpLine(url, HastyClock()) as line, late:
        line.exchange("POST", "/v1/frames", {}, body)

    assert sum(taken) < len(body)


def test_cookies_are_never_sent_back() -> None:
    cookies = b"".join(b"Set-Cookie: c%d=%s\r\n" % (index, b"x" * 1000) for index in range(15))
    generous = whole(OK + cookies + b"Content-Length: 0\r\n\r\n")
    with RawServer(generous, FINE) as server, HttpLine(server.url, SystemClock()) as line:
        first = line.exchange("POST", "/v1/frames", {"DW-Sequence": "1"}, b"jpeg")
        line.exchange("POST", "/v1/frames", {"DW-Sequence": "1"}, b"jpeg")

    assert first.headers["set-cookie"].startswith("c0=x")
    assert server.requests[0] == server.requests[1]
    assert b"cookie" not in server.requests[1].lower()


def test_an_upgrade_that_nobody_asked_for_is_no_answer() -> None:
    upgrade = whole(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n")
    with RawServer(upgrade) as server, HttpLine(server.url, SystemClock()) as line, pytest.raises(ChannelError):
        channel_on(line).send_frame(1, b"jpeg")


@pytest.mark.parametrize("etag", [b'"\xe4\xf6"', b'"\xff"', '"☃"'.encode(), b'"a\tb"'])
def test_an_etag_that_cannot_be_sent_back_is_not_kept(etag: bytes) -> None:
    body = b'{"seq":7,"family":"signs","counter":3,"target":"signs/3.json"}'
    said = OK + b"ETag: %s\r\nContent-Length: %d\r\n\r\n" % (etag, len(body)) + body
    with RawServer(whole(said)) as server, HttpLine(server.url, SystemClock()) as line:
        reply = channel_on(line).assignment()

    assert reply.assignment is not None and reply.assignment.seq == 7
    assert reply.etag is None


@pytest.mark.parametrize("name", [b"DW-Assignment", b"Retry-After", b"Content-Type", b"X-Anything"])
def test_a_header_that_is_not_ascii_ends_nothing(name: bytes) -> None:
    said = b"HTTP/1.1 503 \xe4\r\n" + name + b": \xb2\xb3\xff\r\nContent-Length: 0\r\n\r\n"
    refused = pytest.raises(ChannelError, match="503 without a problem document")
    with RawServer(whole(said)) as server, HttpLine(server.url, SystemClock()) as line, refused:
        channel_on(line).send_frame(1, b"jpeg")


def channel_on(line: HttpLine) -> DeviceChannel:
    return DeviceChannel(
        line=line, access=Access(DEVICE_ID, TOKEN), clock=SystemClock(), assignment_seen=lambda seq, settings: None
    )


class SippingServer:
    """Gives one connection, with a small buffer, to `sip`."""

    def __init__(self, sip: Callable[[socket.socket], None]) -> None:
        self._sip = sip
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)

    def __enter__(self) -> str:
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection, contextlib.suppress(OSError):
            self._sip(connection)
