"""One HTTP exchange as the socket saw it, and the protocol class that counts it.

uvicorn's protocol is the only place that sees header bytes, chunk framing and the bytes of answers that uvicorn
writes itself, so it is subclassed there. It also enforces what an ASGI application cannot: how long a request's
head may take and how long it may be, and that a body which nobody will read does not cut off the answer.
"""

import asyncio
import functools
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, cast

import structlog
from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from cloud_server.api.request_id import instance_of, new_request_id
from cloud_server.metrics import Payload
from shared.wire import PROBLEM_MEDIA_TYPE, Problem, ProblemCode

HEAD_MAX_BYTES = 32 << 10
LINGER_SECONDS = 1.0
FIRST_REQUEST_SECONDS = 1.0
"""How long a connection on which nothing was asked yet may stay when the server leaves."""
_log = structlog.get_logger()


@dataclass(slots=True)
class Exchange:
    """A request and its answer: bytes as the socket saw them, and what the application made of them."""

    route: str = "other"
    received_bytes: int = 0
    sent_bytes: int = 0
    payload: Payload | None = None
    started: float = field(default_factory=perf_counter)
    abort: Callable[[], None] = field(default=lambda: None)


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """How long a request's head may take."""

    head_max_seconds: float


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
        self._limits = limits
        self._is_leaving = is_leaving
        self._unanswered: deque[Exchange] = deque()
        self._arriving: Exchange | None = None
        self._is_in_body = False
        self._is_refused = False
        self._head_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(cast(asyncio.Transport, _CountedTransport(transport, self)))
        self._head_timer = self.loop.call_later(self._limits.head_max_seconds, self._drop_slow_head)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_head_timer()
        super().connection_lost(exc)
        if self._arriving is not None and self._arriving not in self._unanswered:
            self._meter(self._arriving)
        while self._unanswered:
            self._meter(self._unanswered.popleft())

    def data_received(self, data: bytes) -> None:
        if self._arriving is None:
            self._arriving = Exchange()
        self._arriving.received_bytes += len(data)
        if self._is_refused or self.transport.is_closing():
            return
        if not self._is_in_body:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._arriving is not None and not self._is_in_body:
            self._limit_head()

    def on_message_begin(self) -> None:
        self._arriving = exchange = self._arriving or Exchange()
        exchange.abort = self.transport.abort
        self._unanswered.append(exchange)
        super().on_message_begin()
        self.scope["state"]["exchange"] = exchange

    def on_headers_complete(self) -> None:
        self._is_in_body = True
        self._head_bytes = 0
        self._stop_head_timer()
        super().on_headers_complete()
        if self._is_leaving():
            self.announce_leaving()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._is_in_body = False
        arrived, self._arriving = self._arriving, None
        if arrived is not None and arrived not in self._unanswered:
            self._meter(arrived)

    def on_response_complete(self) -> None:
        answered = self._unanswered.popleft()
        if answered is not self._arriving:
            self._meter(answered)
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
        request_id = new_request_id()
        _log.warning("refused", status=400, code=ProblemCode.BAD_REQUEST, detail=msg, request_id=request_id)
        problem = Problem.of(ProblemCode.BAD_REQUEST, msg, instance_of(request_id)).model_dump_json().encode()
        head = (
            f"HTTP/1.1 400 Bad Request\r\ncontent-type: {PROBLEM_MEDIA_TYPE}\r\n"
            f"content-length: {len(problem)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + problem)
        self.transport.close()

    def count_sent(self, size: int) -> None:
        """Bytes were written for the exchange that is being answered."""
        exchange = self._unanswered[0] if self._unanswered else self._arriving
        if exchange is not None:
            exchange.sent_bytes += size

    @property
    def has_unread_body(self) -> bool:
        """Whether the peer is still sending a request that has its answer."""
        return self._arriving is not None

    def _limit_head(self) -> None:
        if self._head_bytes > HEAD_MAX_BYTES and not self._is_refused:
            self.send_400_response(f"a request's head has at most {HEAD_MAX_BYTES} bytes")
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(self._limits.head_max_seconds, self._drop_slow_head)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _close_if_unused(self) -> None:
        if self.cycle is None and self._arriving is None:
            self.transport.close()

    def _drop_slow_head(self) -> None:
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
            self._transport.close()
            return
        self._is_lingering = True
        self._transport.write_eof()
        self._transport.resume_reading()
        self._protocol.loop.call_later(LINGER_SECONDS, self._transport.close)
