"""A connection's deadlines, on a clock that the test moves; and the door to uvicorn: nobody else goes through.

What the protocol does besides is tested over sockets, beside this file.
"""

import ast
import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

import cloud_server
from cloud_server.api.http import connection_places
from cloud_server.api.http.body_memory import BodyMemory
from cloud_server.api.http.connection_places import PEER_SECONDS, ConnectionPlaces
from cloud_server.api.http.exchange import Exchange
from cloud_server.api.http.hosts import HostNames
from cloud_server.api.http.limits import GIVE_WAY_SECONDS, HEAD_MAX_BYTES, REST_MAX_SECONDS, HttpLimits
from cloud_server.api.http.protocol import MADE_ROOM, MeteredProtocol
from tests.cloud_server.harness.fake_time import FakeTimeLoop

HEAD_SECONDS, WRITE_SECONDS, KEEP_ALIVE_SECONDS = 5.0, 7.0, 1000
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n"

HEAD_LEFT_ALONE_SECONDS = connection_places.HEAD_SECONDS

_ROOT = Path(cloud_server.__file__).parent


class FakeTransport(asyncio.Transport):
    """A connection whose peer takes everything; notes whether it was aborted."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.is_aborted = False

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def abort(self) -> None:
        self.is_aborted = True

    def close(self) -> None:
        """A peer that takes nothing keeps it open."""

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self.is_aborted

    def pause_reading(self) -> None:
        """Nothing: the test decides what arrives."""

    def resume_reading(self) -> None:
        """Nothing: the test decides what arrives."""

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default


async def answer_at_once(_scope: Scope, _receive: Receive, send: Send) -> None:
    """An application that reads no body."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body"})


@pytest.fixture
def loop() -> Iterator[FakeTimeLoop]:
    made = FakeTimeLoop()
    yield made
    made.close()


@pytest.fixture
def transport() -> FakeTransport:
    return FakeTransport()


@pytest.fixture
def places(loop: FakeTimeLoop) -> ConnectionPlaces:
    """Two, of which the new connection has one."""
    return ConnectionPlaces(2, loop.time)


@pytest.fixture
def metered() -> list[Exchange]:
    """What the connection reports of its exchanges."""
    return []


@pytest.fixture
def connection(
    loop: FakeTimeLoop, transport: FakeTransport, places: ConnectionPlaces, metered: list[Exchange]
) -> MeteredProtocol:
    """A new connection, of a server without other limits than its deadlines."""
    limits = HttpLimits(
        head_max_seconds=HEAD_SECONDS,
        write_max_seconds=WRITE_SECONDS,
        places=places,
        hosts=HostNames("", "hosts"),
        bodies=BodyMemory(1000),
    )
    config = uvicorn.Config(answer_at_once, lifespan="off", ws="none", timeout_keep_alive=KEEP_ALIVE_SECONDS)
    made = MeteredProtocol(
        metered.append,
        limits,
        lambda: False,
        config=config,
        server_state=ServerState(),
        app_state={},
        _loop=loop,
    )
    made.connection_made(transport)
    return made


def test_a_head_must_arrive_in_time(connection: MeteredProtocol, loop: FakeTimeLoop, transport: FakeTransport) -> None:
    connection.data_received(GET[:20])
    loop.pass_time(HEAD_SECONDS - 0.1)
    connection.data_received(GET[20:22])  # a byte now and then buys no time
    assert not transport.is_aborted
    loop.pass_time(0.2)
    assert transport.is_aborted


@pytest.mark.usefixtures("connection")
def test_a_connection_that_says_nothing_is_ended_as_one_whose_head_is_slow(
    loop: FakeTimeLoop, transport: FakeTransport
) -> None:
    loop.pass_time(HEAD_SECONDS + 0.1)
    assert transport.is_aborted


def test_so_must_the_head_of_a_later_request(
    connection: MeteredProtocol, loop: FakeTimeLoop, transport: FakeTransport
) -> None:
    connection.data_received(GET)
    loop.pass_time(3 * HEAD_SECONDS)
    assert transport.written.startswith(b"HTTP/1.1 200")
    connection.data_received(GET[:20])
    loop.pass_time(HEAD_SECONDS - 0.1)
    assert not transport.is_aborted
    loop.pass_time(0.2)
    assert transport.is_aborted


class Camera:
    """Stands for the connection of another camera, whose request is with the server."""

    def give_way(self) -> None:
        raise AssertionError("its request is with the server")


