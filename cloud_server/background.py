"""What a server does again and again beside answering: follow the other processes, be seen by them, keep house."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import structlog

from cloud_server.feedback.sample_store import SampleStore
from cloud_server.fleet.assignments import Assignments
from cloud_server.fleet.devices import Devices
from cloud_server.fleet.replicas import Lease, Replicas
from cloud_server.fleet.spending import Spending
from cloud_server.registry.live_routing import LiveRouting
from cloud_server.registry.signed_files import SignedFiles

FOLLOW_SECONDS = 1.0
HOUSEKEEPING_SECONDS = 5.0
_log = structlog.get_logger()


class Background:
    """The works of one process on the state that it shares with others."""

    def __init__(
        self,
        *,
        routing: LiveRouting,
        signed_files: SignedFiles,
        devices: Devices,
        assignments: Assignments,
        replicas: Replicas,
        spending: Spending,
        sample_store: SampleStore,
    ) -> None:
        self._routing = routing
        self._signed_files = signed_files
        self._devices = devices
        self._assignments = assignments
        self._replicas = replicas
        self._spending = spending
        self._sample_store = sample_store

    def works(self) -> tuple[Coroutine[Any, Any, None], ...]:
        """One endless work for each task; following may wait for a classifier, and holds up no heartbeat."""
        return (
            _every(FOLLOW_SECONDS, self.follow),
            _every(FOLLOW_SECONDS, self._devices.follow),
            _every(FOLLOW_SECONDS, self.heartbeat),
            _every(HOUSEKEEPING_SECONDS, self.housekeep),
        )

    async def follow(self) -> None:
        """Take over what other processes published and assigned.

        Raises:
            StorageError: the database does not answer.
        """
        await self._routing.sync()
        await self._assignments.load()

    async def heartbeat(self) -> None:
        """Tell other processes that this one is alive, and what it serves.

        Raises:
            StorageError: the database does not answer.
        """
        await self._replicas.note(self._routing.serves())

    async def housekeep(self) -> None:
        """Save when devices were seen and what they spent; where it is our turn, keep the timestamp fresh.

        Raises:
            StorageError: the database does not answer.
        """
        await self._devices.save()
        await self._spending.share()
        await self._sample_store.refresh()
        if await self._replicas.may_lead(Lease.SIGNING):
            await self._signed_files.refresh()


async def _every(seconds: float, work: Callable[[], Awaitable[None]]) -> None:
    """Do `work` every so many seconds; an error is logged, and the work tried again the next time."""
    while True:
        await asyncio.sleep(seconds)
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - tried again in a few seconds
            _log.error("housekeeping-failed", exc_info=error)
