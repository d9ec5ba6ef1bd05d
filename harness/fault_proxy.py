"""A reverse proxy that stands between devices and their server and does to replies what a network or an attacker does.

It speaks HTTP/1.1 to both sides, one connection to the server a request. Without rules it only forwards and notes.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from harness.faults import WITHOUT_BODY, Exchange, Fault, ProxiedReply, ProxiedRequest

HEAD_LIMIT_BYTES = 65_536
START_SECONDS = 10.0
SERVER_SECONDS = 60.0


@dataclass
class Rule:
    """A fault for the requests of a method (any, where it is "") whose path begins so; `times` is how often still."""

    method: str
    path: str
    fault: Fault
    times: float

    def fits(self, request: ProxiedRequest) -> bool:
        """Whether it is for this request."""
        return self.times > 0 and self.method in ("", request.method) and request.path.startswith(self.path)


class FaultProxy:
    """Start with `with`. Its loop runs in a thread of its own; every method may be called from any thread."""

    def __init__(self, server_url: str) -> None:
        """Prepare a proxy to the server at `server_url`, an http URL without a path."""
        url = urlsplit(server_url)
        self._server_address = (url.hostname or "127.0.0.1", url.port or 80)
        self._changed = threading.Condition()
        self._requests: list[ProxiedRequest] = []
        self._first_replies: dict[tuple[str, str], ProxiedReply] = {}
        self._rules: list[Rule] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault-proxy")
        self._is_down = False
        self._port = 0

    @property
    def url(self) -> str:
        """Where devices find it."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def requests(self) -> list[ProxiedRequest]:
        """Every request that came so far, in their order."""
        with self._changed:
            return list(self._requests)

    def asked(self, path: str, method: str = "") -> list[ProxiedRequest]:
        """The requests whose path begins so."""
        return [
            request for request in self.requests if request.path.startswith(path) and method in ("", request.method)
        ]

    def add(self, path: str, fault: Fault, *, method: str = "", times: float = float("inf")) -> Rule:
        """Do this to requests whose path begins so, the next `times` times. A later rule goes before an earlier one."""
        rule = Rule(method, path, fault, times)
        with self._changed:
            self._rules.insert(0, rule)
        return rule

    def remove(self, *rules: Rule) -> None:
        """Take rules back; without arguments, all of them."""
        with self._changed:
            self._rules = [rule for rule in self._rules if rules and rule not in rules]

    def go_down(self) -> None:
        """Break every connection, and every new one before it asks anything, until `come_up`."""
        with self._changed:
            self._is_down = True
        self._loop.call_soon_threadsafe(self._break_connections)

    def come_up(self) -> None:
        """Be there again."""
        with self._changed:
            self._is_down = False

    def until(self, condition: Callable[[], bool], seconds: float = 30.0) -> None:
        """Wait until a request makes `condition` true.

        Raises:
            AssertionError: none did in time.
        """
        with self._changed:
            assert self._changed.wait_for(condition, seconds), f"the condition did not come true within {seconds:g} s"

    def __enter__(self) -> Self:
        self._thread.start()
        starting = asyncio.run_coroutine_threadsafe(self._listen(), self._loop)
        self._port = starting.result(START_SECONDS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(START_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self) -> int:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=HEAD_LIMIT_BYTES)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def _close(self) -> None:
        self._server.close()
        tasks = list(self._tasks)
        self._break_connections()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _break_connections(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while not self._is_down and await self._serve(reader, writer):
                    pass
        finally:
            self._tasks.discard(task)
            writer.transport.abort() if self._is_down else writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        request = await _read_request(reader)
        fault, earlier = self._note(request)

        async def forward() -> ProxiedReply:
            return await self._forward(request)

        exchange = Exchange(request, forward, earlier, reader, writer)
        if fault is not None:
            return await fault(exchange)
        await exchange.send((await forward()).to_bytes())
        return True

    def _note(self, request: ProxiedRequest) -> tuple[Fault | None, ProxiedReply | None]:
        with self._changed:
            self._requests.append(request)
            rule = next((rule for rule in self._rules if rule.fits(request)), None)
            if rule is not None:
                rule.times -= 1
            self._changed.notify_all()
            return None if rule is None else rule.fault, self._first_replies.get((request.method, request.path))

    async def _forward(self, request: ProxiedRequest) -> ProxiedReply:
        async with asyncio.timeout(SERVER_SECONDS):
            reader, writer = await asyncio.open_connection(*self._server_address, limit=HEAD_LIMIT_BYTES)
            try:
                writer.write(_request_bytes(request))
                reply = await _read_reply(reader)
            finally:
                writer.close()
        with self._changed:
            self._first_replies.setdefault((request.method, request.path), reply)
            self._changed.notify_all()
        return reply


async def _read_request(reader: asyncio.StreamReader) -> ProxiedRequest:
    first, headers = _head(await reader.readuntil(b"\r\n\r\n"))
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    method, path, _ = first.split(" ", 2)
    return ProxiedRequest(method, path, headers, body, time.monotonic())


async def _read_reply(reader: asyncio.StreamReader) -> ProxiedReply:
    first, headers = _head(await reader.readuntil(b"\r\n\r\n"))
    status = int(first.split(" ", 2)[1])
    is_empty = status in WITHOUT_BODY
    return ProxiedReply(status, headers, b"" if is_empty else await reader.readexactly(int(headers["content-length"])))


def _head(data: bytes) -> tuple[str, dict[str, str]]:
    """The first line, and the headers by their names in lower case."""
    first, *lines = data.decode("latin-1").rstrip("\r\n").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return first, {name.lower(): value.strip() for name, _, value in pairs}


def _request_bytes(request: ProxiedRequest) -> bytes:
    lines = [
        f"{request.method} {request.path} HTTP/1.1",
        *(f"{name}: {value}" for name, value in request.headers.items()),
    ]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + request.body
