"""Who gets a place when there is none: connections that wait for their peer make room, of whoever holds most first."""

import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_server.api.http.connection_places import (
    HEAD_SECONDS,
    IDLE_SECONDS,
    OTHERS_SHARE,
    PEER_SECONDS,
    ConnectionPlaces,
    Waiting,
)
from cloud_server.listeners import allow_open_files
from tests.cloud_server.harness.server import ServerHarness, server_in_thread
from tests.cloud_server.harness.waiting import wait_until

FLOODERS = FLOODER, OTHER_FLOODER, _ = "127.0.0.66", "127.0.0.67", "127.0.0.68"
GET = b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n"
HEAD_BEGUN = 9
BEGUN = b"POST /v1/frames HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"


class Connection:
    """Stands for one; notes that it had to give way."""

    def __init__(self) -> None:
        self.is_closed = False

    def give_way(self) -> None:
        self.is_closed = True


class Clock:
    """Seconds, which pass when the test says so."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def taken(
    places: ConnectionPlaces, address: str, count: int = 1, waiting: Waiting | None = Waiting.REQUEST
) -> list[Connection]:
    """So many new connections of an address that got places, and wait for this from then on."""
    made = [one for one in (Connection() for _ in range(count)) if places.take(one, address)]
    for one in made:
        places.note(one, waiting)
    return made


def test_the_longest_idle_connection_makes_room_for_a_new_one(clock: Clock) -> None:
    places = ConnectionPlaces(3, clock)
    first, second, third = (taken(places, f"192.0.2.{host}")[0] for host in (1, 2, 3))
    places.note(first, None)
    places.note(first, Waiting.REQUEST)
    assert taken(places, "192.0.2.4")
    assert (first.is_closed, second.is_closed, third.is_closed) == (False, True, False)
    assert len(places) == 3


def test_a_connection_whose_request_is_with_us_never_makes_room(clock: Clock) -> None:
    places = ConnectionPlaces(3, clock)
    busy = [taken(places, f"192.0.2.{host}", waiting=None)[0] for host in (1, 2, 3)]
    clock.seconds += 1000
    assert not taken(places, "192.0.2.4")
    places.note(busy[1], Waiting.REQUEST)
    assert taken(places, "192.0.2.4")
    assert [one.is_closed for one in busy] == [False, True, False]


def test_whoever_holds_most_makes_room_first(clock: Clock) -> None:
    places = ConnectionPlaces(16, clock)
    quiet = taken(places, "192.0.2.1", 2)
    loud = taken(places, "192.0.2.2", 14)
    assert taken(places, "192.0.2.3")
    assert not any(one.is_closed for one in quiet)
    assert [one.is_closed for one in loud] == [True] + [False] * 13


@pytest.mark.parametrize(("waiting", "seconds"), [(Waiting.HEAD, HEAD_SECONDS), (Waiting.PEER, PEER_SECONDS)])
def test_a_request_that_is_late_makes_room_and_not_before(clock: Clock, waiting: Waiting, seconds: float) -> None:
    places = ConnectionPlaces(16, clock)
    loud, other = (taken(places, f"192.0.2.{host}", 8, waiting) for host in (1, 2))
    clock.seconds = seconds - 0.1
    assert not taken(places, "192.0.2.3")
    clock.seconds = seconds
    assert taken(places, "192.0.2.3")
    assert [one.is_closed for one in loud + other] == [True] + [False] * 15


@pytest.mark.parametrize(("waiting", "seconds"), [(Waiting.HEAD, HEAD_SECONDS), (Waiting.PEER, PEER_SECONDS)])
@pytest.mark.parametrize("between", [None, Waiting.REQUEST])
def test_requests_that_each_are_in_time_make_room_once_they_have_been_late_together(
    clock: Clock, waiting: Waiting, seconds: float, between: Waiting | None
) -> None:
    places = ConnectionPlaces(16, clock)
    loud = taken(places, "192.0.2.1", 14, waiting) + taken(places, "192.0.2.2", 2, None)
    clock.seconds += seconds * 0.75
    for one in loud[:14]:
        places.note(one, between)
    clock.seconds += IDLE_SECONDS * 0.9
    for one in loud[:14]:
        places.note(one, waiting)
    assert not taken(places, "192.0.2.3")
    clock.seconds += seconds * 0.25
    assert taken(places, "192.0.2.3")
    assert [one.is_closed for one in loud] == [True] + [False] * 15


def test_a_connection_that_was_idle_for_a_second_is_left_alone_like_a_new_one(clock: Clock) -> None:
    places = ConnectionPlaces(1, clock)
    one = taken(places, "192.0.2.1", 1, Waiting.HEAD)[0]
    clock.seconds += HEAD_SECONDS
    places.note(one, Waiting.REQUEST)
    clock.seconds += IDLE_SECONDS
    places.note(one, Waiting.HEAD)
    clock.seconds += HEAD_SECONDS * 0.9
    assert not taken(places, "192.0.2.2")


def test_of_an_address_the_connection_makes_room_that_has_waited_longest_in_all(clock: Clock) -> None:
    places = ConnectionPlaces(2, clock)
    early, late = taken(places, "192.0.2.1", 2, Waiting.HEAD)
    clock.seconds += HEAD_SECONDS * 0.5
    places.note(late, None)
    places.note(late, Waiting.HEAD)
    places.note(early, None)
    clock.seconds += HEAD_SECONDS * 0.5
    places.note(early, Waiting.HEAD)
    assert taken(places, "192.0.2.2")
    assert (early.is_closed, late.is_closed) == (False, True)


def test_a_flood_that_has_just_come_costs_no_slow_head_before_it_its_place(clock: Clock) -> None:
    places = ConnectionPlaces(16, clock)
    slow = taken(places, "192.0.2.1", 1, Waiting.HEAD)
    clock.seconds = HEAD_SECONDS
    taken(places, "192.0.2.2", 14, Waiting.HEAD)
    taken(places, "192.0.2.3", 14, Waiting.HEAD)
    assert not taken(places, "192.0.2.4")
    clock.seconds += HEAD_SECONDS
    assert taken(places, "192.0.2.4")
    assert not slow[0].is_closed


def test_a_head_that_is_late_makes_room_after_what_is_idle_and_before_a_late_body(clock: Clock) -> None:
    places = ConnectionPlaces(9, clock)
    body, head, idle = (
        taken(places, f"192.0.2.{host}", 3, waiting)
        for host, waiting in ((1, Waiting.PEER), (2, Waiting.HEAD), (3, Waiting.REQUEST))
    )
    clock.seconds = 1000
    for count in range(1, 9):
        taken(places, f"198.51.100.{count}", waiting=None)
        closed = [sum(one.is_closed for one in kind) for kind in (idle, head, body)]
        assert closed == [min(count, 3), min(max(count - 3, 0), 3), min(max(count - 6, 0), 2)]


def test_slow_bodies_of_addresses_that_hold_one_each_do_not_take_each_others_places(clock: Clock) -> None:
    places = ConnectionPlaces(3, clock)
    slow = [taken(places, f"192.0.2.{host}", waiting=Waiting.PEER)[0] for host in (1, 2, 3)]
    clock.seconds = 1000
    assert not taken(places, "192.0.2.4")
    assert not taken(places, "192.0.2.1")
    assert not any(one.is_closed for one in slow)


def test_one_address_makes_room_for_its_own_with_late_heads_and_not_with_late_bodies(clock: Clock) -> None:
    places = ConnectionPlaces(64, clock)
    most = 64 - 64 // OTHERS_SHARE
    loud = taken(places, "192.0.2.2", most, Waiting.PEER)
    clock.seconds = 1000
    assert not taken(places, "192.0.2.2")
    places.note(loud[1], Waiting.HEAD)
    clock.seconds += HEAD_SECONDS
    assert taken(places, "192.0.2.2", waiting=None)
    assert [one.is_closed for one in loud] == [False, True] + [False] * (most - 2)


def test_one_address_leaves_places_to_others_even_with_requests_under_way(clock: Clock) -> None:
    places = ConnectionPlaces(64, clock)
    taken(places, "192.0.2.2", 64, None)
    assert not taken(places, "192.0.2.2", 64, None)
    assert len(taken(places, "192.0.2.3", 64)) >= 64 // OTHERS_SHARE


def test_a_network_of_ipv6_is_one_address_and_a_proxy_on_this_machine_may_hold_all(clock: Clock) -> None:
    places = ConnectionPlaces(64, clock)
    for host in range(64):
        taken(places, f"2001:db8::{host:x}", waiting=None)
    assert len(places) == 64 - 64 // OTHERS_SHARE
    places = ConnectionPlaces(64, clock)
    taken(places, "127.0.0.1", 64, None)
    assert len(places) == 64


@given(
    most=st.integers(1, 20),
    steps=st.lists(
        st.tuples(st.sampled_from(["taken", "left", "later", None, *Waiting]), st.integers(0, 30), st.integers(1, 4))
    ),
)
def test_there_are_never_more_than_there_may_be_and_none_that_is_with_us_is_closed(
    most: int, steps: list[tuple[str | Waiting | None, int, int]]
) -> None:
    clock = Clock()
    places = ConnectionPlaces(most, clock)
    held: list[Connection] = []
    busy: set[Connection] = set()
    for step, which, host in steps:
        if step == "taken":
            held += taken(places, f"192.0.2.{host}")
        elif step == "later":
            clock.seconds += which
        elif held:
            one = held[which % len(held)]
            busy.discard(one)
            if isinstance(step, Waiting):
                places.note(one, step)
            elif step == "left":
                places.leave(one)
                held.remove(one)
            elif not one.is_closed:
                places.note(one, None)
                busy.add(one)
        assert not any(one.is_closed for one in busy)
        assert len(places) == sum(not one.is_closed for one in held) <= most


@contextlib.contextmanager
def flood(harness: ServerHarness, source: str, count: int, said: bytes = b"") -> Iterator[list[socket.socket]]:
    """So many connections from an address, each of which says this."""
    url = httpx.URL(harness.addresses["device"])
    with contextlib.ExitStack() as stack:
        made = []
        for _ in range(count):
            one = socket.create_connection((url.host, url.port or 80), 30, (source, 0))
            stack.callback(one.close)
            with contextlib.suppress(ConnectionError):  # it was turned away at once
                one.sendall(said)
            made.append(one)
        yield made


def answered(connection: socket.socket) -> bool:
    """Whether a request on this connection is answered."""
    try:
        connection.sendall(GET)
        received = b""
        while not received.endswith(b"}") and (piece := connection.recv(65536)):
            received += piece
        return received.startswith(b"HTTP/1.1 404 ")
    except ConnectionError:
        return False


@pytest.mark.parametrize(
    ("places", "idle"), [(40, 60), pytest.param(4096, 5000, marks=pytest.mark.system)], ids=["few", "thousands"]
)
@pytest.mark.parametrize("said", [b"", GET, GET[:9]], ids=["silent", "kept alive", "in their heads"])
def test_idle_connections_keep_no_new_camera_out(tmp_path: Path, places: int, idle: int, said: bytes) -> None:
    allow_open_files(3 * idle)
    with server_in_thread(tmp_path, connections_max=places, head_max_seconds=60) as harness, harness.connect() as early:
        assert answered(early)
        with flood(harness, FLOODER, idle, said):
            for _ in range(10):
                with harness.connect() as camera:
                    assert answered(camera)
            assert answered(early), "the flood alone had to make room"


@pytest.mark.parametrize(
    ("places", "each"), [(40, 30), pytest.param(4096, 1700, marks=pytest.mark.system)], ids=["few", "thousands"]
)
def test_half_heads_from_several_addresses_keep_no_new_camera_out_and_no_slow_one(
    tmp_path: Path, places: int, each: int
) -> None:
    allow_open_files(6 * each + 1000)
    with contextlib.ExitStack() as stack:
        harness = stack.enter_context(server_in_thread(tmp_path, connections_max=places, head_max_seconds=600))
        slow = stack.enter_context(harness.connect())
        slow.sendall(GET[:20])
        for source in FLOODERS:
            stack.enter_context(flood(harness, source, each, GET[:9]))
        let_in_cameras(harness)
        slow.sendall(GET[20:])
        assert slow.recv(100).startswith(b"HTTP/1.1 404 "), "the flood alone had to make room"


@pytest.mark.parametrize(
    ("places", "each"), [(40, 30), pytest.param(4096, 1700, marks=pytest.mark.system)], ids=["few", "thousands"]
)
def test_bodies_that_do_not_end_keep_no_new_camera_out(tmp_path: Path, places: int, each: int) -> None:
    allow_open_files(6 * each + 1000)
    with contextlib.ExitStack() as stack:
        harness = stack.enter_context(server_in_thread(tmp_path, connections_max=places, body_max_seconds=600))
        device = harness.enrol("digits")
        device.http.close()  # else its idle connection would make room for the cameras, one after the other
        for source in FLOODERS:
            stack.enter_context(flood(harness, source, each, begun(device.token)))
        let_in_cameras(harness)


def test_requests_that_each_begin_behind_the_one_before_keep_no_new_camera_out(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        harness = stack.enter_context(server_in_thread(tmp_path, connections_max=16, head_max_seconds=600))
        asking = [
            one for source in FLOODERS for one in stack.enter_context(flood(harness, source, 6, GET[:HEAD_BEGUN]))
        ]

        def is_let_in() -> bool:
            ask_on(asking)
            return is_served(harness, "127.0.1.1")

        wait_until(is_let_in, 6 * HEAD_SECONDS)


def ask_on(connections: list[socket.socket]) -> None:
    """End each one's request and begin its next in the same packet; whoever was cut off asks no more."""
    for one in tuple(connections):
        try:
            one.sendall(GET[HEAD_BEGUN:] + GET[:HEAD_BEGUN])
            is_open = bool(one.recv(65536))
        except ConnectionError:
            is_open = False
        if not is_open:
            connections.remove(one)


