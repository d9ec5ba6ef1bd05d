"""What Prometheus may know of a running sensor, in its text format: in a file for node_exporter's textfile collector,
or at a port of this machine."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sensor_client.logs import get_logger
from sensor_client.sources import Condition, SourceReport
from sensor_client.spool import Counters, Depth
from sensor_client.traffic import Traffic

PERIOD_SECONDS = 15.0
ASK_SECONDS = 2.0
HEAD_LIMIT_BYTES = 4096
WAITING = 4
"""Askers at the port that may wait; one at a time is answered."""

_log = get_logger(__name__)
_Sample = tuple[Mapping[str, str], float]


@dataclass(frozen=True, kw_only=True)
class Facts:
    """A moment's view of the sensor."""

    program: str
    depth: Depth
    counters: Counters
    traffic: Traffic
    source: SourceReport
    encode_seconds: float | None
    restarts: Mapping[str, int]


def page(facts: Facts) -> str:
    """The text that Prometheus reads (exposition format 0.0.4)."""
    return "".join(line for family in _families(facts) for line in family)


def _families(facts: Facts) -> Iterator[Iterator[str]]:
    depth, source, traffic = facts.depth, facts.source, facts.traffic
    counted = [({"what": name}, float(count)) for name, count in vars(facts.counters).items()]
    both = (("sent", traffic.sent), ("received", traffic.received))
    bytes_ = [
        ({"direction": way, "purpose": purpose.value}, float(count))
        for way, counts in both
        for purpose, count in counts.items()
    ]
    yield _family("info", "gauge", "The program that runs.", [({"version": facts.program}, 1.0)])
    yield _family("spool_frames", "gauge", "Frames that wait for the server.", [({}, depth.frames)])
    yield _family("spool_bytes", "gauge", "Bytes of the frames that wait.", [({}, depth.frame_bytes)])
    yield _family("dead_letters", "gauge", "Frames that the server refused for good, kept.", [({}, depth.dead_letters)])
    yield _family("events_total", "counter", "What happened since the state directory was made.", counted)
    yield _family("traffic_bytes_total", "counter", "Bytes at the socket since the state directory was made.", bytes_)
    yield _family(
        "budget_spent_bytes",
        "gauge",
        "Bytes at the socket in the period under way.",
        [({"period": window.value}, float(count)) for window, count in traffic.spent.items()],
    )
    yield _family(
        "budget_limit_bytes",
        "gauge",
        "Bytes that a period may cost.",
        [({"period": window.value}, float(count)) for window, count in traffic.limits.items()],
    )
    up = float(source.condition in (Condition.GIVING, Condition.ENDED) and not source.is_lost)
    yield _family("source_up", "gauge", "Whether the source gives pictures, or has ended in order.", [({}, up)])
    yield _family("source_losses_total", "counter", "How often the source was lost.", [({}, source.losses)])
    still = 0.0 if source.stillness is None else 1.0
    yield _family("source_still", "gauge", "Whether the picture is frozen or of one colour.", [({}, still)])
    last: list[_Sample] = [] if source.last_picture_at is None else [({}, source.last_picture_at)]
    yield _family("source_last_picture_timestamp_seconds", "gauge", "When the last picture came.", last)
    median: list[_Sample] = [] if facts.encode_seconds is None else [({}, facts.encode_seconds)]
    yield _family("encode_seconds", "gauge", "Median of the last encodings.", median)
    restarts = [({"part": part}, float(count)) for part, count in facts.restarts.items()]
    yield _family("part_restarts_total", "counter", "Crashes of parts since the start.", restarts)


def _family(name: str, kind: str, said: str, samples: Sequence[_Sample]) -> Iterator[str]:
    if not samples:
        return
    whole = f"dctwire_sensor_{name}"
    yield f"# HELP {whole} {said}\n# TYPE {whole} {kind}\n"
    for labels, value in samples:
        inside = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
        yield f"{whole}{{{inside}}} {value!r}\n" if inside else f"{whole} {float(value)!r}\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _family_of(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


class MetricsFile:
    """Writes the page now and then, so that a reader sees the old one or the new one; a full disk costs a page."""

    def __init__(self, path: Path, read: Callable[[], str], monotonic_seconds: Callable[[], float]) -> None:
        self._path = path
        self._read = read
        self._monotonic_seconds = monotonic_seconds
        self._due_seconds = 0.0
        self._has_failed = False

    def watch(self) -> None:
        """Write where it is time. Nothing is synced: after a power cut a new page comes soon."""
        now = self._monotonic_seconds()
        if now < self._due_seconds:
            return
        self._due_seconds = now + PERIOD_SECONDS
        partial = self._path.with_name(f".{self._path.name}.partial")
        try:
            partial.write_text(self._read())
            partial.replace(self._path)
        except Exception as error:  # noqa: BLE001 - neither a disk nor a spool that fails ends the watch
            if not self._has_failed:
                _log.warning("metrics-not-written", reason=str(error))
            self._has_failed = True
        else:
            self._has_failed = False


class MetricsPort:
    """Answers GET at a port, one asker at a time, each within a time and so many bytes."""

    def __init__(self, host: str, port: int, read: Callable[[], str]) -> None:
        """Listen.

        Raises:
            OSError: somebody else does, or may not.
        """
        self._read = read
        self._closed = threading.Event()
        self._listener = socket.create_server((host, port), family=_family_of(host), backlog=WAITING)
        self.port: int = self._listener.getsockname()[1]

    def start(self) -> None:
        """Answer from now on, in a thread that ends with the program."""
        threading.Thread(target=self._serve, name="metrics", daemon=True).start()

    def close(self) -> None:
        """Listen no more."""
        self._closed.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                asker, _ = self._listener.accept()
            except OSError:  # such as for want of descriptors, which may be over soon
                if self._closed.wait(ASK_SECONDS):
                    return
                continue
            with asker, contextlib.suppress(OSError):
                asker.settimeout(ASK_SECONDS)
                asker.sendall(self._answer(asker.recv(HEAD_LIMIT_BYTES)))
                asker.shutdown(socket.SHUT_WR)

    def _answer(self, head: bytes) -> bytes:
        if head.split(b" ")[:1] not in ([b"GET"], [b"HEAD"]) or head.split(b" ")[1:2] != [b"/metrics"]:
            return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        try:
            body = self._read().encode()
        except Exception as error:  # noqa: BLE001 - whatever cannot be read now may be the next time
            _log.warning("metrics-not-read", reason=str(error))
            return b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        lines = ("HTTP/1.1 200 OK", "Content-Type: text/plain; version=0.0.4", f"Content-Length: {len(body)}")
        return "\r\n".join((*lines, "Connection: close", "", "")).encode() + (b"" if head[:4] == b"HEAD" else body)
