"""Work that a process does again and again: what goes wrong is logged, and tried again."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import structlog

from cloud_server.errors import StorageError

_log = structlog.get_logger()


@contextmanager
def logged(event: str, **facts: str) -> Iterator[None]:
    """Log an error of what is done inside, and go on: a silent database is a warning, anything else a fault of ours.

    Args:
        event: the log's word for it.
        facts: what else is told.
    """
    try:
        yield
    except StorageError as error:
        _log.warning(event, error=str(error), **facts)
    except Exception as error:  # noqa: BLE001 - it must not end what is done again and again
        _log.error(event, exc_info=error, **facts)


async def every(seconds: float, work: Callable[[], Awaitable[object]], event: str) -> None:
    """Do `work` every so many seconds, the first time after as many, until cancelled; errors are `logged`."""
    while True:
        await asyncio.sleep(seconds)
        with logged(event):
            await work()
