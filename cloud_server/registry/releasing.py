"""The use cases `release` and `withdraw`: which fallback answers a family's frames of unknown tables, if any does."""

from collections.abc import Callable
from functools import partial

import structlog

from cloud_server.errors import NotFoundError
from cloud_server.fleet.replicas import Replicas
from cloud_server.inference.model_cache import ModelCache
from cloud_server.registry.assigning import SERVED_MAX_SECONDS, require_loaded
from cloud_server.registry.catalogue import Catalogue
from cloud_server.registry.live_routing import LiveRouting
from cloud_server.registry.signed_files import SignedFiles
from cloud_server.storage.database import Database, Transaction
from cloud_server.storage.rows import published as rows
from cloud_server.storage.rows.tuf_files import lock_family
from cloud_server.storage.witness import Facts, Witness
from shared.bundle import Fallback

_log = structlog.get_logger()


class Releasing:
    """Releases fallbacks, one a family; other processes follow within two seconds.

    Args:
        now: seconds since 1970.
        served_max_seconds: how long to wait until every live process serves a fallback.
    """

    def __init__(
        self,
        *,
        database: Database,
        catalogue: Catalogue,
        routing: LiveRouting,
        models: ModelCache,
        replicas: Replicas,
        signed_files: SignedFiles,
        now: Callable[[], float],
        served_max_seconds: float = SERVED_MAX_SECONDS,
    ) -> None:
        self._database = database
        self._catalogue = catalogue
        self._routing = routing
        self._models = models
        self._replicas = replicas
        self._signed_files = signed_files
        self._now = now
        self._served_max_seconds = served_max_seconds

    async def release(self, family: str, name: str, witness: Witness) -> None:
        """Have a published fallback answer its family, in the place of any other; the same again changes nothing.

        Raises:
            NotFoundError: no such fallback of the family is published.
            ConflictError: its classifier cannot be loaded here, or another process does not come to serve it in time.
            NotListedError: the family's signed targets do not list it any more.
            StorageError: the database does not answer.
        """
        fallback = await self._find(family, name)
        await require_loaded(self._models, fallback)
        await self._replicas.require_served(name, self._served_max_seconds)
        await self._database.write(partial(self._release, fallback=fallback, witness=witness))
        await self._routing.sync()
        _log.info("fallback-released", family=family, name=name)

    async def withdraw(self, family: str, witness: Witness) -> None:
        """Have no fallback answer a family; where none does, nothing changes.

        Raises:
            StorageError: the database does not answer.
        """

        def job(transaction: Transaction) -> None:
            lock_family(transaction, family)
            before = rows.released_of(transaction, family)
            rows.withdraw(transaction, family)
            witness(transaction, _shown(before), None)

        await self._database.write(job)
        await self._routing.sync()
        _log.info("fallback-withdrawn", family=family)

    async def _find(self, family: str, name: str) -> Fallback:
        if self._catalogue.find(name) is None:  # another process may have published it a moment ago
            await self._routing.sync()
        found = self._catalogue.find(name)
        if found is None or not isinstance(found.published, Fallback) or found.published.family != family:
            raise NotFoundError(f"no fallback {name} of family {family} is published; see: dctwire fallback list")
        return found.published

    def _release(self, transaction: Transaction, fallback: Fallback, witness: Witness) -> None:
        self._signed_files.require_listed(transaction, fallback)
        before = rows.released_of(transaction, fallback.family)
        if before != fallback.name:
            rows.release(transaction, fallback.family, fallback.name, self._now())
        witness(transaction, _shown(before), _shown(fallback.name))


def _shown(name: str | None) -> Facts | None:
    return None if name is None else {"name": name}
