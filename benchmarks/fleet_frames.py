"""What a frame costs the server while a rollout exposes half of the cameras, and while there is none, in turns.

Batches come over a few connections, each of another camera than the one before, so that counting has as many cameras as
in the field. The rollout is paused: then nobody looks at it, and what is left is what it costs the frames. What is
counted is written up to five seconds later; so each turn lasts on for longer than that.
"""

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.fleet_cameras import FRAMES_A_CALL, Stock
from benchmarks.fleet_line import request
from benchmarks.fleet_server import GOOD, OLD, FleetServer
from benchmarks.load import FIRST_NUMBER, NUMBERS_A_RUN, Generator, Numbering, Plan, Request, varint
from cloud_server.rollout import plan
from cloud_server.rollout.counting import SAVE_SECONDS
from shared.wire import BATCH_MEDIA_TYPE

CLIENTS = 8
LOAD_CORE = 1
HALF = plan.Plan(stages=(plan.Stage(percent=50), plan.Stage(percent=100)))
BEGUN_SECONDS = 60.0
Figures = dict[str, float]


def frame_us(server: FleetServer, seconds: float, turns: int) -> Figures:
    """Processor microseconds of the server a frame, the medians of some turns, and the median of the turns' ratios.

    Args:
        seconds: how long frames come in each turn.
        turns: how many, with a rollout and without.
    """
    load = Load(server, seconds)
    load.turn()  # warms up
    spent: dict[bool, list[float]] = {True: [], False: []}
    for turn in range(turns):
        for with_rollout in (True, False) if turn % 2 else (False, True):
            if with_rollout:
                with _exposing(server):
                    spent[True].append(load.turn())
            else:
                spent[False].append(load.turn())
    ratios = [one / other for one, other in zip(spent[True], spent[False], strict=True)]
    return {
        "frame_us_with_rollout": statistics.median(spent[True]),
        "frame_us_without": statistics.median(spent[False]),
        "frame_us_ratio": statistics.median(ratios),
    }


@dataclass(frozen=True)
class Spent:
    """Processor time of the server, the frames that it answered, and how long that was by the clock."""

    cpu_seconds: float
    frames: int
    seconds: float


class Load:
    """The same batches in every turn, under new numbers."""

    def __init__(self, server: FleetServer, seconds: float) -> None:
        self._server = server.running
        self._seconds = seconds
        self._first_number = FIRST_NUMBER
        stock = Stock(server.bundles[GOOD], server.pictures)
        requests = [_request(stock, token, which) for which, (_, token) in enumerate(server.enrolled)]
        self._clients = tuple(tuple(requests[client::CLIENTS]) for client in range(CLIENTS))

    def turn(self) -> float:
        """Send for some seconds; what a frame cost the server, in microseconds of its processor."""
        spent = self.spend()
        return 1e6 * spent.cpu_seconds / spent.frames

    def spend(self) -> "Spent":
        """Send for some seconds, and wait until what was counted is written; what that took of the server."""
        self._first_number += NUMBERS_A_RUN
        host, port = self._server.device_address
        sent = Plan(
            host=host,
            port=port,
            clients=self._clients,
            seconds=self._seconds,
            warm_seconds=0.0,
            first_number=self._first_number,
            core=LOAD_CORE,
        )
        before, began = self._server.cpu_seconds(), time.monotonic()
        with Generator(sent) as generator:
            report = generator.report()
        assert not report.failed, report.answers
        time.sleep(SAVE_SECONDS + 1)
        return Spent(self._server.cpu_seconds() - before, report.frames, time.monotonic() - began)


def _request(stock: Stock, token: str, which: int) -> Request:
    body = stock.batch(FIRST_NUMBER, time.time(), which)
    asked = request("POST", "/v1/frames:batch", token, body, BATCH_MEDIA_TYPE, {"Prefer": "return=minimal"})
    before, _, after = asked.partition(varint(FIRST_NUMBER))
    return Request(before=before, after=after, numbering=Numbering.VARINT, frames=FRAMES_A_CALL)


@contextmanager
def _exposing(server: FleetServer) -> Iterator[None]:
    """A rollout back to the old bundle has reached half of the cameras, and is paused."""
    rollout, end = server.start(OLD, HALF), time.monotonic() + BEGUN_SECONDS
    while server.rollout(rollout)["state"] != "stage":
        assert time.monotonic() < end, "it begins"
        time.sleep(0.1)
    server.steer(rollout, "pause")
    try:
        yield
    finally:
        server.steer(rollout, "abort")
