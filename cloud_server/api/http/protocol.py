"""HTTP/1.1 on one connection: uvicorn's protocol with counting and limits. The one door to it and to its parser.

uvicorn's protocol is the only place that sees header bytes, chunk framing and the bytes of answers that uvicorn
writes itself, so it is subclassed here. It also enforces what an ASGI application cannot: how long a request's head
may take and how long it may be, what may follow a body, how many requests may wait for one answer, and that a body
which nobody will read does not cut off the answer. docs/adr/0016-one-door-to-uvicorns-protocol.md says why.

HTTP is all that is spoken here. The parser (llhttp) takes a request that offers to speak something else (`Upgrade`)
for the end of HTTP: it gives out no body, and whoever goes on with it takes the body for the next request. So the
head of such a request is parsed again without the offer, and then whatever came behind it (RFC 9110 7.8: a server may
ignore the offer).
"""

import asyncio
import functools
from collections.abc import Callable
from typing import Any, cast

import structlog
from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from cloud_server.api.http.connection_places import Held, Waiting
from cloud_server.api.http.deadline import Deadline
from cloud_server.api.http.exchange import Exchange
from cloud_server.api.http.exchange_queue import ExchangeQueue
from cloud_server.api.http.limits import (
    FIRST_REQUEST_SECONDS,
    GIVE_WAY_SECONDS,
    HEAD_MAX_BYTES,
    PIPELINED_MAX,
    REST_MAX_SECONDS,
    HttpLimits,
)
from cloud_server.api.http.raw_answer import raw_answer
from cloud_server.api.http.request_id import instance_of, new_request_id
from cloud_server.api.http.transport import LingeringTransport
from shared.wire import Problem, ProblemCode

TURNED_AWAY = "turned-away"
"""The route of a connection that was one too many."""
MADE_ROOM = "made-room"
"""The route of a request whose connection was closed for another one before all of it was here, or its answer read."""
_log = structlog.get_logger()


def metered_protocol(
    meter: Callable[[Exchange], None], limits: HttpLimits, is_leaving: Callable[[], bool]
) -> type[asyncio.Protocol]:
    """What uvicorn's `Config(http=...)` takes: the protocol, told where to report and when to announce the end.

    Every frame has an answer 204, whose words nobody reads: its line goes without them (RFC 9112 4), 10 bytes less.
    """
    STATUS_LINE[204] = b"HTTP/1.1 204 \r\n"
    return cast(type[asyncio.Protocol], functools.partial(MeteredProtocol, meter, limits, is_leaving))