def let_in_cameras(harness: ServerHarness) -> None:
    """Have ten cameras served, each of another address, which comes again as long as it is turned away."""
    before = settled(harness)
    for host in range(1, 11):
        wait_until(lambda source=f"127.0.1.{host}": is_served(harness, source))  # type: ignore[misc]
    assert harness.scrape().value("dctwire_displaced_requests_total") > before


def settled(harness: ServerHarness) -> float:
    """How many requests gave their places to others once the whole flood has come, of which some found no place.

    A camera that came earlier would get the place of a connection whose request has not been read yet.
    """
    counted = 0.0, 0.0

    def is_quiet() -> bool:
        nonlocal counted
        time.sleep(0.5)
        before, scrape = counted, harness.scrape()
        counted = scrape.value("dctwire_refused_connections_total"), scrape.value("dctwire_displaced_requests_total")
        return sum(counted) > 0 and counted == before

    wait_until(is_quiet)
    return counted[1]


def is_served(harness: ServerHarness, source: str) -> bool:
    """Whether a new camera gets its answer."""
    with flood(harness, source, 1) as (camera,):
        return answered(camera)


def begun(token: str) -> bytes:
    """The head of an upload, and a part of its body."""
    return BEGUN.replace(b"\r\n\r\n", f"\r\nAuthorization: Bearer {token}\r\nDW-Sequence: 1\r\n\r\n123".encode())


def test_requests_under_way_of_one_address_leave_places_to_others(tmp_path: Path) -> None:
    refused = 60 - (40 - 40 // OTHERS_SHARE)
    with server_in_thread(tmp_path, connections_max=40) as harness, flood(harness, FLOODER, 60, BEGUN):
        with flood(harness, OTHER_FLOODER, 1) as other:
            assert answered(other[0])
        wait_until(lambda: harness.scrape().value("dctwire_refused_connections_total") == refused)


def test_a_request_under_way_is_answered_however_many_connections_come(tmp_path: Path) -> None:
    with server_in_thread(tmp_path, connections_max=10) as harness, harness.connect() as slow:
        slow.sendall(GET[:20])
        with flood(harness, FLOODER, 40):
            slow.sendall(GET[20:])
            assert slow.recv(100).startswith(b"HTTP/1.1 404 ")
