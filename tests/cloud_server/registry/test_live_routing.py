"""The routing table follows what other processes publish, and what no frame needs any more leaves memory."""

import asyncio
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Any, cast

from cloud_server.inference.model_cache import ModelCache
from cloud_server.inference.routing import Published
from cloud_server.registry.catalogue import Catalogue, Registered
from cloud_server.registry.live_routing import LiveRouting
from cloud_server.storage.database import Database
from shared.bundle import Fallback
from tests.shared.bundle.test_fallback import FALLBACK


class FakeDatabase:
    """Gives what others have recorded since the last time."""

    def __init__(self) -> None:
        self.news: list[Registered] = []

    async def read(self, _job: Callable[..., Any]) -> list[Registered]:
        news, self.news = self.news, []
        return news


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


def test_a_fallback_that_another_process_replaced_leaves_memory() -> None:
    database, models = FakeDatabase(), FakeModels()
    routing = LiveRouting(Catalogue(cast(Database, database)), cast(ModelCache, models), dict, lambda: 0.0)
    for day in (1, 2):
        made = _made_on(day)
        database.news.append(Registered(made, made.to_bytes(), registered_at=0.0))
        asyncio.run(routing.sync())
        assert models.loaded == {made.name}