class MeteredProtocol(HttpToolsProtocol):
    """HTTP/1.1 that reports each exchange once, and keeps each connection within its limits.

    Attributes:
        predecessor: what had the connection's place before, if anything.
    """

    def __init__(
        self,
        meter: Callable[[Exchange], None],
        limits: HttpLimits,
        is_leaving: Callable[[], bool],
        **uvicorn_arguments: Any,
    ) -> None:
        super().__init__(**uvicorn_arguments)
        self._limits = limits
        self._is_leaving = is_leaving
        self._exchanges = ExchangeQueue(limits.bodies, meter)
        self._is_in_body = False
        self._is_refused = False
        self._is_unread = False
        self._waiting: Waiting | None = Waiting.REQUEST
        self.predecessor: Held | None = None
        self._unknown_host: bytes | None = None
        self._head_bytes = 0
        self._header_bytes = 0
        self._head_deadline = Deadline(self.loop, limits.head_max_seconds, self._drop)
        self._rest_deadline = Deadline(self.loop, REST_MAX_SECONDS, self._drop)
        self._write_deadline = Deadline(self.loop, limits.write_max_seconds, self._drop)

    # What the event loop calls.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        lingering = LingeringTransport(transport, self, self._limits.write_max_seconds)
        super().connection_made(cast(asyncio.Transport, lingering))
        if self.predecessor is not None:
            self._limits.places.hand_over(self.predecessor, self)
        if not self._limits.places.take(self, self.client[0] if self.client else ""):
            self._turn_away()
            return
        self._head_deadline.start()

    def connection_lost(self, exc: Exception | None) -> None:
        for deadline in (self._head_deadline, self._rest_deadline, self._write_deadline):
            deadline.stop()
        super().connection_lost(exc)
        self._limits.places.leave(self)
        self._exchanges.lose()

    def data_received(self, data: bytes) -> None:
        self._exchanges.open().received_bytes += len(data)
        if self._is_refused or self.transport.is_closing():
            return
        self._head_bytes += len(data)  # a trailer's, too: the parser keeps one that does not end
        self._unset_keepalive_if_required()
        self._parse(data)
        if self._exchanges.arriving is not None:
            self._limit_head()
        self._note_waiting()

    def pause_writing(self) -> None:
        """The peer does not read: it gets `write_max_seconds` to begin again."""
        super().pause_writing()
        self._write_deadline.start()
        self._is_unread = True
        self._note_waiting()

    def resume_writing(self) -> None:
        """The peer reads again."""
        self._write_deadline.stop()
        self._is_unread = False
        self._note_waiting()
        super().resume_writing()

    # What the parser calls.

    def on_message_begin(self) -> None:
        if len(self._exchanges) >= PIPELINED_MAX and not self._exchanges.has_begun:
            raise ValueError("too many requests at once")  # the parser gives up, and the line ends after the answers
        self._header_bytes = 0
        exchange = self._exchanges.begin_request()
        exchange.abort = self.transport.abort
        super().on_message_begin()
        self.scope["state"]["exchange"] = exchange

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, without the space and tabs behind its value, which are no part of it (RFC 9110 5.5).

        What comes behind a chunked body is a trailer: nobody asked for those, so they are dropped.
        """
        self._header_bytes += len(name) + len(value)
        if self._header_bytes > HEAD_MAX_BYTES:
            raise ValueError("too many headers")
        if not self._is_in_body:
            super().on_header(name, value.rstrip(b" \t"))
            lowered = self.headers[-1][0]
            if lowered == b"transfer-encoding":
                self._require_plain_chunks(value)
            elif lowered == b"host":
                self._require_own_name(self.headers[-1][1])

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade():
            return  # the parser stops behind this head; `_decline` goes on
        self._is_in_body = True
        self._head_bytes = 0
        self._head_deadline.stop()
        super().on_headers_complete()
        if self._is_leaving():
            self.announce_leaving()

    def on_body(self, body: bytes) -> None:
        self._head_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        super().on_message_complete()
        self._is_in_body = False
        self._head_bytes = 0
        self._rest_deadline.stop()
        self._exchanges.end_request()

    # What uvicorn calls.

    def on_response_complete(self) -> None:
        if self._exchanges.end_answer():
            self._rest_deadline.start()
        super().on_response_complete()
        self._note_waiting()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP with a problem document, as everything else is answered; read no more."""
        self._is_refused = True
        if self._exchanges.arriving is not None:
            self._exchanges.arriving.route = "malformed"
        if self._exchanges.has_earlier:
            self.cycle.keep_alive = False  # the requests before it get their answers first, then the line ends
            return
        if self._is_in_body and not self._exchanges.has_begun:
            self.transport.close()  # it was answered before its body was here, and one request gets one answer
            return
        if self._unknown_host is None:
            self._refuse("request-refused", ProblemCode.BAD_REQUEST, msg)
        else:
            self._refuse("request-refused", ProblemCode.MISDIRECTED, self._misdirected(self._unknown_host))

    # What the listener and the transport call.

    def announce_leaving(self) -> None:
        """Close the connection after the answer to the newest request that has begun to arrive."""
        if self.cycle is not None:
            self.cycle.keep_alive = False

    def shutdown(self) -> None:
        """Close the connection as soon as nobody can still expect an answer on it."""
        if self._is_unused:
            self.loop.call_later(FIRST_REQUEST_SECONDS, self._close_if_unused)
        elif self._exchanges.arriving is None or self._is_in_body:
            super().shutdown()

    def give_way(self) -> None:
        """Close, for another connection: at once where a request or its answer is cut off by it."""
        if self._waiting is Waiting.REQUEST:
            self.transport.close()
            self.loop.call_later(GIVE_WAY_SECONDS, self._drop)
        else:
            self._exchanges.oldest().route = MADE_ROOM
            self._drop()

    def count_sent(self, size: int) -> None:
        """Count `size` bytes that were written."""
        self._exchanges.count_sent(size)

    @property
    def has_unread_body(self) -> bool:
        """Whether the peer is still sending what nobody will answer."""
        return self._exchanges.arriving is not None or self._is_refused

    @property
    def _is_unused(self) -> bool:
        return self.cycle is None and self._exchanges.arriving is None

    def _note_waiting(self) -> None:
        """Tell what the peer keeps us waiting with, if that has changed."""
        waiting = self._waits_for()
        if waiting is not self._waiting:
            self._waiting = waiting
            self._limits.places.note(self, waiting)

    def _waits_for(self) -> Waiting | None:
        """What the connection waits for that is the peer's to give; None: a whole request waits for its answer."""
        if self._is_unread or self._is_in_body:
            return Waiting.PEER
        if self._exchanges.has_earlier:
            return None
        return Waiting.REQUEST if self._exchanges.arriving is None else Waiting.HEAD

    def _close_if_unused(self) -> None:
        if self._is_unused:
            self.transport.close()

    def _require_own_name(self, host: bytes) -> None:
        """Refuse a request that is for another server, or that says twice for which one."""
        if self._times(b"host") > 1:
            raise ValueError("more than one Host header")
        if not self._limits.hosts.accepts(host):
            self._unknown_host = host
            raise ValueError("not a name of ours")

    def _require_plain_chunks(self, codings: bytes) -> None:
        """Refuse a body of any transfer coding but `chunked`, once: nobody here would undo it (RFC 9112 6.1).

        The parser minds a tab behind the coding, and only after the request was given to the application.
        """
        if self._times(b"transfer-encoding") > 1 or codings.rstrip(b" ").lower() != b"chunked":
            raise ValueError("a transfer coding that is not chunked alone")

    def _times(self, lowered: bytes) -> int:
        """How often the head has had a header so far."""
        return sum(name == lowered for name, _ in self.headers)

    def _parse(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except HttpParserUpgrade as stop:
            self._decline(data[stop.args[0] :])
        except HttpParserError:
            self.send_400_response("this is no HTTP/1.1 request, or one whose length parsers may disagree on")

    def _decline(self, rest: bytes) -> None:
        """Go on with a request whose head offered another protocol; `rest` came behind that head.

        CONNECT is refused: what follows its head is a tunnel's, by whatever rules, and this is no proxy.
        """
        method = self.parser.get_method()
        if method == b"CONNECT":
            self.send_400_response("this is no proxy: it opens no tunnels")
            return
        version = self.parser.get_http_version().encode()
        lines = [b"%b %b HTTP/%b" % (method, self.url, version)]
        lines += [b"%b: %b" % header for header in self.headers if header[0] != b"upgrade"]
        self.parser = HttpRequestParser(self)  # the other one may take the connection for ended
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn sets it
        self._parse(b"\r\n".join([*lines, b"", rest]))

    def _turn_away(self) -> None:
        """Refuse a connection that is one too many before anything of it is read."""
        self.connections.discard(self)
        self._is_refused = True
        self._exchanges.open().route = TURNED_AWAY
        detail = f"{len(self._limits.places)} connections are open"
        self._refuse("connection-refused", ProblemCode.QUEUE_FULL, detail, "retry-after: 1\r\n")

    def _misdirected(self, host: bytes) -> str:
        name = str(host[:64], "latin-1")
        variable = f"DCTWIRE_SERVER_{self._limits.hosts.setting.upper()}"
        return f"the server is not called {name!r} here; name it in {variable} if it is"

    def _limit_head(self) -> None:
        """Refuse a head, a trailer or a chunk's extensions that are too long; give a head its time to arrive."""
        if self._head_bytes > HEAD_MAX_BYTES and not self._is_refused:
            part = "trailers and chunk framing have" if self._is_in_body else "a request's head has"
            self.send_400_response(f"{part} at most {HEAD_MAX_BYTES} bytes")
        elif not self._head_deadline.is_running and not self._is_in_body:
            self._head_deadline.start()

    def _refuse(self, event: str, code: ProblemCode, detail: str, headers: str = "") -> None:
        """Answer without an application, and end the connection; `event` is the log line's."""
        request_id = new_request_id()
        client = self.client[0] if self.client else ""
        _log.warning(event, status=code.status, code=code, detail=detail, request_id=request_id, client=client)
        self.transport.write(raw_answer(Problem.of(code, detail, instance_of(request_id)), headers))
        self.transport.close()

    def _drop(self) -> None:
        self.transport.abort()
