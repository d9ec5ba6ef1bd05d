"""One HTTP exchange as the socket saw it, and the protocol class that counts it.

uvicorn's protocol is the only place that sees header bytes, chunk framing and the bytes of answers that uvicorn
writes itself, so it is subclassed there. It also enforces what an ASGI application cannot: how long a request's
head may take and how long it may be, what may follow a body, how many requests may wait for one answer, and that a
body which nobody will read does not cut off the answer.
"""

import asyncio
import functools
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, TypeVar, cast

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from cloud_server.api.http.request_id import instance_of, new_request_id
from cloud_server.errors import QueueFullError
from cloud_server.metrics import Payload
from shared.wire import PROBLEM_MEDIA_TYPE, Problem, ProblemCode

HEAD_MAX_BYTES = 32 << 10
PIPELINED_MAX = 16
"""Requests of one connection that may wait for their answers; nobody who waits for answers needs more."""
LINGER_SECONDS = 1.0
FIRST_REQUEST_SECONDS = 1.0
"""How long a connection on which nothing was asked yet may stay when the server leaves."""
REST_MAX_SECONDS = 10.0
"""How long the rest of a body may take that was answered before it was read."""
TURNED_AWAY = "turned-away"
"""The route of a connection that was one too many."""
T = TypeVar("T")
_log = structlog.get_logger()


class BodyMemory:
    """The memory that request bodies may take, all together, from their first byte to their answer."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self.held_bytes = 0

    def check(self, size: int) -> None:
        """Whether there is room for so many more bytes.

        Raises:
            QueueFullError: no.
        """
        if self.held_bytes + size > self._max_bytes:
            raise QueueFullError(f"requests of {self.held_bytes} bytes are being answered")

    def take(self, size: int) -> None:
        """Hold so many more; raises as `check`."""
        self.check(size)
        self.held_bytes += size

    def give_back(self, size: int) -> None:
        """Hold so many less."""
        self.held_bytes -= size


class SlowBodyError(ClientDisconnect):
    """The body took too long to arrive; the connection was cut, there is nobody left to answer."""


@dataclass(slots=True, eq=False)
class Exchange:
    """A request and its answer: bytes as the socket saw them, and what the application made of them.

    `frames` is the number of frames in the request; 0 until its body is read.
    """

    bodies: BodyMemory
    route: str = "other"
    received_bytes: int = 0
    sent_bytes: int = 0
    payload: Payload | None = None
    frames: int = 0
    started: float = field(default_factory=perf_counter)
    abort: Callable[[], None] = field(default=lambda: None)
    held_bytes: int = 0
    _is_slow: bool = False
    _task: asyncio.Task[Any] | None = None
    _is_lost: bool = False

    def hold(self, size: int) -> None:
        """Hold so many more bytes in memory until the answer is out.

        Raises:
            QueueFullError: all requests together hold as many as they may.
        """
        self.bodies.take(size)
        self.held_bytes += size

    async def while_connected(self, work: Coroutine[Any, Any, T]) -> T:
        """Do this, and stop when the client is gone.

        Raises:
            SlowBodyError, ClientDisconnect: it is.
        """
        self._task = asyncio.current_task()
        try:
            return await work
        except asyncio.CancelledError:
            if self._task is None or not self._is_lost:
                raise
            self._task.uncancel()
            raise self.disconnection() from None
        finally:
            self._task = None

    def cut_off(self) -> None:
        """End the connection: the body takes too long to arrive."""
        self._is_slow = True
        self.abort()

    def disconnection(self) -> ClientDisconnect:
        """Why there is nobody left to answer."""
        return SlowBodyError() if self._is_slow else ClientDisconnect()

    def lose(self) -> None:
        """The client is gone."""
        self._is_lost = True
        if self._task is not None:
            self._task.cancel()


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """How long a head may take to arrive and answers to leave, how many connections there may be, and their bodies."""

    head_max_seconds: float
    write_max_seconds: float
    connections_max: int
    bodies: BodyMemory


def exchange_of(scope: Scope) -> Exchange:
    """The exchange this ASGI scope belongs to."""
    exchange: Exchange = scope["state"]["exchange"]
    return exchange


def metered_protocol(
    meter: Callable[[Exchange], None], limits: HttpLimits, is_leaving: Callable[[], bool]
) -> type[asyncio.Protocol]:
    """What uvicorn's `Config(http=...)` takes: the counting protocol, told where to report and when to say goodbye."""
    return cast(type[asyncio.Protocol], functools.partial(MeteredProtocol, meter, limits, is_leaving))


