"""What a network may do to one connection below HTTP, each fault a value: how bytes leave a `TcpFaultProxy`.

A fault has the connection from the client (`near`) and opens those to the server itself, in both directions alike. It
ends when both sides have ended, or when it has done its harm.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

PIECE_BYTES = 16_384


class Way(Enum):
    """Which bytes a fault counts."""

    THERE = "there"
    BACK = "back"


@dataclass
class Ends:
    """One side's two streams."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def reset(self) -> None:
        """Break the connection with a RST."""
        sock: socket.socket = self.writer.get_extra_info("socket")
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


@dataclass
class Passage:
    """One connection from a client, and what a fault needs beside it.

    Args:
        dial: opens a connection to the server.
        others_passed: how many connections have ended so far, whatever became of them.
        until_passed: waits until that many have.
    """

    near: Ends
    dial: Callable[[], Awaitable[Ends]]
    others_passed: Callable[[], int]
    until_passed: Callable[[int], Awaitable[None]]


class TcpFault(Protocol):
    """Carries one connection, and does to it what it is named after."""

    async def __call__(self, passage: Passage) -> None: ...


@dataclass(frozen=True)
class Pass:
    """Nothing happens."""

    async def __call__(self, passage: Passage) -> None:
        """Carry all bytes both ways."""
        far = await passage.dial()
        await _both(_pump(passage.near, far), _pump(far, passage.near), far)


@dataclass(frozen=True)
class Drop:
    """The connection is taken, and broken before a byte passes."""

    async def __call__(self, passage: Passage) -> None:
        """Break it."""
        passage.near.reset()


@dataclass(frozen=True)
class Cut:
    """So many bytes pass one way, and not one more: the connection ends for both sides.

    Args:
        with_reset: by RST; otherwise it is closed in order, and the message is truncated.
    """

    way: Way
    at_byte: int
    with_reset: bool

    async def __call__(self, passage: Passage) -> None:
        """Carry bytes until then."""
        far = await passage.dial()
        there = _pump(passage.near, far, self.at_byte if self.way is Way.THERE else None)
        back = _pump(far, passage.near, self.at_byte if self.way is Way.BACK else None)
        await _either(there, back)
        for end in (passage.near, far):
            end.reset() if self.with_reset else end.writer.close()


@dataclass(frozen=True)
class Stall:
    """So many bytes pass one way, and then nothing moves, until the client hangs up or so many seconds have gone."""

    way: Way
    at_byte: int
    seconds: float

    async def __call__(self, passage: Passage) -> None:
        """Carry bytes until then, and wait."""
        far = await passage.dial()
        there = _pump(passage.near, far, self.at_byte if self.way is Way.THERE else None)
        back = _pump(far, passage.near, self.at_byte if self.way is Way.BACK else None)
        await _either(there, back)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.seconds):
                while await passage.near.reader.read(PIECE_BYTES):
                    pass
        far.writer.close()


@dataclass(frozen=True)
class Slow:
    """One byte at a time, both ways, for at most so many seconds; then the connection breaks."""

    bytes_per_second: float
    seconds: float

    async def __call__(self, passage: Passage) -> None:
        """Carry bytes slowly."""
        far = await passage.dial()
        pause = 1 / self.bytes_per_second
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.seconds):
                await _both(_drip(passage.near, far, pause), _drip(far, passage.near, pause), far)
        passage.near.reset()
        far.reset()


@dataclass(frozen=True)
class Duplicate:
    """Everything that the client says comes to the server twice, on two connections; the client hears the first one."""

    async def __call__(self, passage: Passage) -> None:
        """Carry bytes to both, and back from one."""
        far, twin = await passage.dial(), await passage.dial()
        deaf = asyncio.create_task(_drain(twin))
        try:
            await _both(_pump(passage.near, far, copy=twin), _pump(far, passage.near), far)
        finally:
            with contextlib.suppress(asyncio.TimeoutError, OSError):
                await asyncio.wait_for(deaf, 1.0)
            twin.writer.close()


@dataclass(frozen=True)
class Reorder:
    """What is said is held back until another connection has come and gone, for so many seconds at most.

    Args:
        way: THERE holds the request, so that later ones overtake it; BACK holds the answer.
    """

    way: Way
    seconds: float

    async def __call__(self, passage: Passage) -> None:
        """Wait for another, and carry on."""
        far = await passage.dial()
        held = asyncio.create_task(self._another(passage))
        there = _pump(passage.near, far, after=held if self.way is Way.THERE else None)
        back = _pump(far, passage.near, after=held if self.way is Way.BACK else None)
        await _both(there, back, far)

    async def _another(self, passage: Passage) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.seconds):
                await passage.until_passed(passage.others_passed() + 1)


async def _pump(
    source: Ends,
    to: Ends,
    limit: int | None = None,
    *,
    copy: Ends | None = None,
    after: "asyncio.Task[None] | None" = None,
) -> None:
    """Carry bytes until the source ends, or `limit` bytes have gone; the end is passed on, the limit is not."""
    left = limit
    while left is None or left > 0:
        data = await source.reader.read(PIECE_BYTES if left is None else min(left, PIECE_BYTES))
        if after is not None:
            await after
        if not data:
            break
        left = None if left is None else left - len(data)
        for end in filter(None, (to, copy)):
            end.writer.write(data)
            await end.writer.drain()
    if left is None:
        for end in filter(None, (to, copy)):
            with contextlib.suppress(OSError):
                end.writer.write_eof()


async def _drip(source: Ends, to: Ends, pause_seconds: float) -> None:
    while data := await source.reader.read(1):
        await asyncio.sleep(pause_seconds)
        to.writer.write(data)
        await to.writer.drain()
    with contextlib.suppress(OSError):
        to.writer.write_eof()


async def _drain(end: Ends) -> None:
    with contextlib.suppress(OSError):
        while await end.reader.read(PIECE_BYTES):
            pass


async def _both(there: Awaitable[None], back: Awaitable[None], far: Ends) -> None:
    try:
        await asyncio.gather(there, back)
    finally:
        far.writer.close()


async def _either(there: Awaitable[None], back: Awaitable[None]) -> None:
    tasks = [asyncio.ensure_future(each) for each in (there, back)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