def test_a_head_in_three_packets_over_two_seconds_is_answered_where_there_is_room(
    connection: MeteredProtocol, loop: FakeTimeLoop, transport: FakeTransport, places: ConnectionPlaces
) -> None:
    for packet in (GET[:10], GET[10:20], GET[20:]):
        loop.pass_time(HEAD_LEFT_ALONE_SECONDS)
        connection.data_received(packet)
        assert takes_a_place(places, "192.0.2.1") or packet is not GET[:10]
    loop.pass_time(0)
    assert transport.written.startswith(b"HTTP/1.1 200")


def test_a_head_that_takes_longer_than_a_second_is_cut_off_on_a_full_server_and_not_before(
    connection: MeteredProtocol, loop: FakeTimeLoop, transport: FakeTransport, places: ConnectionPlaces
) -> None:
    assert takes_a_place(places, "192.0.2.1")
    connection.data_received(GET[:10])
    loop.pass_time(HEAD_LEFT_ALONE_SECONDS - 0.1)
    connection.data_received(GET[10:20])  # a packet now and then buys no time
    assert not takes_a_place(places, "192.0.2.2")
    assert not transport.is_aborted
    loop.pass_time(0.1)
    assert takes_a_place(places, "192.0.2.2")
    assert transport.is_aborted


def test_a_second_request_is_not_cut_off_before_the_first_one_is_answered(
    connection: MeteredProtocol, loop: FakeTimeLoop, transport: FakeTransport, places: ConnectionPlaces
) -> None:
    assert takes_a_place(places, "192.0.2.1")
    connection.data_received(GET + GET[:10])
    assert not takes_a_place(places, "192.0.2.2")
    loop.pass_time(0)
    assert transport.written.startswith(b"HTTP/1.1 200")
    loop.pass_time(HEAD_LEFT_ALONE_SECONDS)
    assert takes_a_place(places, "192.0.2.2")
    assert transport.is_aborted


def test_a_body_that_takes_longer_than_five_seconds_is_cut_off_on_a_full_server_and_not_before(
    connection: MeteredProtocol, loop: FakeTimeLoop, transport: FakeTransport, places: ConnectionPlaces
) -> None:
    assert takes_a_place(places, "")  # its own address holds both places
    for seconds in (PEER_SECONDS - 0.1, PEER_SECONDS):
        connection.data_received(POST + b"12")
        loop.pass_time(seconds)
        assert takes_a_place(places, "192.0.2.2") is transport.is_aborted is (seconds == PEER_SECONDS)
        connection.data_received(b"345")


def test_bodies_that_each_end_in_the_packet_with_the_next_head_are_cut_off_as_one_slow_body_is(
    connection: MeteredProtocol, loop: FakeTimeLoop, transport: FakeTransport, places: ConnectionPlaces
) -> None:
    assert takes_a_place(places, "")
    connection.data_received(POST + b"12")
    for half in (1, 2):
        loop.pass_time(PEER_SECONDS / 2)
        connection.data_received(b"345" + POST[:10])
        connection.data_received(POST[10:] + b"12")
        loop.pass_time(0)
        assert takes_a_place(places, "192.0.2.2") is transport.is_aborted is (half == 2)


def test_a_client_that_reads_no_answer_for_five_seconds_is_cut_off_on_a_full_server_and_not_before(
    connection: MeteredProtocol, loop: FakeTimeLoop, transport: FakeTransport, places: ConnectionPlaces
) -> None:
    assert takes_a_place(places, "")
    connection.data_received(GET)
    loop.pass_time(0)
    for seconds in (PEER_SECONDS - 0.1, PEER_SECONDS):
        connection.pause_writing()
        loop.pass_time(seconds)
        assert takes_a_place(places, "192.0.2.2") is transport.is_aborted is (seconds == PEER_SECONDS)
        connection.resume_writing()


def test_a_client_that_has_read_its_answer_is_idle_and_makes_room_at_once(
    connection: MeteredProtocol, loop: FakeTimeLoop, transport: FakeTransport, places: ConnectionPlaces
) -> None:
    assert takes_a_place(places, "")
    connection.data_received(GET)
    loop.pass_time(0)
    connection.pause_writing()
    assert not takes_a_place(places, "192.0.2.2")
    connection.resume_writing()
    assert takes_a_place(places, "192.0.2.2")
    assert not transport.is_aborted, "it may close in peace"


