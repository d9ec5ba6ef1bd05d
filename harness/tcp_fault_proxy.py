"""A TCP proxy between devices and their server that does to connections what a bad network does, by chance or by plan.

It knows no HTTP: `fault_proxy` beside it changes replies, this one breaks, stalls, drips, doubles and reorders bytes.
The server may change its address, so that it can be killed and started again behind it.
"""

import asyncio
import contextlib
import functools
import random
import socket
import threading
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Self

from harness.tcp_faults import Cut, Drop, Duplicate, Ends, Pass, Passage, Reorder, Slow, Stall, TcpFault, Way

START_SECONDS = 10.0
AT_BYTE_MAX = 4_000
"""Faults of chance strike somewhere in the first so many bytes: heads, bodies and the ends of both."""
HELD_SECONDS = 0.4
DRIPPED_SECONDS = 2.0


def by_chance(random: random.Random, honest_share: float = 0.5) -> TcpFault:
    """Any fault, or none: what the seed says."""
    if random.random() < honest_share:
        return Pass()
    way, at_byte = random.choice((Way.THERE, Way.BACK)), _at_byte(random)
    choices: tuple[TcpFault, ...] = (
        Drop(),
        Cut(way, at_byte, with_reset=True),
        Cut(way, at_byte, with_reset=False),
        Stall(way, at_byte, HELD_SECONDS),
        Slow(1.0, DRIPPED_SECONDS),
        Duplicate(),
        Reorder(way, HELD_SECONDS),
    )
    return random.choice(choices)


def _at_byte(random: random.Random) -> int:
    """As many early cuts as late ones: an answer is short, a batch is long."""
    return int(AT_BYTE_MAX ** random.random()) - 1


class TcpFaultProxy:
    """Start with `with`. Its loop runs in a thread of its own; every method may be called from any thread.

    Args:
        server: where connections go; `point_at` says so anew.
        choose: the fault of each connection, asked in the order in which they come. Without it, none.
    """

    def __init__(self, server: tuple[str, int], choose: Callable[[], TcpFault] = Pass) -> None:
        self._server_address = server
        self._choose = choose
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tcp-fault-proxy")
        self._tasks: set[asyncio.Task[None]] = set()
        self._passed = 0
        self._has_passed = asyncio.Condition()
        self._port = 0
        self.met: Counter[str] = Counter()
        """How many connections met which fault, by its name."""

    @property
    def address(self) -> tuple[str, int]:
        """Where devices find it."""
        return "127.0.0.1", self._port

    @property
    def url(self) -> str:
        """The same, for a device plane without TLS."""
        return f"http://127.0.0.1:{self._port}"

    def point_at(self, server: tuple[str, int]) -> None:
        """Connections that come from now on go there."""
        self._server_address = server

    def choose_by(self, choose: Callable[[], TcpFault]) -> None:
        """Connections that come from now on meet these faults."""
        self._choose = choose

    def __enter__(self) -> Self:
        self._thread.start()
        self._port = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(START_SECONDS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(START_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self) -> int:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def _close(self) -> None:
        self._server.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        fault = self._choose()
        self.met[type(fault).__name__] += 1
        opened = [writer]
        try:
            with contextlib.suppress(OSError, asyncio.CancelledError):
                dial = functools.partial(self._dial, opened)
                await fault(Passage(Ends(reader, writer), dial, lambda: self._passed, self._until_passed))
        finally:
            self._tasks.discard(task)
            for each in opened:
                each.close()
            await self._tell_passed()

    async def _dial(self, opened: list[asyncio.StreamWriter]) -> Ends:
        host, port = self._server_address
        reader, writer = await asyncio.open_connection(host, port)
        opened.append(writer)
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return Ends(reader, writer)

    async def _tell_passed(self) -> None:
        self._passed += 1
        async with self._has_passed:
            self._has_passed.notify_all()

    async def _until_passed(self, count: int) -> None:
        async with self._has_passed:
            await self._has_passed.wait_for(lambda: self._passed >= count)
