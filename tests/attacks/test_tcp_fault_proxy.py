"""The TCP proxy does what each fault says, bytes and connections counted at both ends of it."""

import contextlib
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from harness.tcp_fault_proxy import TcpFaultProxy, by_chance
from harness.tcp_faults import Cut, Drop, Duplicate, Pass, Reorder, Slow, Stall, TcpFault, Way

PATIENCE_SECONDS = 10.0


class Echo:
    """A server that says back what it hears, and remembers each connection's bytes."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.heard: list[bytearray] = []
        self.order: list[bytes] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> tuple[str, int]:
        host, port = self._listener.getsockname()
        return host, port

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.heard.append(bytearray())
                threading.Thread(target=self._serve, args=(client, self.heard[-1]), daemon=True).start()

    def _serve(self, client: socket.socket, heard: bytearray) -> None:
        with client, contextlib.suppress(OSError):
            while data := client.recv(1 << 16):
                heard += data
                self.order.append(data)
                client.sendall(data)


@pytest.fixture
def echo() -> Iterator[Echo]:
    with closing(Echo()) as echo:
        yield echo


@pytest.fixture
def proxy(echo: Echo) -> Iterator[TcpFaultProxy]:
    with TcpFaultProxy(echo.address) as proxy:
        yield proxy


def said_back(proxy: TcpFaultProxy, data: bytes, fault: TcpFault, seconds: float = PATIENCE_SECONDS) -> bytes:
    """What comes back until the connection ends, or so many seconds have gone; RST ends it by an error."""
    proxy.choose_by(lambda: fault)
    received, end = bytearray(), time.monotonic() + seconds
    with socket.create_connection(proxy.address) as client:
        client.sendall(data)
        while (left := end - time.monotonic()) > 0 and len(received) < len(data):
            client.settimeout(left)
            try:
                piece = client.recv(1 << 16)
            except TimeoutError:
                break
            if not piece:
                break
            received += piece
    return bytes(received)


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < end
        threading.Event().wait(0.005)


def test_without_a_fault_every_byte_passes_both_ways(proxy: TcpFaultProxy, echo: Echo) -> None:
    data = random.Random(1).randbytes(300_000)
    assert said_back(proxy, data, Pass()) == data
    assert echo.heard == [data]
    assert proxy.met == {"Pass": 1}


def test_a_dropped_connection_breaks_before_the_server_hears_of_it(proxy: TcpFaultProxy, echo: Echo) -> None:
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        said_back(proxy, b"x", Drop())
    assert echo.heard == []


@pytest.mark.parametrize("at_byte", [0, 1, 20_000])
def test_a_request_that_is_cut_reaches_the_server_to_that_byte(proxy: TcpFaultProxy, echo: Echo, at_byte: int) -> None:
    data = random.Random(2).randbytes(50_000)
    with contextlib.suppress(ConnectionError):
        assert len(said_back(proxy, data, Cut(Way.THERE, at_byte, with_reset=False))) <= at_byte
    until(lambda: [len(heard) for heard in echo.heard] == [at_byte])
    assert data.startswith(echo.heard[0])


def test_an_answer_that_is_cut_ends_at_that_byte(proxy: TcpFaultProxy) -> None:
    assert said_back(proxy, b"y" * 100, Cut(Way.BACK, 7, with_reset=False)) == b"y" * 7
    with pytest.raises(ConnectionResetError):
        said_back(proxy, b"y" * 100, Cut(Way.BACK, 7, with_reset=True))


def test_a_stalled_connection_says_nothing_more_and_ends_after_its_time(proxy: TcpFaultProxy) -> None:
    began = time.monotonic()
    assert said_back(proxy, b"z" * 100, Stall(Way.BACK, 9, 0.3)) == b"z" * 9
    assert 0.3 <= time.monotonic() - began < PATIENCE_SECONDS


def test_a_slow_connection_passes_byte_by_byte(proxy: TcpFaultProxy) -> None:
    with contextlib.suppress(ConnectionResetError):
        assert 1 <= len(said_back(proxy, b"s" * 100, Slow(50, 5), seconds=0.5)) <= 25


def test_a_doubled_connection_says_everything_twice_and_answers_once(proxy: TcpFaultProxy, echo: Echo) -> None:
    assert said_back(proxy, b"twice", Duplicate()) == b"twice"
    until(lambda: echo.heard == [b"twice", b"twice"])


def test_a_held_connection_is_overtaken_by_a_later_one(proxy: TcpFaultProxy, echo: Echo) -> None:
    proxy.choose_by(lambda: Reorder(Way.THERE, PATIENCE_SECONDS))
    with socket.create_connection(proxy.address) as early:
        early.sendall(b"first")
        until(lambda: len(echo.heard) == 1)
        assert said_back(proxy, b"second", Pass()) == b"second"
        assert early.recv(100) == b"first"
    assert echo.order == [b"second", b"first"]


def test_a_server_that_is_away_breaks_the_connection_and_another_address_is_gone_to(
    proxy: TcpFaultProxy, echo: Echo
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        away = nobody.getsockname()
    proxy.point_at(away)
    with contextlib.suppress(ConnectionError):
        assert said_back(proxy, b"x", Pass()) == b""
    proxy.point_at(echo.address)
    assert said_back(proxy, b"x", Pass()) == b"x"


def test_chance_is_what_the_seed_says_and_comes_to_every_fault() -> None:
    def drawn(seed: int) -> list[TcpFault]:
        chance = random.Random(seed)
        return [by_chance(chance) for _ in range(400)]

    assert drawn(5) == drawn(5) != drawn(6)
    assert {type(fault) for fault in drawn(5)} == {Pass, Drop, Cut, Stall, Slow, Duplicate, Reorder}
