"""What can become of a reply on its way, each fault a value: how it leaves a `FaultProxy` for the client."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeAlias

WITHOUT_BODY = (204, 304)
HIGHEST_STATUS_OF_1XX = 199
PIECE_BYTES = 16_384


@dataclass(frozen=True)
class ProxiedRequest:
    """A request as it came; header names are in lower case, `at_seconds` is the monotonic clock's."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    at_seconds: float


@dataclass(frozen=True)
class ProxiedReply:
    """A whole reply; header names are in lower case. Latin-1 goes out as it stands."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def with_headers(self, **headers: str) -> "ProxiedReply":
        """The reply with other headers; an underline stands for a dash."""
        changed = {name.replace("_", "-").lower(): value for name, value in headers.items()}
        return replace(self, headers={**self.headers, **changed})

    def to_bytes(self) -> bytes:
        """As HTTP/1.1 has it (RFC 9112), with the length of its body."""
        headers = {name: value for name, value in self.headers.items() if name not in ("content-length", "connection")}
        if self.status not in WITHOUT_BODY:
            headers["content-length"] = str(len(self.body))
        lines = [f"HTTP/1.1 {self.status} -", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + self.body


@dataclass
class Exchange:
    """One request, the way to the server behind the proxy, and the way back to the client.

    Args:
        forward: asks the server and gives its whole reply.
        earlier: the first reply that the server gave to the same method and path; None before that.
    """

    request: ProxiedRequest
    forward: Callable[[], Awaitable[ProxiedReply]]
    earlier: ProxiedReply | None
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        """Send bytes to the client; returns once most of them have left."""
        self.writer.write(data)
        await self.writer.drain()

    async def until_hung_up(self) -> None:
        """Wait for the client to close the connection, or to say more than it should."""
        await self.reader.read(1)

    def reset(self) -> None:
        """Break the connection with a RST, as a router does that forgot it."""
        sock: socket.socket = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


class Fault(Protocol):
    """Does to an exchange what it is named after; returns whether the connection may be used again."""

    async def __call__(self, exchange: Exchange) -> bool: ...


Change: TypeAlias = Callable[[ProxiedReply], ProxiedReply]


@dataclass(frozen=True)
class Delay:
    """The reply comes later."""

    seconds: float

    async def __call__(self, exchange: Exchange) -> bool:
        """Ask, wait, answer."""
        reply = await exchange.forward()
        await asyncio.sleep(self.seconds)
        await exchange.send(reply.to_bytes())
        return True


@dataclass(frozen=True)
class Drip:
    """The reply comes by the byte; with `whole_head` its head comes at once, and its body by the byte."""

    bytes_per_second: float = 1.0
    whole_head: bool = False

    async def __call__(self, exchange: Exchange) -> bool:
        """Ask, and answer slowly."""
        data = (await exchange.forward()).to_bytes()
        begin = data.index(b"\r\n\r\n") + 4 if self.whole_head else 0
        await exchange.send(data[:begin])
        for at in range(begin, len(data)):
            await asyncio.sleep(1 / self.bytes_per_second)
            await exchange.send(data[at : at + 1])
        return True


@dataclass(frozen=True)
class Endless1xx:
    """Interim replies (RFC 9110 15.2) without end, and never the reply."""

    status: int = HIGHEST_STATUS_OF_1XX
    pause_seconds: float = 0.01

    async def __call__(self, exchange: Exchange) -> bool:
        """Go on until the client hangs up."""
        while True:
            await exchange.send(f"HTTP/1.1 {self.status} -\r\n\r\n".encode())
            await asyncio.sleep(self.pause_seconds)


@dataclass(frozen=True)
class EndlessHead:
    """Headers without end."""

    async def __call__(self, exchange: Exchange) -> bool:
        """Go on until the client hangs up."""
        await exchange.send(b"HTTP/1.1 200 -\r\n")
        while True:
            await exchange.send(b"x-flood: " + b"x" * 1000 + b"\r\n")


@dataclass(frozen=True)
class EndlessBody:
    """The right head, and a body without end: chunked, or until the connection closes.

    Args:
        pause_seconds: between two pieces of 16 KiB; 0 sends them as fast as they go.
    """

    is_chunked: bool = True
    pause_seconds: float = 0.0

    async def __call__(self, exchange: Exchange) -> bool:
        """Go on until the client hangs up."""
        await exchange.forward()
        how = b"transfer-encoding: chunked" if self.is_chunked else b"connection: close"
        await exchange.send(b"HTTP/1.1 200 -\r\ncontent-type: application/json\r\n" + how + b"\r\n\r\n")
        while True:
            piece = b" " * PIECE_BYTES
            await exchange.send(b"%x\r\n%s\r\n" % (len(piece), piece) if self.is_chunked else piece)
            await asyncio.sleep(self.pause_seconds)


@dataclass(frozen=True)
class Cut:
    """The server does what it is asked, and the connection closes after so many bytes of its reply.

    Args:
        with_reset: break the connection by RST in place of closing it.
    """

    at_byte: int = 0
    with_reset: bool = False

    async def __call__(self, exchange: Exchange) -> bool:
        """Ask, and answer in part."""
        data = (await exchange.forward()).to_bytes()
        await exchange.send(data[: self.at_byte])
        if self.with_reset:
            exchange.reset()
        return False


@dataclass(frozen=True)
class Refuse:
    """The connection breaks before the server hears of the request."""

    async def __call__(self, exchange: Exchange) -> bool:
        """Break it."""
        exchange.reset()
        return False


@dataclass(frozen=True)
class Silence:
    """The request goes nowhere, and no byte comes back until the client hangs up."""

    async def __call__(self, exchange: Exchange) -> bool:
        """Say nothing."""
        await exchange.until_hung_up()
        return False


@dataclass(frozen=True)
class Replay:
    """The server's first reply to the same method and path comes again, and the server hears nothing."""

    async def __call__(self, exchange: Exchange) -> bool:
        """Answer from memory; ask where there is nothing in it yet."""
        await exchange.send((exchange.earlier or await exchange.forward()).to_bytes())
        return True


@dataclass(frozen=True)
class Replace:
    """The server does what it is asked, and its reply is changed on the way."""

    change: Change

    async def __call__(self, exchange: Exchange) -> bool:
        """Ask, change, answer."""
        await exchange.send(self.change(await exchange.forward()).to_bytes())
        return True


@dataclass(frozen=True)
class AnswerItself:
    """The proxy answers in the server's place, which hears nothing: a captive portal, or somebody who lies."""

    answer: Callable[[ProxiedRequest], ProxiedReply]

    async def __call__(self, exchange: Exchange) -> bool:
        """Answer."""
        await exchange.send(self.answer(exchange.request).to_bytes())
        return True


@dataclass(frozen=True)
class Raw:
    """Exactly these bytes, and the connection closes."""

    data: bytes

    async def __call__(self, exchange: Exchange) -> bool:
        """Send them."""
        await exchange.send(self.data)
        return False