def test_the_request_whose_answer_was_not_read_is_reported_as_the_one_that_made_room(
    connection: MeteredProtocol, loop: FakeTimeLoop, places: ConnectionPlaces, metered: list[Exchange]
) -> None:
    assert takes_a_place(places, "")
    connection.pause_writing()
    connection.data_received(GET)
    loop.pass_time(PEER_SECONDS)
    assert takes_a_place(places, "192.0.2.2")
    connection.connection_lost(None)
    assert [(exchange.route, exchange.received_bytes) for exchange in metered] == [(MADE_ROOM, len(GET))]


def test_an_idle_connection_that_makes_room_and_does_not_close_is_cut_off_after_a_second(
    connection: MeteredProtocol, loop: FakeTimeLoop, transport: FakeTransport
) -> None:
    connection.give_way()
    loop.pass_time(GIVE_WAY_SECONDS - 0.1)
    assert not transport.is_aborted
    loop.pass_time(0.2)
    assert transport.is_aborted


def takes_a_place(places: ConnectionPlaces, address: str) -> bool:
    """Whether another camera's connection gets a place; its request is then with the server."""
    camera = Camera()
    is_taken = places.take(camera, address)
    places.note(camera, None)
    return is_taken


def test_each_request_may_have_headers_as_long_as_the_first_had(
    connection: MeteredProtocol, loop: FakeTimeLoop, transport: FakeTransport
) -> None:
    long = GET.replace(b"\r\n\r\n", b"\r\nLong: " + b"x" * (HEAD_MAX_BYTES * 2 // 3) + b"\r\n\r\n")
    for _ in range(3):
        connection.data_received(long)
        loop.pass_time(0)
        assert transport.written.startswith(b"HTTP/1.1 200")
        transport.written = b""


def test_the_rest_of_a_body_that_was_answered_must_arrive_in_time(
    connection: MeteredProtocol, loop: FakeTimeLoop, transport: FakeTransport
) -> None:
    connection.data_received(POST + b"123")
    loop.pass_time(0)
    assert transport.written.startswith(b"HTTP/1.1 200")
    loop.pass_time(REST_MAX_SECONDS - 0.1)
    assert not transport.is_aborted
    loop.pass_time(0.2)
    assert transport.is_aborted


def test_a_body_that_arrives_after_its_answer_costs_nothing(
    connection: MeteredProtocol, loop: FakeTimeLoop, transport: FakeTransport
) -> None:
    connection.data_received(POST + b"123")
    loop.pass_time(REST_MAX_SECONDS - 0.1)
    connection.data_received(b"45")
    loop.pass_time(REST_MAX_SECONDS)
    assert not transport.is_aborted


def test_a_peer_that_reads_nothing_has_its_time_and_one_that_reads_again_has_it_anew(
    connection: MeteredProtocol, loop: FakeTimeLoop, transport: FakeTransport
) -> None:
    connection.data_received(GET)
    for _ in range(2):
        connection.pause_writing()
        loop.pass_time(WRITE_SECONDS - 0.1)
        connection.resume_writing()
    loop.pass_time(WRITE_SECONDS)
    assert not transport.is_aborted
    connection.pause_writing()
    loop.pass_time(WRITE_SECONDS + 0.1)
    assert transport.is_aborted


def test_a_connection_that_is_gone_has_no_deadlines_left(
    connection: MeteredProtocol, loop: FakeTimeLoop, transport: FakeTransport
) -> None:
    connection.data_received(GET[:20])
    connection.pause_writing()
    connection.connection_lost(ConnectionResetError())
    loop.pass_time(10 * HEAD_SECONDS)
    assert not transport.is_aborted


def importers(library: str) -> set[str]:
    """Modules of the server that import a library, or a part of it."""
    return {
        path.relative_to(_ROOT).as_posix()
        for path in _ROOT.rglob("*.py")
        if any(f"{name}.".startswith(f"{library}.") for name in imported(path))
    }


def imported(path: Path) -> set[str]:
    """Names of the modules that a file imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


def test_one_module_knows_uvicorns_protocols_and_one_its_server() -> None:
    assert importers("uvicorn.protocols") == {"api/http/protocol.py"}
    assert importers("uvicorn") == {"api/http/protocol.py", "listeners.py"}
    assert importers("httptools") == {"api/http/protocol.py"}
