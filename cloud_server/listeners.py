"""Three listeners on one event loop: started together, drained in order."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import uvicorn
from fastapi import FastAPI

from cloud_server.api.exchange import Exchange, HttpLimits, metered_protocol


@dataclass(frozen=True, slots=True)
class ListenerSettings:
    """Where to listen (port 0: any free one), and for how long to wait for what (seconds)."""

    host: str
    port: int
    head_max_seconds: float
    keep_alive_seconds: int
    drain_max_seconds: int


class Listener:
    """One bound socket and the application behind it."""

    def __init__(self, app: FastAPI, settings: ListenerSettings, meter: Callable[[Exchange], None]) -> None:
        self._socket = socket.create_server((settings.host, settings.port), backlog=2048)
        self._server = _Server(
            uvicorn.Config(
                app,
                http=metered_protocol(meter, HttpLimits(settings.head_max_seconds)),
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                date_header=False,  # 37 bytes an answer; the few answers whose time matters carry their own
                timeout_keep_alive=settings.keep_alive_seconds,
                timeout_graceful_shutdown=settings.drain_max_seconds,
            )
        )
        self._serving: asyncio.Task[None] | None = None

    @property
    def address(self) -> str:
        """Where it really listens, as a URL."""
        host, port = self._socket.getsockname()[:2]
        return f"http://{host}:{port}"

    async def start(self) -> None:
        """Accept connections from now on."""
        self._serving = asyncio.ensure_future(self._server.serve(sockets=[self._socket]))
        await self._server.is_accepting.wait()

    async def drain(self) -> None:
        """Accept no more; return when the last answer is out."""
        self._server.should_exit = True
        if self._serving is not None:
            await self._serving


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers (the process has one for all three), and with a start one can wait for."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_accepting = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_accepting.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
