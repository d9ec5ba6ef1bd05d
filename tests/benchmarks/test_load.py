"""The load generator: what it sends, and that it notices whatever goes wrong."""

import contextlib
import re
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from benchmarks.load import FIRST_NUMBER, Numbering, Plan, Report, Request, run, varint

Answer = Callable[[bytes], bytes]
"""What a server says to a request's body; nothing: it cuts the line."""


@contextlib.contextmanager
def server(answer: Answer) -> Iterator[tuple[str, int]]:
    """A tiny HTTP server on loopback; a thread a connection."""
    listener = socket.create_server(("127.0.0.1", 0))

    def talk(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            received = b""
            while True:
                while (request := re.match(rb".*?content-length: (\d+)\r\n\r\n", received, re.DOTALL)) is None:
                    chunk = connection.recv(65536)
                    if not chunk:
                        return
                    received += chunk
                body = received[request.end() : request.end() + int(request[1])]
                received = received[request.end() + int(request[1]) :]
                said = answer(body)
                if not said:
                    return
                connection.sendall(said[:7])  # in two pieces
                connection.sendall(said[7:])

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=talk, args=(listener.accept()[0],), daemon=True).start()

    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        yield listener.getsockname()
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        accepting.join()
        listener.close()


def said(status: str, body: bytes, head: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{head}\r\n".encode() + body


def request(numbering: Numbering = Numbering.DECIMAL, frames: int = 1, labels: tuple[str, ...] = ("cat",)) -> Request:
    length = {Numbering.NONE: 0, Numbering.DECIMAL: 18, Numbering.VARINT: 9}[numbering]
    before = b"POST / HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % length
    return Request(before=before, numbering=numbering, frames=frames, labels=labels)


def loaded(answer: Answer, *clients: Request) -> Report:
    with server(answer) as (host, port):
        return run(Plan(host=host, port=port, clients=tuple((one,) for one in clients), seconds=0.1, warm_seconds=0))


def echo(body: bytes) -> bytes:
    return said("200 OK", b'{"id":"device.%b","label":"cat"}' % body)


def test_every_client_counts_up_and_right_answers_are_counted() -> None:
    bodies: list[bytes] = []

    def answer(body: bytes) -> bytes:
        bodies.append(body)
        return echo(body)

    report = loaded(answer, request(), request())
    assert len(set(bodies)) == len(bodies)
    assert bodies.count(b"%d" % FIRST_NUMBER) == 1
    assert report.failed == report.closed == 0
    assert report.frames == report.answers[200] == sum(report.by_client)
    assert min(report.by_client) > 0
    assert 0 < report.latency_ms["50"] <= report.latency_ms["99"] <= report.latency_ms["100"]


def test_a_batch_counts_its_frames_and_its_number_grows_by_them() -> None:
    bodies: list[bytes] = []

    def answer(body: bytes) -> bytes:
        bodies.append(body)
        return said("204 No Content", b"")

    report = loaded(answer, request(Numbering.VARINT, 32))
    assert bodies[:2] == [varint(FIRST_NUMBER), varint(FIRST_NUMBER + 32)]
    assert report.frames == 32 * report.answers[204] > 0


@pytest.mark.parametrize(
    "answer",
    [
        lambda body: said("200 OK", b'{"id":"device.%b","label":"dog"}' % body),
        lambda _: said("200 OK", b'{"id":"device.1","label":"cat"}'),
        lambda body: said("200 OK", b'{"id":"device.%b","label":"cat"},{"label":"cat"}' % body),
    ],
    ids=["another label", "another frame", "one too many"],
)
def test_a_wrong_answer_is_noticed(answer: Answer) -> None:
    report = loaded(answer, request())
    assert report.wrong == report.failed == report.answers[200] > 0


def test_refusals_are_no_answers() -> None:
    report = loaded(lambda _: said("503 Service Unavailable", b"busy"), request())
    assert report.failed == report.answers[503] > 0
    assert report.frames == 0
    assert report.latency_ms == {}


def test_a_cut_line_is_a_reset_and_the_client_comes_back() -> None:
    report = loaded(lambda _: b"", request(), request())
    assert report.resets > 2
    assert report.failed == report.resets


def test_a_line_closed_in_good_order_is_no_failure() -> None:
    report = loaded(lambda body: echo(body).replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), request())
    assert report.closed > 1
    assert report.failed == 0
