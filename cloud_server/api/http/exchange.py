"""One HTTP exchange: a request and its answer, as the socket saw them and as the application took them."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect
from starlette.types import Scope

from cloud_server.api.http.body_memory import BodyMemory
from cloud_server.metrics import Payload

T = TypeVar("T")


class SlowBodyError(ClientDisconnect):
    """The body took too long to arrive; the connection was cut, there is nobody left to answer."""


@dataclass(slots=True, eq=False)
class Exchange:
    """A request and its answer: bytes as the socket saw them, and what the application made of them.

    `route` is the metric's label for what was asked. `frames` is the number of frames in the request; 0 until its
    body is read.
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
        """Reserve `size` more bytes of memory, until the answer is sent.

        Raises:
            QueueFullError: all requests together hold as many bytes as they may.
        """
        self.bodies.reserve(size)
        self.held_bytes += size

    def release(self) -> None:
        """Release all memory that is held."""
        self.bodies.release(self.held_bytes)
        self.held_bytes = 0

    async def while_connected(self, work: Coroutine[Any, Any, T]) -> T:
        """Do `work`, and stop it when the client disconnects.

        Raises:
            SlowBodyError, ClientDisconnect: the client disconnected, or was disconnected.
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
        """Note that the client has disconnected, and stop the work that is done for it."""
        self._is_lost = True
        if self._task is not None:
            self._task.cancel()


def exchange_of(scope: Scope) -> Exchange:
    """The exchange that an ASGI scope belongs to."""
    exchange: Exchange = scope["state"]["exchange"]
    return exchange
