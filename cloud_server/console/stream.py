"""Live parts of pages as server-sent events: each is rendered once a tick, however many look at it.

A stream sends a part whenever it has become another one, to whoever may still see it. All streams share one task,
which works only while somebody looks. They end when the process is about to leave, so that an open page holds up no
drain; the browser comes back, to this process or another one.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import structlog
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from cloud_server.errors import QueueFullError, UnavailableError
from shared.errors import PeerError

TICK_SECONDS = 2.0
HEARTBEAT_TICKS = 8
STREAMS_MAX = 100
STREAMS_EACH = 25
"""Of one operator, so that none takes the places of all others."""
RETRY_MS = 3000
MEDIA_TYPE = "text/event-stream"
HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}
_log = structlog.get_logger()


@dataclass(slots=True, eq=False)
class _Part:
    """What is rendered for all who look at it, and what it was last; `version` counts how often it has changed."""

    render: Callable[[], Awaitable[str]]
    every_ticks: int
    due_at: int
    html: str = ""
    version: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class _Seat:
    """A place among the streams, from when it is asked for until its answer has ended, whether it was begun or not."""

    operator: str
    part: str
    is_still_let_in: Callable[[], Awaitable[bool]]


@dataclass(slots=True, eq=False)
class LiveParts:
    """The parts that somebody looks at now."""

    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    _parts: dict[str, _Part] = field(default_factory=dict)
    _seats: set[_Seat] = field(default_factory=set)
    _turns: int = 0
    _turned: asyncio.Event = field(default_factory=asyncio.Event)
    _task: asyncio.Task[None] | None = None
    _is_leaving: bool = False

    def __len__(self) -> int:
        """How many streams are open."""
        return len(self._seats)

    def stream(
        self,
        name: str,
        operator: str,
        render: Callable[[], Awaitable[str]],
        is_still_let_in: Callable[[], Awaitable[bool]],
        every_ticks: int = 1,
    ) -> StreamingResponse:
        """A stream of one part.

        Args:
            name: the same for all whose `render` gives the same.
            operator: who looks.
            render: makes the part's HTML, which is the same for every role that may see it.
            is_still_let_in: whether who looks may still; asked in each turn, and so before each part that is sent.
            every_ticks: after how many ticks the part is rendered again: what takes long, or changes slowly, waits.

        Raises:
            QueueFullError: too many streams are open, of all or of this operator, or the process is about to leave.
        """
        of_operator = sum(seat.operator == operator for seat in self._seats)
        if len(self) >= STREAMS_MAX or of_operator >= STREAMS_EACH or self._is_leaving:
            raise QueueFullError("too many live pages are open; this one is up to date when it is loaded again")
        seat = _Seat(operator, name, is_still_let_in)
        self._seats.add(seat)
        part = self._parts.setdefault(name, _Part(render, every_ticks, due_at=self._turns))
        return _Events(self._events(seat, part), lambda: self._give_up(seat))

    async def leave(self) -> None:
        """End every stream, now and from now on."""
        self._is_leaving = True
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._wake()

    async def _events(self, seat: _Seat, part: _Part) -> AsyncIterator[str]:
        try:
            yield f"retry: {RETRY_MS}\n\n"
            seen, sent_at = 0, self._turns
            while not self._is_leaving:
                is_let_in = await _is_let_in(seat)
                if is_let_in is False:
                    yield event("ended", "log in again")
                    return
                if is_let_in and part.version > seen:
                    seen, sent_at = part.version, self._turns
                    yield event("part", part.html)
                elif self._turns - sent_at >= HEARTBEAT_TICKS:
                    sent_at = self._turns
                    yield ": still here\n\n"
                await self._next_turn()
        finally:
            self._give_up(seat)

    def _give_up(self, seat: _Seat) -> None:
        self._seats.discard(seat)
        if all(other.part != seat.part for other in self._seats):
            self._parts.pop(seat.part, None)

    async def _next_turn(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._turn())
        await self._turned.wait()

    async def _turn(self) -> None:
        """Render every part that somebody looks at, again and again until nobody does."""
        while self._parts and not self._is_leaving:
            for part in [each for each in self._parts.values() if each.due_at <= self._turns]:
                part.due_at = self._turns + part.every_ticks
                await self._renew(part)
            self._wake()
            await self.sleep(TICK_SECONDS)

    def _wake(self) -> None:
        """Tell every stream that a turn has passed."""
        self._turns += 1
        turned, self._turned = self._turned, asyncio.Event()
        turned.set()

    async def _renew(self, part: _Part) -> None:
        try:
            html = await part.render()
        except (UnavailableError, PeerError):
            return  # the page shows what it did; the next turn tries again
        except Exception as error:  # noqa: BLE001 - a fault in one part must not stop the others
            _log.error("console-part-failed", exc_info=error)
            return
        if html != part.html:
            part.html, part.version = html, part.version + 1


class _Events(StreamingResponse):
    """The answer that a stream is; its seat is given up with it, though nobody may have read any of it."""

    def __init__(self, events: AsyncIterator[str], ended: Callable[[], None]) -> None:
        super().__init__(events, headers=HEADERS, media_type=MEDIA_TYPE)
        self._ended = ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, as the listener asks."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._ended()


def no_events() -> StreamingResponse:
    """What a stream's answer is without its events."""
    return StreamingResponse(iter(()), headers=HEADERS, media_type=MEDIA_TYPE)


def event(name: str, text: str) -> str:
    """One event as the stream has it (HTML, 9.2.6)."""
    lines = "".join(f"data: {line}\n" for line in text.splitlines() or [""])
    return f"event: {name}\n{lines}\n"


async def _is_let_in(seat: _Seat) -> bool | None:
    """Whether who looks may still; None where that cannot be known now, and so nothing may be shown."""
    try:
        return await seat.is_still_let_in()
    except UnavailableError:
        return None
