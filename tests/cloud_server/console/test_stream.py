"""Live parts: rendered once for all who look, sent when they change, ended when the server leaves."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from starlette.requests import ClientDisconnect
from starlette.responses import StreamingResponse
from starlette.types import Message

from cloud_server.console import stream
from cloud_server.console.stream import STREAMS_EACH, STREAMS_MAX, LiveParts, event
from cloud_server.errors import QueueFullError, StorageError
from tests.cloud_server.harness.console import ConsoleClient
from tests.cloud_server.harness.server import ServerHarness


class Stand:
    """Live parts whose ticks the test lets pass, and one part whose content it sets."""

    def __init__(self) -> None:
        self.html = "a"
        self.renders = 0
        self.slow_renders = 0
        self.is_let_in = True
        self.operators = 0
        self.silent: StorageError | None = None
        self.error: Exception | None = None
        self._ticks = asyncio.Semaphore(0)
        self.live = LiveParts(self._sleep)

    async def _sleep(self, _seconds: float) -> None:
        await self._ticks.acquire()

    async def render(self) -> str:
        self.renders += 1
        if self.error is not None:
            raise self.error
        return self.html

    async def render_slowly(self) -> str:
        self.slow_renders += 1
        return self.html

    async def still(self) -> bool:
        if self.silent is not None:
            raise self.silent
        return self.is_let_in

    def look(self, operator: str | None = None) -> AsyncIterator[str]:
        """One more stream of the part, its events as texts; of another operator each, unless one is named."""
        self.operators += 1
        return aiter(self.open(operator or f"operator-{self.operators}").body_iterator)  # type: ignore[arg-type]

    def open(self, operator: str) -> StreamingResponse:
        """The answer that one more stream of the part is."""
        return self.live.stream("one", operator, self.render, self.still)

    def tick(self) -> None:
        """Let one tick pass."""
        self._ticks.release()


def standing(scenario: Callable[[Stand], Awaitable[None]]) -> None:
    async def run() -> None:
        stand = Stand()
        async with asyncio.timeout(20):
            await scenario(stand)
            await stand.live.leave()

    asyncio.run(run())


async def following(looking: AsyncIterator[str], text: str) -> None:
    """Read a stream until an event has come."""
    async for each in looking:
        if each == text:
            return
    raise AssertionError("the stream has ended")


def test_a_part_is_sent_at_first_and_whenever_it_has_changed() -> None:
    async def scenario(stand: Stand) -> None:
        looking = stand.look()
        await following(looking, event("part", "a"))
        stand.html = "b"
        stand.tick()
        await following(looking, event("part", "b"))

    standing(scenario)


def test_a_part_is_rendered_once_a_tick_however_many_look() -> None:
    async def scenario(stand: Stand) -> None:
        streams = [stand.look() for _ in range(20)]
        readers = [asyncio.create_task(following(each, event("part", "b"))) for each in streams]
        await asyncio.sleep(0)
        stand.html = "b"
        while not all(reader.done() for reader in readers):
            stand.tick()
            await asyncio.sleep(0)
        assert stand.renders <= 5

    standing(scenario)


def test_a_part_that_may_wait_is_rendered_only_every_so_many_ticks() -> None:
    async def scenario(stand: Stand) -> None:
        looking = aiter(stand.live.stream("slow", "ada", stand.render_slowly, stand.still, 3).body_iterator)
        await following(looking, event("part", "a"))  # type: ignore[arg-type]
        stand.html = "b"
        for _ in range(3):
            stand.tick()
        await following(looking, event("part", "b"))  # type: ignore[arg-type]
        assert stand.slow_renders == 2

    standing(scenario)


def test_every_stream_ends_at_once_when_the_process_leaves_and_no_other_begins() -> None:
    async def scenario(stand: Stand) -> None:
        streams = [stand.look() for _ in range(20)]
        readers = [asyncio.create_task(_to_the_end(each)) for each in streams]
        while len(stand.live) < 20:
            await asyncio.sleep(0)
        await stand.live.leave()
        await asyncio.gather(*readers)
        with pytest.raises(QueueFullError):
            stand.look()

    standing(scenario)


def test_there_are_only_so_many_streams() -> None:
    async def scenario(stand: Stand) -> None:
        streams = [stand.look() for _ in range(STREAMS_MAX)]
        with pytest.raises(QueueFullError):
            stand.look()
        await anext(streams[0])
        await streams[0].aclose()  # type: ignore[attr-defined]
        stand.look()

    standing(scenario)


def test_one_operator_takes_no_more_than_so_many_streams_and_leaves_the_others_theirs() -> None:
    async def scenario(stand: Stand) -> None:
        for _ in range(STREAMS_EACH):
            stand.look("ada")
        with pytest.raises(QueueFullError):
            stand.look("ada")
        stand.look("ben")

    standing(scenario)


def test_a_stream_whose_browser_has_gone_before_its_first_event_takes_no_place() -> None:
    async def gone() -> Message:
        return {"type": "http.disconnect"}

    async def refuse(_message: Message) -> None:
        raise OSError("the browser has gone")

    async def scenario(stand: Stand) -> None:
        answer = stand.open("ada")
        assert len(stand.live) == 1
        with contextlib.suppress(ClientDisconnect):
            await answer({"type": "http", "asgi": {"spec_version": "2.4"}}, gone, refuse)
        assert len(stand.live) == 0

    standing(scenario)


def test_whoever_is_not_let_in_any_more_is_told_so_with_the_next_turn_and_sees_nothing_further() -> None:
    async def scenario(stand: Stand) -> None:
        looking = stand.look()
        await following(looking, event("part", "a"))
        stand.is_let_in, stand.html = False, "b"
        stand.tick()
        assert [each async for each in looking] == [event("ended", "log in again")]

    standing(scenario)


def test_nothing_is_shown_while_nobody_knows_who_is_let_in_and_the_stream_stays() -> None:
    async def scenario(stand: Stand) -> None:
        looking = stand.look()
        await following(looking, event("part", "a"))
        stand.silent, stand.html = StorageError("silent"), "b"
        reading: asyncio.Task[str] = asyncio.create_task(anext(looking))  # type: ignore[arg-type]
        while not reading.done():
            stand.tick()
            await asyncio.sleep(0)
        assert reading.result() == ": still here\n\n"
        stand.silent = None
        stand.tick()
        await following(looking, event("part", "b"))

    standing(scenario)


@pytest.mark.parametrize("error", [StorageError("silent"), ValueError("a fault of ours")])
def test_a_part_that_cannot_be_made_now_is_made_later(error: Exception) -> None:
    async def scenario(stand: Stand) -> None:
        looking = stand.look()
        await following(looking, event("part", "a"))
        stand.error = error
        stand.tick()
        while stand.renders < 2:
            await asyncio.sleep(0)
        stand.error, stand.html = None, "b"
        stand.tick()
        await following(looking, event("part", "b"))

    standing(scenario)


def test_an_event_of_several_lines_is_one() -> None:
    assert event("part", "<p>\n</p>") == "event: part\ndata: <p>\ndata: </p>\n\n"
    assert event("part", "") == "event: part\ndata: \n\n"


def test_the_overview_follows_by_a_stream(site: ServerHarness, admin: ConsoleClient) -> None:
    with admin.http.stream("GET", "/console/stream/overview") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.iter_lines()
        assert next(lines) == f"retry: {stream.RETRY_MS}"
        assert next(line for line in lines if line.startswith("event")) == "event: part"


def test_head_opens_no_stream(site: ServerHarness, admin: ConsoleClient) -> None:
    for _ in range(STREAMS_EACH + 1):
        answer = admin.http.head("/console/stream/overview")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")


async def _to_the_end(looking: AsyncIterator[str]) -> None:
    async for _ in looking:
        pass
