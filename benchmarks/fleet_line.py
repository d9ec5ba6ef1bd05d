"""HTTP/1.1 as a camera speaks it, as lightly as may be: one connection, one request at a time, keep-alive."""

import asyncio
import contextlib
import json
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

ANSWER_SECONDS = 30.0
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
_CLOSES = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
_ASSIGNMENT = re.compile(rb"\r\ndw-assignment: *([0-9]+)", re.IGNORECASE)
_RETRY_AFTER = re.compile(rb"\r\nretry-after: *([0-9]+)", re.IGNORECASE)
_NO_BODY = (204, 304)


class LineError(Exception):
    """No whole answer came; the connection is closed."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, its head with the line before it."""

    status: int
    head: bytes
    body: bytes

    @property
    def assignment(self) -> int:
        """The number of the newest assignment; 0: none."""
        return _number(_ASSIGNMENT, self.head) or 0

    @property
    def retry_after_seconds(self) -> int | None:
        """When to ask again; None: nothing is said."""
        return _number(_RETRY_AFTER, self.head)

    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)


class Line:
    """A camera's connection, made when it is needed; a context that closes it.

    Args:
        source: the address to call from.
    """

    def __init__(self, server: tuple[str, int], source: str) -> None:
        self._server = server
        self._source = source
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._close()

    async def ask(self, request: bytes) -> Answer:
        """Send a request; returns its answer.

        Raises:
            LineError: there is none.
        """
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                if self._streams is None:
                    self._streams = await self._connect(request)
                else:
                    self._streams[1].write(request)
                answer = await _read(self._streams[0])
        except (OSError, EOFError, TimeoutError) as error:
            self._close()
            raise LineError(repr(error)) from error
        if _CLOSES.search(answer.head):
            self._close()
        return answer

    async def _connect(self, request: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect, and send a request in the same moment: thousands of cameras in one program have to wait for it."""
        connection = socket.socket()
        try:
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.bind((self._source, 0))
            with contextlib.suppress(BlockingIOError):
                connection.connect(self._server)
            try:
                connection.sendall(request)
            except (BlockingIOError, BrokenPipeError):  # the server's queue is full
                await asyncio.get_running_loop().sock_connect(connection, self._server)
                connection.sendall(request)
            return await asyncio.open_connection(sock=connection)
        except BaseException:
            connection.close()
            raise

    def _close(self) -> None:
        if self._streams is not None:
            with contextlib.suppress(OSError):
                self._streams[1].close()
            self._streams = None


def request(
    method: str,
    path: str,
    token: str,
    body: bytes | None = None,
    media_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """A request of the device that holds this token."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {token}"]
    if body is not None:
        lines += [f"Content-Type: {media_type}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + (body or b"")


async def _read(reader: asyncio.StreamReader) -> Answer:
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head[9:12])
    length = None if status in _NO_BODY else _number(_LENGTH, head)
    return Answer(status, head, await reader.readexactly(length) if length else b"")


def _number(pattern: re.Pattern[bytes], head: bytes) -> int | None:
    found = pattern.search(head)
    return int(found[1]) if found else None
