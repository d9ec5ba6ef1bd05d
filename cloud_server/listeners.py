"""Three listeners on one event loop: started together, drained in order."""

import asyncio
import contextlib
import resource
import socket
import ssl
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp

from cloud_server.api.http.exchange import Exchange
from cloud_server.api.http.limits import HttpLimits
from cloud_server.api.http.protocol import MeteredProtocol, metered_protocol
from cloud_server.api.http.tls_door import TlsDoor

_DRAIN_LOOK_SECONDS = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerSettings:
    """Where to listen (port 0: any free one), what to hold at most, and how long to wait for what (seconds).

    `tls` gives the context of each new connection; None: HTTP is spoken as it is.
    """

    host: str
    port: int
    http: HttpLimits
    tls: Callable[[], ssl.SSLContext] | None
    keep_alive_seconds: int
    drain_max_seconds: int


class Listener:
    """One bound socket and the application behind it."""

    def __init__(self, app: ASGIApp, settings: ListenerSettings, meter: Callable[[Exchange], None]) -> None:
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        self._socket = socket.create_server((settings.host, settings.port), family=family, backlog=2048)
        _give_up_on_deaf_peers(self._socket, settings.http.write_max_seconds)
        self._is_tls = settings.tls is not None
        self._server = _Server(
            uvicorn.Config(
                app,
                http=metered_protocol(meter, settings.http, lambda: self._server.is_leaving),
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                date_header=False,  # 37 bytes an answer, and nobody trusts a time that nobody signed
                timeout_keep_alive=settings.keep_alive_seconds,
                timeout_graceful_shutdown=settings.drain_max_seconds,
            ),
            self._socket.dup(),
            None if settings.tls is None else TlsDoor(self._socket.dup(), settings.tls, settings.http, meter),
        )
        self._serving: asyncio.Task[None] | None = None

    @property
    def address(self) -> str:
        """Where it listens, as a URL that this machine can open: loopback, where it listens on every address."""
        host, port = self._socket.getsockname()[:2]
        opened = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - not listened on, but replaced
        scheme = "https" if self._is_tls else "http"
        return f"{scheme}://[{opened}]:{port}" if ":" in opened else f"{scheme}://{opened}:{port}"

    @property
    def bound(self) -> str:
        """The address that it is bound to, as it is: `0.0.0.0:8000`."""
        host, port = self._socket.getsockname()[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    @property
    def is_open(self) -> bool:
        """Whether other machines can reach it and read what is said: it is not on loopback, and speaks no TLS."""
        return not self._is_tls and not ip_address(self._socket.getsockname()[0].partition("%")[0]).is_loopback

    async def start(self) -> None:
        """Accept connections from now on."""
        self._serving = asyncio.ensure_future(self._server.serve(sockets=[self._socket]))
        await self._server.is_accepting.wait()

    def announce_leaving(self) -> None:
        """Serve on, but end each connection with its next answer (`connection: close`)."""
        self._server.announce_leaving()

    async def drain(self) -> None:
        """Accept no more; return when the last answer is out, or after `drain_max_seconds`."""
        self._server.announce_leaving()
        self._server.should_exit = True
        if self._serving is not None:
            await self._serving

    def force_stop(self) -> None:
        """Cut off whatever `drain` still waits for."""
        self._server.force_exit = True


def allow_open_files(count: int) -> None:
    """Raise the process's limit of open sockets and files to `count`, or as far as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _give_up_on_deaf_peers(listening: socket.socket, seconds: float) -> None:
    """Let the kernel end connections whose peer acknowledges nothing for `seconds`.

    Nothing else ends a connection that was closed while the rest of its answer fitted into the kernel's buffers.
    """
    if sys.platform == "linux":
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(1000 * seconds))


class _Server(uvicorn.Server):
    """uvicorn with a start one can wait for, a drain of its own, and no signal handlers: the process has them.

    uvicorn's own drain resets connections that wait to be accepted, cuts off requests of which only the beginning
    has arrived, and answers those that outlast it with a plain 500.
    """

    def __init__(self, config: uvicorn.Config, listening: socket.socket, door: TlsDoor | None) -> None:
        super().__init__(config)
        self.is_accepting = asyncio.Event()
        self.is_leaving = False
        self._listening = listening
        self._door = door

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        if self._door is None:
            await super().startup(sockets)
        else:
            await super().startup([])
            self._door.open(self._protocol)
        self.is_accepting.set()

    def announce_leaving(self) -> None:
        """From now on every answer is its connection's last."""
        self.is_leaving = True
        for connection in self._connections():
            connection.announce_leaving()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for each in sockets or []:
            each.close()
        await self._accept_the_rest()
        for connection in self._connections():
            connection.shutdown()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.config.timeout_graceful_shutdown):
                while self._is_in_use and not self.force_exit:
                    await asyncio.sleep(_DRAIN_LOOK_SECONDS)
        if self._door is not None:
            self._door.abort()
        for connection in self._connections():
            connection.transport.abort()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def _accept_the_rest(self) -> None:
        """Take over the connections that wait in the socket's queue: closing it would reset them."""
        if self._door is not None:
            self._door.close()
            self._listening.close()
            return
        waiting = []
        with contextlib.suppress(BlockingIOError):
            while True:
                waiting.append(self._listening.accept()[0])
        self._listening.close()
        loop = asyncio.get_running_loop()
        for connection in waiting:
            await loop.connect_accepted_socket(self._protocol, connection)

    @property
    def _is_in_use(self) -> bool:
        return bool(self.server_state.connections or (self._door is not None and self._door.handshakes))

    def _protocol(self) -> MeteredProtocol:
        make: Any = self.config.http_protocol_class
        protocol: MeteredProtocol = make(config=self.config, server_state=self.server_state, app_state={})
        return protocol

    def _connections(self) -> list[MeteredProtocol]:
        return cast(list[MeteredProtocol], list(self.server_state.connections))