class MeteredProtocol(HttpToolsProtocol):
    """HTTP/1.1 that counts. An exchange is reported once, when its request and its answer are both complete.

    A client that pipelines may put two requests into one segment; the segment is then counted whole with the first.
    """

    def __init__(
        self,
        meter: Callable[[Exchange], None],
        limits: HttpLimits,
        is_leaving: Callable[[], bool],
        **uvicorn_arguments: Any,
    ) -> None:
        super().__init__(**uvicorn_arguments)
        self._meter = meter
        self.limits = limits
        self._is_leaving = is_leaving
        self._unanswered: deque[Exchange] = deque()
        self._arriving: Exchange | None = None
        self._is_in_body = False
        self._is_refused = False
        self._head_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None
        self._rest_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self._header_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(cast(asyncio.Transport, _CountedTransport(transport, self)))
        if len(self.connections) > self.limits.connections_max:
            self._turn_away()
            return
        self._head_timer = self.loop.call_later(self.limits.head_max_seconds, self._drop)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_head_timer()
        self._stop_write_timer()
        self._stop_rest_timer()
        super().connection_lost(exc)
        if self._arriving is not None and self._arriving not in self._unanswered:
            self._report(self._arriving)
        for exchange in self._unanswered:
            exchange.lose()
        while self._unanswered:
            self._report(self._unanswered.popleft())

    def data_received(self, data: bytes) -> None:
        if self._arriving is None:
            self._arriving = Exchange(self.limits.bodies)
        self._arriving.received_bytes += len(data)
        if self._is_refused or self.transport.is_closing():
            return
        self._head_bytes += len(data)  # a trailer's, too: the parser keeps one that does not end
        super().data_received(data)
        if self._arriving is not None:
            self._limit_head()

    def pause_writing(self) -> None:
        """The peer does not read: it gets time to begin, not for ever."""
        super().pause_writing()
        self._write_timer = self.loop.call_later(self.limits.write_max_seconds, self._drop)

    def resume_writing(self) -> None:
        """The peer reads again."""
        self._stop_write_timer()
        super().resume_writing()

    def on_message_begin(self) -> None:
        if len(self._unanswered) >= PIPELINED_MAX:
            raise ValueError("too many requests at once")  # the parser gives up, and the line ends after the answers
        self._header_bytes = 0
        self._arriving = exchange = self._arriving or Exchange(self.limits.bodies)
        exchange.abort = self.transport.abort
        self._unanswered.append(exchange)
        super().on_message_begin()
        self.scope["state"]["exchange"] = exchange

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header or, behind a chunked body, a trailer: those nobody asked for, and they would have no end."""
        self._header_bytes += len(name) + len(value)
        if self._header_bytes > HEAD_MAX_BYTES:
            raise ValueError("too many headers")
        if not self._is_in_body:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._is_in_body = True
        self._head_bytes = 0
        self._stop_head_timer()
        super().on_headers_complete()
        if self._is_leaving():
            self.announce_leaving()

    def on_body(self, body: bytes) -> None:
        self._head_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._is_in_body = False
        self._head_bytes = 0
        self._stop_rest_timer()
        arrived, self._arriving = self._arriving, None
        if arrived is not None and arrived not in self._unanswered:
            self._report(arrived)

    def on_response_complete(self) -> None:
        answered = self._unanswered.popleft()
        if answered is not self._arriving:
            self._report(answered)
        else:
            self._rest_timer = self.loop.call_later(REST_MAX_SECONDS, self._drop)
        super().on_response_complete()

    def announce_leaving(self) -> None:
        """Close the connection after the answer to the newest request that has begun to arrive."""
        if self.cycle is not None:
            self.cycle.keep_alive = False

    def shutdown(self) -> None:
        """Close the connection as soon as nobody can still expect an answer on it."""
        is_fresh = self.cycle is None and self._arriving is None
        if is_fresh:
            self.loop.call_later(FIRST_REQUEST_SECONDS, self._close_if_unused)
        elif self._arriving is None or self._is_in_body:
            super().shutdown()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP with a problem document, as everything else is answered; read no more."""
        self._is_refused = True
        if self._arriving is not None:
            self._arriving.route = "malformed"
        if any(exchange is not self._arriving for exchange in self._unanswered):
            self.cycle.keep_alive = False  # the requests before it get their answers first, then the line ends
            return
        self._refuse("400 Bad Request", ProblemCode.BAD_REQUEST, msg)

    def count_sent(self, size: int) -> None:
        """Bytes were written for the exchange that is being answered."""
        exchange = self._unanswered[0] if self._unanswered else self._arriving
        if exchange is not None:
            exchange.sent_bytes += size

    @property
    def has_unread_body(self) -> bool:
        """Whether the peer is still sending what nobody will answer."""
        return self._arriving is not None or self._is_refused

    def _turn_away(self) -> None:
        """Too many connections: say so before anything is read."""
        self.connections.discard(self)
        self._is_refused = True
        self._arriving = Exchange(self.limits.bodies, TURNED_AWAY)
        detail = f"{self.limits.connections_max} connections are open"
        self._refuse("503 Service Unavailable", ProblemCode.QUEUE_FULL, detail, "retry-after: 1\r\n")

    def _refuse(self, status: str, code: ProblemCode, detail: str, headers: str = "") -> None:
        """Answer without an application, and end the connection."""
        request_id = new_request_id()
        client = self.client[0] if self.client else ""
        _log.warning("refused", status=code.status, code=code, detail=detail, request_id=request_id, client=client)
        body = Problem.of(code, detail, instance_of(request_id)).model_dump_json().encode()
        head = (
            f"HTTP/1.1 {status}\r\ncontent-type: {PROBLEM_MEDIA_TYPE}\r\n{headers}"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()

    def _report(self, exchange: Exchange) -> None:
        self.limits.bodies.give_back(exchange.held_bytes)
        self._meter(exchange)

    def _limit_head(self) -> None:
        if self._head_bytes > HEAD_MAX_BYTES and not self._is_refused:
            part = "what surrounds a body's pieces" if self._is_in_body else "a request's head"
            self.send_400_response(f"{part} has at most {HEAD_MAX_BYTES} bytes")
        elif self._head_timer is None and not self._is_in_body:
            self._head_timer = self.loop.call_later(self.limits.head_max_seconds, self._drop)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _close_if_unused(self) -> None:
        if self.cycle is None and self._arriving is None:
            self.transport.close()

    def _stop_rest_timer(self) -> None:
        if self._rest_timer is not None:
            self._rest_timer.cancel()
            self._rest_timer = None

    def _stop_write_timer(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def _drop(self) -> None:
        self.transport.abort()


class _CountedTransport:
    """The transport as uvicorn uses it, counting writes, and closing without cutting off an answer.

    Closing a socket with unread bytes in it resets the connection, and the reset may overtake the answer. So when
    the peer is still sending, only our half is closed, and the rest is read and dropped for a moment.
    """

    def __init__(self, transport: asyncio.Transport, protocol: MeteredProtocol) -> None:
        self._transport = transport
        self._protocol = protocol
        self._is_lingering = False
        self.pause_reading = transport.pause_reading
        self.resume_reading = transport.resume_reading
        self.get_extra_info = transport.get_extra_info
        self.abort = transport.abort

    def write(self, data: bytes) -> None:
        if self._is_lingering:
            return  # as a closed transport does
        self._protocol.count_sent(len(data))
        self._transport.write(data)

    def is_closing(self) -> bool:
        return self._is_lingering or self._transport.is_closing()

    def close(self) -> None:
        if self._is_lingering:
            return
        if not self._protocol.has_unread_body or self._transport.is_closing():
            self._end()
            return
        self._is_lingering = True
        self._transport.write_eof()
        self._transport.resume_reading()
        self._protocol.loop.call_later(LINGER_SECONDS, self._end)

    def _end(self) -> None:
        """Close; a peer that does not read the rest has it only so long."""
        self._transport.close()
        if self._transport.get_write_buffer_size():
            self._protocol.loop.call_later(self._protocol.limits.write_max_seconds, self._transport.abort)
