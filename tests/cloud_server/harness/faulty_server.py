"""A server with a fault, to see what becomes of it: run as a process, prints its address, serves until SIGTERM."""

import asyncio
import signal
import sys
import time

from fastapi import FastAPI

from cloud_server.api.http.body_memory import BodyMemory
from cloud_server.api.http.connection_places import ConnectionPlaces
from cloud_server.api.http.hosts import HostNames
from cloud_server.api.http.limits import HttpLimits
from cloud_server.api.http.problems import Problems
from cloud_server.listeners import Listener, ListenerSettings
from cloud_server.logs import logging_to


def faulty_app() -> FastAPI:
    """Every path is answered by a mistake."""
    app = FastAPI(title="faulty plane", openapi_url=None)
    Problems("faulty plane").install(app)

    @app.get("/{path:path}")
    async def fail(path: str) -> None:
        raise ZeroDivisionError("a fault")

    return app


async def serve() -> None:
    """Serve until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    listener = Listener(
        faulty_app(),
        ListenerSettings(
            host="127.0.0.1",
            port=0,
            http=HttpLimits(
                head_max_seconds=5.0,
                write_max_seconds=5.0,
                places=ConnectionPlaces(10, time.monotonic),
                hosts=HostNames("", "hosts"),
                bodies=BodyMemory(1 << 20),
            ),
            tls=None,
            keep_alive_seconds=5,
            drain_max_seconds=5,
        ),
        lambda _exchange: None,
    )
    await listener.start()
    print(listener.address, flush=True)
    await stop.wait()


if __name__ == "__main__":
    with logging_to(sys.stderr):
        asyncio.run(serve())
