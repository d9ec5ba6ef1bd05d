"""The server under attack: a process whose CPU time and memory are watched, and an honest client beside."""

import contextlib
import os
import select
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx

from shared.jpeg import Stream
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.devices import Device
from tests.cloud_server.harness.frames import frame, tables
from tests.cloud_server.harness.process import ServerProcess

HEAD_SECONDS, BODY_SECONDS, WRITE_SECONDS = 1.0, 2.0, 2.0
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class AttackHarness:
    """A server process with one bundle, impatient, so that tests need not wait long."""

    def __init__(self, directory: Path) -> None:
        write_bundle(directory / "bundle", "digits", 1, tables(50), seed=1)
        self.server = ServerProcess(
            directory,
            threads=1,
            head_max_seconds=HEAD_SECONDS,
            body_max_seconds=BODY_SECONDS,
            write_max_seconds=WRITE_SECONDS,
            quota_frames_per_second=1e6,
        )
        self.harness = self.server.harness
        self.harness.publish(directory / "bundle")
        self.attacker = self.harness.enrol("digits")
        self.token = f"Authorization: Bearer {self.attacker.token}\r\n".encode()
        self.frame = frame(tables(50), 1)
        self.interchange = frame(tables(50), 1, Stream.INTERCHANGE)
        assert self.attacker.post(self.frame).status_code == 200

    def close(self) -> None:
        """Stop it; it must still know how."""
        assert self.server.terminate() == 0

    @property
    def cpu_seconds(self) -> float:
        """CPU time that the process has used, in user and kernel mode."""
        fields = Path(f"/proc/{self.server.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_A_SECOND

    @property
    def rss_bytes(self) -> int:
        """Memory that the process has in use."""
        return int(Path(f"/proc/{self.server.process.pid}/statm").read_text().split()[1]) * PAGE_BYTES

    @contextlib.contextmanager
    def unharmed(self, cpu_seconds: float, rss_bytes: int) -> Iterator[None]:
        """An attack: it may cost so much, beside an honest client that must be answered all the while."""
        cpu, rss = self.cpu_seconds, self.rss_bytes
        with self._honest_client() as answered:
            yield
        spent = self.cpu_seconds - cpu - len(answered) * HONEST_CPU_SECONDS
        assert set(answered) == {200}
        assert spent < cpu_seconds, f"{spent:.2f} s of CPU time, and {len(answered)} honest frames"
        assert self.rss_bytes - rss < rss_bytes, f"{(self.rss_bytes - rss) >> 20} MiB more memory"

    @contextlib.contextmanager
    def _honest_client(self) -> Iterator[list[int]]:
        device, done, answered = self.harness.enrol("digits"), threading.Event(), list[int]()
        thread = threading.Thread(target=_post_until, args=(device, self.frame, done, answered))
        thread.start()
        try:
            yield answered
        finally:
            done.set()
            thread.join()
            device.http.close()

    @property
    def address(self) -> tuple[str, int]:
        """Where the device plane listens."""
        url = httpx.URL(self.harness.addresses["device"])
        return url.host, url.port or 80

    def connect(self) -> socket.socket:
        """A connection to the device plane."""
        return self.harness.connect()

    def numbers(self, count: int) -> int:
        """The first of so many sequence numbers that the attacker has not used."""
        first = self.attacker.next_sequence
        self.attacker.next_sequence += count
        return first

    def post(self, body: bytes, *headers: bytes) -> bytes:
        """An upload of the attacker's, whole, as bytes."""
        head = b"".join(header + b"\r\n" for header in headers)
        length = b"Content-Length: %d\r\n\r\n" % len(body)
        return b"POST /v1/frames HTTP/1.1\r\nHost: x\r\nDW-Sequence: 1\r\n" + self.token + head + length + body


HONEST_CPU_SECONDS = 0.002
"""What an honest frame costs at least, in this test's favour: the rest counts as the attack's."""


def _post_until(device: Device, data: bytes, done: threading.Event, answered: list[int]) -> None:
    while not done.is_set() or not answered:
        try:
            answered.append(device.post(data).status_code)
        except httpx.TransportError:
            answered.append(0)
        done.wait(0.02)


def everything(connection: socket.socket) -> bytes:
    """What the server says until it closes; what it said before it reset the connection."""
    received = bytearray()
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        while piece := connection.recv(1 << 16):
            received += piece
    return bytes(received)


def has_hung_up(connection: socket.socket) -> bool:
    """Whether the server has, seen without reading anything."""
    poll = select.poll()
    poll.register(connection, 0)
    return bool(poll.poll(5))


def statuses(answers: bytes) -> list[int]:
    """The status of each answer."""
    return [int(line.split()[1]) for line in answers.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]


def send(connection: socket.socket, data: bytes) -> None:
    """Send, even to somebody who has hung up."""
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        connection.sendall(data)
