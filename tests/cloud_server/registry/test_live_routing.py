"""The routing table follows what other processes publish, and what no frame needs any more leaves memory."""

import asyncio
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeVar, cast

from sqlalchemy import Connection, Engine

from cloud_server.inference.model_cache import ModelCache
from cloud_server.inference.routing import Published
from cloud_server.open_storage import engine_of
from cloud_server.registry.catalogue import Catalogue, Registered, store
from cloud_server.registry.live_routing import LiveRouting
from cloud_server.storage.database import Database
from cloud_server.storage.migrating import migrate
from cloud_server.storage.rows.published import release, withdraw
from shared.bundle import Fallback
from tests.cloud_server.harness.server import settings
from tests.shared.bundle.test_fallback import FALLBACK

T = TypeVar("T")


class DirectDatabase:
    """Runs each job at once, in a transaction of its own."""

    def __init__(self, connector: Engine) -> None:
        self._connector = connector

    async def read(self, job: Callable[[Connection], T]) -> T:
        with self._connector.begin() as connection:
            return job(connection)


class FakeModels:
    """Loads anything, and forgets what it shall not keep."""

    def __init__(self) -> None:
        self.loaded: set[str] = set()

    async def get(self, published: Published) -> None:
        self.loaded.add(published.name)

    def is_failing(self, _published: Published) -> bool:
        return False

    def keep_only(self, names: Collection[str]) -> None:
        self.loaded &= set(names)


def _made_on(day: int) -> Fallback:
    return FALLBACK.model_copy(update={"created_at": datetime(2026, 1, day, tzinfo=UTC)})


def test_a_fallback_is_in_memory_from_its_release_until_another_process_replaces_or_withdraws_it(
    tmp_path: Path,
) -> None:
    connector, models = engine_of(settings(tmp_path)), FakeModels()
    migrate(connector)
    catalogue = Catalogue(cast(Database, DirectDatabase(connector)))
    routing = LiveRouting(catalogue, cast(ModelCache, models), dict, lambda: 0.0)

    def loaded_after(job: Callable[[Connection], None]) -> set[str]:
        with connector.begin() as connection:
            job(connection)
        asyncio.run(routing.sync())
        return models.loaded

    made = [_made_on(day) for day in (1, 2)]
    for one in made:
        registered = Registered(one, one.to_bytes(), registered_at=0.0)
        assert loaded_after(partial(store, registered=registered)) == set()
    for one in made:
        assert loaded_after(partial(release, family=one.family, name=one.name, now=0.0)) == {one.name}
    assert loaded_after(partial(withdraw, family=made[0].family)) == set()
    connector.dispose()
