"""Slow clients: they cost what a connection costs, lose it in time, and nobody else notices."""

import contextlib
import socket
from collections.abc import Iterator

from tests.attacks.harness import AttackHarness, everything, has_hung_up, send, statuses

MANY = 300
MIB = 1 << 20


@contextlib.contextmanager
def connections(harness: AttackHarness, count: int) -> Iterator[list[socket.socket]]:
    """Many connections at once."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(harness.connect()) for _ in range(count)]


def test_slowloris_sends_its_heads_by_the_byte_and_loses_every_connection(harness: AttackHarness) -> None:
    with harness.unharmed(cpu_seconds=3, rss_bytes=32 * MIB), connections(harness, MANY) as slow:
        for byte in b"POST /v1/frames HTTP/1.1\r\nHost: x":
            for connection in slow:
                send(connection, bytes([byte]))
        assert {everything(connection) for connection in slow} == {b""}


def test_a_crowd_announces_bodies_and_does_not_send_them(harness: AttackHarness) -> None:
    with harness.unharmed(cpu_seconds=3, rss_bytes=32 * MIB), connections(harness, MANY) as slow:
        for connection in slow:
            send(connection, harness.post(bytes(MIB))[:-MIB] + b"\xff\xd8")
        assert {everything(connection) for connection in slow} == {b""}


def test_a_crowd_connects_and_says_nothing(harness: AttackHarness) -> None:
    with harness.unharmed(cpu_seconds=3, rss_bytes=32 * MIB), connections(harness, MANY) as slow:
        assert {everything(connection) for connection in slow} == {b""}


def test_a_frame_comes_in_chunks_of_one_byte(harness: AttackHarness) -> None:
    chunks = b"1\r\n\xff\r\n" * 200_000
    head = b"POST /v1/frames HTTP/1.1\r\nHost: x\r\nDW-Sequence: 1\r\nTransfer-Encoding: chunked\r\n" + harness.token
    with harness.unharmed(cpu_seconds=5, rss_bytes=32 * MIB), harness.connect() as connection:
        send(connection, head + b"Connection: close\r\n\r\n" + chunks + b"0\r\n\r\n")
        assert statuses(everything(connection)) == [415]


def test_some_ask_and_never_read_their_answers(harness: AttackHarness) -> None:
    with harness.unharmed(cpu_seconds=5, rss_bytes=32 * MIB), contextlib.ExitStack() as stack:
        crowd = [stack.enter_context(socket.socket()) for _ in range(5)]
        for connection in crowd:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(harness.address)
        while crowd:  # until it has hung up on every one of them; the kernels' buffers come first
            for connection in crowd:
                send(connection, b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n")
            crowd = [connection for connection in crowd if not has_hung_up(connection)]
