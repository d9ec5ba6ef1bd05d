"""A database whose answer arrives late: what was read may have changed meanwhile."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from cloud_server.storage.database import Database, Transaction

T = TypeVar("T")


class LateReads(Database):
    """The next read is answered once `meanwhile` is done, with what was there before."""

    meanwhile: Callable[[], Awaitable[object]] | None = None

    async def read(self, job: Callable[[Transaction], T]) -> T:
        """As a database, only later."""
        found = await super().read(job)
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            await meanwhile()
        return found
