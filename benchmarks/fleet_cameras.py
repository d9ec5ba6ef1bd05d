"""A made-up fleet of cameras for `fleet`: what each sends over HTTP, as the sensor does, in one asyncio program.

A camera calls now and then, on a connection of its own from an address of its own: it posts a batch of frames and looks
at the assignment's number in the answer. Where that is another one, it asks for the assignment, tells that it tries the
bundle, sends frames with the new tables, and once enough of them are answered `exact` it tells that, too. At the start
of its program and after an update it sends a heartbeat. What is refused for now is asked again as the sensor asks:
full jitter, on top of Retry-After.
"""

import asyncio
import math
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count, islice
from statistics import fmean

from benchmarks.fleet_line import Answer, Line, LineError, request
from benchmarks.rollout_fleet import ACCURACY, ENCODE_SD, ENCODE_SECONDS, LIES_TIMES, Lie
from sensor_client.backoff import delay_seconds
from shared.bundle import FEATURES, SCHEMAS_READ, Bundle
from shared.jpeg import EOI, Stream
from shared.pictures import Pixels
from shared.wire import (
    BATCH_MEDIA_TYPE,
    ActiveTables,
    Assignment,
    AssignmentEvent,
    Batch,
    BatchItem,
    EventKind,
    Heartbeat,
    LabelReport,
    LabelSource,
    SpoolState,
)

FRAMES_A_CALL = 8
LABELLED_CALLS = HEARTBEAT_CALLS = 4
"""In one of so many calls one frame is labelled, and a heartbeat sent, as it is every six hours in the field."""
CALLS_AT_ONCE = 64
GIVE_UP_SECONDS = 300.0
"""Whatever a camera asks for is answered by then, or the benchmark fails."""
_EXACT = re.compile(rb"\bexact(?:=([0-9]+))?")
_WRONG = "another"


class Stock:
    """Pictures encoded by one bundle, from which cameras take what they send."""

    def __init__(self, bundle: Bundle, pictures: Pixels) -> None:
        encode = bundle.encoding.encoder().encode_batch
        self.bundle = bundle
        self.scans = encode(pictures, Stream.SCAN)
        self._prefix = encode(pictures[:1], Stream.ABBREVIATED)[0].removesuffix(self.scans[0] + EOI)

    @property
    def mean_bytes(self) -> float:
        """Of a frame, as the server counts them."""
        return fmean(map(len, self.scans))

    def batch(self, first: int, now: float, picture: int) -> bytes:
        """Frames with the numbers from `first` on, of the pictures from this one on."""
        at_ms = int(now * 1000)
        items = (
            BatchItem(first + n, at_ms + 40 * n, self.scans[(picture + n) % len(self.scans)])
            for n in range(FRAMES_A_CALL)
        )
        return Batch(self._prefix, tuple(items)).to_bytes()


@dataclass(slots=True)
class Camera:
    """One camera, and where it stands.

    Args:
        address: from which it calls.
        is_liar: whether it says what serves its ends, in labels and of its encoder.
        download: how it gets a bundle by its target, verified; None: it takes it as known.
        seq: of the assignment that it follows; 0 before the first.
        had: the counters of all bundles that it was ever told to run.
    """

    public_id: str
    token: str
    address: str
    boot: str
    encode_seconds: float
    is_liar: bool
    download: Callable[[str], bytes] | None = None
    seq: int = 0
    counter: int = 0
    next_number: int = 0
    calls: int = 0
    had: set[int] = field(default_factory=set)


@dataclass
class Heard:
    """What cameras were answered, and what they had to put up with."""

    statuses: Counter[int] = field(default_factory=Counter)
    broken: int = 0
    server_errors: int = 0
    refused: list[str] = field(default_factory=list)

    @property
    def told_to_wait(self) -> int:
        """How often it was: not now."""
        return self.statuses[503] + self.statuses[429]


