"""The handshake before HTTP: a connection takes a place, gets so long to agree on TLS, and is HTTP's from then on.

Connections are accepted here, one by one: asyncio's servers tell nobody of a connection before its handshake is over,
so that nobody could count those that never finish one.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from typing import Any

import structlog

from cloud_server.api.http.exchange import Exchange
from cloud_server.api.http.limits import HttpLimits
from cloud_server.api.http.protocol import TURNED_AWAY, MeteredProtocol

NO_TLS = "no-tls"
"""The route of a connection on which no TLS came about."""
SHUTDOWN_SECONDS = 1.0
"""How long a peer may take to confirm the end of TLS."""
AT_ONCE = 64
"""Connections that are accepted before anything else is done."""
NO_FILES_SECONDS = 0.5
"""How long nothing is accepted once the process has no file descriptor left."""
Meter = Callable[[Exchange], None]
_log = structlog.get_logger()


class TlsDoor:
    """Accepts a listener's connections, and gives each its handshake. Lives on the event loop.

    Args:
        listening: a listening socket.
        context: the server's side of TLS as it is now; asked for at each connection.
        meter: told of each connection that became none of HTTP's.
    """

    def __init__(
        self, listening: socket.socket, context: Callable[[], ssl.SSLContext], limits: HttpLimits, meter: Meter
    ) -> None:
        self._listening = listening
        self._context = context
        self._limits = limits
        self._meter = meter
        self._make: Callable[[], MeteredProtocol]
        self.handshakes: set[Handshake] = set()
        self.is_leaving = False

    def open(self, make: Callable[[], MeteredProtocol]) -> None:
        """Accept connections from now on; `make` makes each one's protocol of HTTP."""
        self._make = make
        self._listening.setblocking(False)
        asyncio.get_running_loop().add_reader(self._listening, self._accept_some)

    def close(self) -> None:
        """Accept no more, but those that wait already; their handshakes, and those under way, go on."""
        self.is_leaving = True
        asyncio.get_running_loop().remove_reader(self._listening)
        with contextlib.suppress(OSError):
            while True:
                self._admit(*self._listening.accept())
        self._listening.close()

    def abort(self) -> None:
        """End every handshake that is under way."""
        for handshake in tuple(self.handshakes):
            handshake.give_way()

    def _accept_some(self) -> None:
        try:
            for _ in range(AT_ONCE):
                self._admit(*self._listening.accept())
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError as error:  # no file descriptor is left; the connection waits in the kernel's queue
            _log.error("connection-not-accepted", error=str(error))
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._listening)
            loop.call_later(NO_FILES_SECONDS, self._accept_again)

    def _accept_again(self) -> None:
        if not self.is_leaving:
            asyncio.get_running_loop().add_reader(self._listening, self._accept_some)

    def _admit(self, connection: socket.socket, address: Any) -> None:
        connection.setblocking(False)
        handshake = Handshake()
        if not self._limits.places.take(handshake, address[0]):
            connection.close()
            self._meter(Exchange(self._limits.bodies, TURNED_AWAY))
            return
        self.handshakes.add(handshake)
        handshake.task = asyncio.get_running_loop().create_task(self._agree(handshake, connection))
        handshake.task.add_done_callback(lambda task: self._end(handshake, connection, task))

    async def _agree(self, handshake: "Handshake", connection: socket.socket) -> MeteredProtocol:
        """Have TLS agreed on. The protocol that takes over is given the handshake's place when it is."""
        protocol = self._make()
        protocol.predecessor = handshake
        await asyncio.get_running_loop().connect_accepted_socket(
            lambda: protocol,
            connection,
            ssl=self._context(),
            ssl_handshake_timeout=self._limits.head_max_seconds,
            ssl_shutdown_timeout=SHUTDOWN_SECONDS,
        )
        return protocol

    def _end(self, handshake: "Handshake", connection: socket.socket, task: "asyncio.Task[MeteredProtocol]") -> None:
        self.handshakes.discard(handshake)
        self._limits.places.leave(handshake)
        if not task.cancelled() and task.exception() is None:
            if self.is_leaving:
                task.result().shutdown()
            return
        connection.close()
        self._meter(Exchange(self._limits.bodies, NO_TLS))


class Handshake:
    """A connection on which TLS is not agreed on yet; as idle as one on which nothing was asked."""

    task: "asyncio.Task[MeteredProtocol]"

    def give_way(self) -> None:
        """Close: the place is another one's now."""
        self.task.cancel()
