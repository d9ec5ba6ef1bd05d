"""A load generator that saturates a server from one core: N connections, each sending its next request once the last
one is answered (a closed loop).

It runs as a process of its own, `python -m benchmarks.load`: a `Plan` as JSON on standard input, a `Report` on standard
output. Requests are made beforehand; only a number in each is written anew, so that no two are ever the same. One
thread, epoll and plain sockets: about 15 us of processor time a request.
"""

import math
import os
import re
import selectors
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from benchmarks.record import ROOT

FIRST_NUMBER = 10**12
"""The least number a request may have: from here to 2^42, decimals have 13 digits, LEB128 varints 6 bytes, and none is
too high."""
NUMBERS_A_RUN = 2**22
"""More than one connection uses up in a run; the next run on the same server begins so many later."""
_NUMBERS_A_CONNECTION = 2**31
_HEAD_ENDS = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
_CLOSES = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
_RECEIVE_BYTES = 256 << 10
_NO_CONTENT = 204


class Numbering(StrEnum):
    """How a request's number is written between its two halves; NONE: it has no number."""

    NONE = "none"
    DECIMAL = "decimal"
    VARINT = "varint"


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_bytes="base64", val_json_bytes="base64")


class Request(_Message):
    """One HTTP/1.1 request, ready to be sent: `before`, its number, `after`.

    Args:
        frames: how many frames it carries; its number is the first one's, and the next request's that much higher.
        labels: what the answer must say, in order; empty: nothing of it is checked but the status.
    """

    before: bytes
    after: bytes = b""
    numbering: Numbering = Numbering.NONE
    frames: int = 1
    labels: tuple[str, ...] = ()


class Plan(_Message):
    """What to send where.

    Args:
        clients: a connection each; its requests are sent in turns, again and again.
        first_number: of the first client's first request; no two runs against the same server may overlap.
        seconds: how long, after `warm_seconds` that are not reported.
        label_pattern: finds the labels in an answer's body.
        core: to run on.
    """

    host: str
    port: int
    clients: tuple[tuple[Request, ...], ...]
    seconds: float
    warm_seconds: float = 0.5
    first_number: int = FIRST_NUMBER
    label_pattern: str = r'"label": *"([^"]*)"'
    core: int | None = None


class Report(_Message):
    """What came of it.

    Args:
        answers: complete answers by status.
        frames: in requests answered 2xx.
        wrong: answers with other labels, or of another request, than they should have been.
        resets: connections that broke while an answer was due. closed: ended by the server between two requests.
        latency_ms: by percentile: "50", "90", "99", "99.9", "100", from sending to the whole answer; 2xx answers alone.
        by_client: requests answered 2xx of each client.
        cpu_seconds: processor time of this process.
    """

    seconds: float
    answers: dict[int, int]
    frames: int
    wrong: int
    resets: int
    closed: int
    latency_ms: dict[str, float]
    by_client: tuple[int, ...]
    cpu_seconds: float

    @property
    def frames_per_second(self) -> float:
        """Frames answered."""
        return self.frames / self.seconds

    @property
    def failed(self) -> int:
        """Whatever was not answered 2xx and right."""
        refused = sum(count for status, count in self.answers.items() if not 200 <= status < 300)
        return refused + self.wrong + self.resets


def run(plan: Plan) -> Report:
    """Generate the load in a process of its own."""
    with Generator(plan) as generator:
        return generator.report()


class Generator:
    """A running load generator."""

    def __init__(self, plan: Plan) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.load"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdin is not None
        with self._process.stdin as stdin:
            stdin.write(plan.model_dump_json().encode())

    def report(self) -> Report:
        """Wait for the end."""
        assert self._process.stdout is not None
        return Report.model_validate_json(self._process.stdout.read())

    def __enter__(self) -> "Generator":
        return self

    def __exit__(self, *_: object) -> None:
        with self._process as process:  # which closes the pipes
            process.kill()


def main() -> int:
    """Follow the plan on standard input."""
    plan = Plan.model_validate_json(sys.stdin.read())
    if plan.core is not None:
        os.sched_setaffinity(0, {plan.core})
    print(_Load(plan).drive().model_dump_json())
    return 0