class Cameras:
    """The fleet.

    Args:
        stocks: by the counter of a bundle, what cameras send that run it.
        call_every_seconds: how long it is from one call of a camera to its next.

    Attributes:
        heard: what they were answered.
        lie: what those that lie want of bundle `lie_about`.
    """

    def __init__(
        self,
        server: tuple[str, int],
        every: Sequence[Camera],
        stocks: Mapping[int, Stock],
        call_every_seconds: float,
        rng: random.Random,
    ) -> None:
        self.every = every
        self._call_every_seconds = call_every_seconds
        self.heard = Heard()
        self.lie, self.lie_about = Lie.STOP, 0
        self.stocks = stocks
        self._server = server
        self._rng = rng

    async def reboot(self) -> list[float]:
        """All begin at once, and ask for their assignment; after how many seconds each had it."""
        began = time.monotonic()
        return list(await asyncio.gather(*(self._begin(camera, began) for camera in self.every)))

    async def live(self) -> None:
        """Call again and again, until cancelled; later than that where the server is slow."""
        async with asyncio.TaskGroup() as group:
            due, began = count(), time.monotonic()
            for _ in range(min(CALLS_AT_ONCE, len(self.every))):
                group.create_task(self._live(due, began))

    def on(self, counter: int) -> int:
        """How many cameras run a bundle now."""
        return sum(camera.counter == counter for camera in self.every)

    def ever_on(self, counter: int) -> int:
        """How many cameras were ever told to run a bundle."""
        return sum(counter in camera.had for camera in self.every)

    async def _live(self, due: Iterable[int], began: float) -> None:
        cameras, pause = len(self.every), self._call_every_seconds / len(self.every)
        for number in due:
            await asyncio.sleep(began + number * pause - time.monotonic())
            await self.call(self.every[number % cameras])

    async def call(self, camera: Camera) -> None:
        """One call: frames, and what the answer asks for."""
        async with Line(self._server, camera.address) as line:
            answer = await self._send_frames(line, camera)
            if answer.assignment != camera.seq:
                await self._follow(line, camera)
            elif camera.calls % HEARTBEAT_CALLS == 0:
                await self._send_heartbeat(line, camera)

    async def _begin(self, camera: Camera, began: float) -> float:
        async with Line(self._server, camera.address) as line:
            await self._ask_assignment(line, camera)
            took = time.monotonic() - began
            await self._send_heartbeat(line, camera)
        return took

    async def _follow(self, line: Line, camera: Camera) -> None:
        """Update to what is assigned, and prove it."""
        assignment = await self._ask_assignment(line, camera)
        if camera.download is not None:
            data = await asyncio.to_thread(camera.download, assignment.target)
            assert data == self.stocks[camera.counter].bundle.to_bytes(), "it is what was published"
        await self._tell(line, camera, assignment, EventKind.TRIAL)
        answer = await self._send_frames(line, camera)
        assert _exact(answer) == FRAMES_A_CALL, "the server has its classifier"
        await self._tell(line, camera, assignment, EventKind.CONFIRMED)
        await self._send_heartbeat(line, camera)

    async def _ask_assignment(self, line: Line, camera: Camera) -> Assignment:
        answer = await self._ask(line, request("GET", "/v1/assignment", camera.token), 200)
        assignment = Assignment.model_validate_json(answer.body)
        camera.seq, camera.counter = assignment.seq, assignment.counter
        camera.had.add(assignment.counter)
        return assignment

    async def _send_frames(self, line: Line, camera: Camera) -> Answer:
        first, camera.calls = camera.next_number, camera.calls + 1
        camera.next_number += FRAMES_A_CALL
        is_labelled = camera.calls % LABELLED_CALLS == 0
        body = self.stocks[camera.counter].batch(first, time.time(), self._rng.randrange(len(self.every)))
        headers = {} if is_labelled else {"Prefer": "return=minimal"}
        posted = request("POST", "/v1/frames:batch", camera.token, body, BATCH_MEDIA_TYPE, headers)
        answer = await self._ask(line, posted, 200 if is_labelled else 204)
        if is_labelled:
            result = self._rng.choice(answer.json()["results"])
            await self._label(line, camera, result["id"], result["label"])
        return answer

    async def _label(self, line: Line, camera: Camera, frame: str, answered: str) -> None:
        is_right = self._rng.random() < ACCURACY
        if camera.is_liar:
            is_right = (camera.counter == self.lie_about) == (self.lie is Lie.LET_THROUGH)
        report = LabelReport(label=answered if is_right else _WRONG, source=LabelSource.SENSOR)
        put = request("PUT", f"/v1/frames/{frame}/label", camera.token, report.model_dump_json().encode())
        await self._ask(line, put, 204)

    async def _tell(self, line: Line, camera: Camera, assignment: Assignment, kind: EventKind) -> None:
        event = AssignmentEvent(event=kind, target=assignment.target)
        body = event.model_dump_json(exclude_none=True).encode()
        await self._ask(line, request("POST", f"/v1/assignments/{assignment.seq}/events", camera.token, body), 204)

    async def _send_heartbeat(self, line: Line, camera: Camera) -> None:
        bundle = self.stocks[camera.counter].bundle
        seconds = camera.encode_seconds
        if camera.is_liar and camera.counter == self.lie_about:
            seconds *= LIES_TIMES if self.lie is Lie.STOP else 1 / LIES_TIMES
        heartbeat = Heartbeat(
            program="1.0",
            boot=camera.boot,
            boots=1,
            uptime_seconds=1,
            schemas=list(SCHEMAS_READ),
            features=list(FEATURES),
            active=ActiveTables(target=bundle.target_path, tables=bundle.tables.tables_id),
            encode_seconds_median=seconds,
            highest_sequence=camera.next_number,
            spool=SpoolState(frames=0, bytes=0, dropped=0),
        )
        body = heartbeat.model_dump_json(exclude_none=True).encode()
        await self._ask(line, request("POST", "/v1/heartbeat", camera.token, body), 204)

    async def _ask(self, line: Line, asked: bytes, expected: int) -> Answer:
        """Ask until it is answered; what is refused for now, or not answered at all, is asked again later.

        Raises:
            AssertionError: the answer is another one, or none came in time.
        """
        end = time.monotonic() + GIVE_UP_SECONDS
        for attempt in count():
            wait_for: float | None = None
            try:
                answer = await line.ask(asked)
            except LineError:
                self.heard.broken += 1
            else:
                self.heard.statuses[answer.status] += 1
                wait_for = answer.retry_after_seconds
                if answer.status == expected:
                    return answer
                self._note(answer, is_later=wait_for is not None)
            assert time.monotonic() < end, f"not answered in {GIVE_UP_SECONDS:.0f} s"
            await asyncio.sleep(delay_seconds(attempt, wait_for, self._rng.random))
        raise AssertionError("it asks until it is answered")

    def _note(self, answer: Answer, *, is_later: bool) -> None:
        is_fault = answer.status >= 500 and not (answer.status == 503 and is_later)
        self.heard.server_errors += is_fault
        if not is_later:
            self.heard.refused.append(f"{answer.status}: {answer.body[:300]!r}")
            assert is_fault, self.heard.refused[-1]


def fleet_of(enrolled: Iterable[tuple[str, str]], liars: float, rng: random.Random) -> list[Camera]:
    """Cameras for devices, given by their names and tokens.

    Args:
        liars: the share of those that lie.
    """
    return [
        Camera(
            public_id=public_id,
            token=token,
            address=f"127.1.{number >> 8}.{number & 255}",
            boot=f"{rng.getrandbits(64):016x}",
            encode_seconds=ENCODE_SECONDS * math.exp(rng.gauss(0, ENCODE_SD)),
            is_liar=rng.random() < liars,
            calls=rng.randrange(HEARTBEAT_CALLS),
        )
        for number, (public_id, token) in enumerate(enrolled)
    ]


def _exact(answer: Answer) -> int:
    """How many frames of a batch were answered by the tables' own classifier."""
    if answer.status == 204:
        found = _EXACT.search(answer.head)
        return int(found[1] or 1) if found else 0
    return sum(result["match"] == "exact" for result in islice(answer.json()["results"], FRAMES_A_CALL))
