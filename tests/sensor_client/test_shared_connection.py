"""One connection that speaks HTTP/2 where that is offered."""

import threading
from pathlib import Path

import pytest

pytest.importorskip("h2")

from h2.connection import H2Connection

from sensor_client.clock import SystemClock
from sensor_client.http_line import KEEP_ALIVE_SECONDS, HttpLine
from tests.sensor_client.fakes import FakeClock
from tests.sensor_client.http2_server import Headers, Http2Server, fine


def line_to(server: Http2Server) -> HttpLine:
    return HttpLine(server.url, SystemClock(), authorities=server.authorities)


@pytest.mark.parametrize("offers", [("http/1.1",), ()])
def test_a_server_that_offers_no_http2_is_spoken_to_in_http1_on_the_same_connection(
    tmp_path: Path, offers: tuple[str, ...]
) -> None:
    with Http2Server(tmp_path, offers=offers) as server, line_to(server) as line:
        for _ in range(3):
            assert line.exchange("GET", "/").body == b"old"

    assert server.protocols == [offers[0] if offers else None]


@pytest.mark.parametrize("offers", [("h2",), ("http/1.1",)])
def test_a_connection_that_was_not_used_for_long_is_not_used_again(tmp_path: Path, offers: tuple[str, ...]) -> None:
    clock = FakeClock()
    with (
        Http2Server(tmp_path, offers=offers) as server,
        HttpLine(server.url, clock, authorities=server.authorities) as line,
    ):
        for silence in (0.0, KEEP_ALIVE_SECONDS, KEEP_ALIVE_SECONDS + 1.0):
            clock.elapsed_seconds += silence
            line.exchange("GET", "/")

    assert server.protocols == [*offers, *offers]


def test_who_asks_meanwhile_waits_for_nobody_and_speaks_http1(tmp_path: Path) -> None:
    is_asked, may_answer = threading.Event(), threading.Event()

    def late(http: H2Connection, stream: int, headers: Headers, body: bytes) -> None:
        is_asked.set()
        assert may_answer.wait(20)
        fine(http, stream, headers, body)

    with Http2Server(tmp_path, late) as server, line_to(server) as line:
        bodies: list[bytes] = []
        first = threading.Thread(target=lambda: bodies.append(line.exchange("POST", "/slow", {}, b"jpeg").body))
        first.start()
        assert is_asked.wait(20)

        assert line.exchange("GET", "/").body == b"old"

        may_answer.set()
        first.join()
        assert bodies == [b"4"]
    assert server.protocols == ["h2", "http/1.1"]