class _Tally:
    """What is counted; begun anew when the warm-up is over."""

    def __init__(self, clients: int) -> None:
        self.began, self.cpu_began = time.perf_counter(), time.process_time()
        self.answers: Counter[int] = Counter()
        self.frames = self.wrong = self.resets = self.closed = 0
        self.seconds_each: list[float] = []
        self.by_client = [0] * clients

    def report(self) -> Report:
        took = sorted(self.seconds_each)
        latency_ms = {str(p): 1e3 * _percentile(took, p) for p in (50, 90, 99, 99.9, 100)} if took else {}
        return Report(
            seconds=time.perf_counter() - self.began,
            answers=dict(self.answers),
            frames=self.frames,
            wrong=self.wrong,
            resets=self.resets,
            closed=self.closed,
            latency_ms=latency_ms,
            by_client=tuple(self.by_client),
            cpu_seconds=time.process_time() - self.cpu_began,
        )


def _percentile(ordered: Sequence[float], percent: float) -> float:
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]


class _Client:
    """One connection."""

    def __init__(self, index: int, plan: Plan) -> None:
        self.index = index
        self._at = (plan.host, plan.port)
        self._requests = plan.clients[index]
        self._number = plan.first_number + index * _NUMBERS_A_CONNECTION
        self._sent = 0
        self._received = bytearray()
        self.request = self._requests[0]
        self.sent_number = self._number
        self.sent_at = 0.0
        self.socket = self._connect()

    def send(self) -> None:
        """Send the next request, whole."""
        self.request = request = self._requests[self._sent % len(self._requests)]
        self.sent_number = self._number
        self._sent += 1
        self._number += request.frames
        data = request.before + _spelled(request.numbering, self.sent_number) + request.after
        self.sent_at = time.perf_counter()
        self.socket.sendall(data)

    def receive(self) -> bytes | None:
        """The whole answer, or None while some of it is missing.

        Raises:
            OSError: the line broke.
        """
        received = self._received
        chunk = self.socket.recv(_RECEIVE_BYTES)
        if not chunk:
            raise ConnectionResetError
        received += chunk
        head = received.find(_HEAD_ENDS)
        if head < 0:
            return None
        length = _LENGTH.search(received, 0, head + 2)
        if len(received) < head + 4 + (int(length[1]) if length else 0):
            return None
        answer = bytes(received)
        received.clear()
        return answer

    def reconnect(self) -> None:
        """Begin anew."""
        self.socket.close()
        self._received.clear()
        self.socket = self._connect()

    def _connect(self) -> socket.socket:
        connection = socket.create_connection(self._at, timeout=30)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection


class _Load:
    """All connections of one run."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._labels = re.compile(plan.label_pattern.encode())
        self._selector = selectors.DefaultSelector()
        self._tally = _Tally(len(plan.clients))

    def drive(self) -> Report:
        """Warm up, then measure."""
        for index in range(len(self._plan.clients)):
            self._watch(_Client(index, self._plan))
        self._until(time.perf_counter() + self._plan.warm_seconds)
        self._tally = _Tally(len(self._plan.clients))
        self._until(time.perf_counter() + self._plan.seconds)
        return self._tally.report()

    def _watch(self, client: _Client) -> None:
        self._selector.register(client.socket, selectors.EVENT_READ, client)
        client.send()

    def _until(self, end: float) -> None:
        while (left := end - time.perf_counter()) > 0:
            for key, _ in self._selector.select(left):
                self._go_on(key.data)

    def _go_on(self, client: _Client) -> None:
        try:
            answer = client.receive()
            if answer is None:
                return
            self._count(client, answer)
            if _CLOSES.search(answer, 0, answer.find(_HEAD_ENDS) + 2):
                self._tally.closed += 1
                self._again(client)
            else:
                client.send()
        except OSError:
            self._tally.resets += 1
            self._again(client)

    def _again(self, client: _Client) -> None:
        self._selector.unregister(client.socket)
        client.reconnect()
        self._watch(client)

    def _count(self, client: _Client, answer: bytes) -> None:
        tally, status = self._tally, int(answer[9:12])
        tally.answers[status] += 1
        if not 200 <= status < 300:
            return
        tally.seconds_each.append(time.perf_counter() - client.sent_at)
        tally.by_client[client.index] += 1
        tally.frames += client.request.frames
        tally.wrong += not self._is_right(client, status, answer)

    def _is_right(self, client: _Client, status: int, answer: bytes) -> bool:
        request = client.request
        if not request.labels or status == _NO_CONTENT:
            return True
        if request.numbering is not Numbering.NONE and b'.%d"' % client.sent_number not in answer:
            return False
        return tuple(label.decode() for label in self._labels.findall(answer)) == request.labels


def _spelled(numbering: Numbering, number: int) -> bytes:
    if numbering is Numbering.DECIMAL:
        return b"%d" % number
    if numbering is Numbering.VARINT:
        return varint(number)
    return b""


def varint(number: int) -> bytes:
    """Unsigned LEB128."""
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


if __name__ == "__main__":
    sys.exit(main())
