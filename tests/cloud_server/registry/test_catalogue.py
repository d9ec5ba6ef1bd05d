"""What was published, in the order that callers rely on."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cloud_server.open_storage import engine_of
from cloud_server.registry.catalogue import READ_AT_ONCE, Catalogue, Registered, store
from cloud_server.storage.database import Database
from cloud_server.storage.migrating import migrate
from shared.bundle import Fallback
from tests.cloud_server.harness.engines import Engine
from tests.cloud_server.harness.server import settings
from tests.shared.bundle.test_bundle import make
from tests.shared.bundle.test_fallback import FALLBACK


def _fallback(day: int) -> Fallback:
    return FALLBACK.model_copy(update={"created_at": datetime(2026, 1, day, tzinfo=UTC)})


def test_a_familys_last_fallback_is_the_one_that_was_published_last_whatever_its_name_and_date() -> None:
    nowhere: Any = None
    catalogue = Catalogue(nowhere)
    for day in (4, 1, 6, 3, 5, 2):
        made = _fallback(7 - day)
        catalogue.add(Registered(made, made.to_bytes(), registered_at=float(day)))
    listed = [one.published for one in catalogue.fallbacks()]
    assert [one.created_at.day for one in listed] == [6, 5, 4, 3, 2, 1]
    assert [one.name for one in listed] != sorted(one.name for one in listed)


def _bundles(*names: str) -> Catalogue:
    nowhere: Any = None
    catalogue = Catalogue(nowhere)
    for name in names:
        family, _, counter = name.partition("/")
        made = make(family=family, counter=int(counter), min_counter=1)
        catalogue.add(Registered(made, made.to_bytes(), registered_at=0.0))
    return catalogue


def _names(page: Sequence[Registered]) -> list[str]:
    return [one.published.name for one in page]


def test_pages_have_each_bundle_once_by_family_and_number_and_go_on_after_one_that_is_not_there() -> None:
    catalogue = _bundles("b/10", "a/2", "b/9", "a/10", "a-b/1")
    page, following = catalogue.page(None, None, 3)
    assert (_names(page), following) == (["a/2", "a/10", "a-b/1"], "a-b/1")
    page, following = catalogue.page(None, following, 3)
    assert (_names(page), following) == (["b/9", "b/10"], None)
    assert _names(catalogue.page(None, "a/3", 1)[0]) == ["a/10"]
    assert _names(catalogue.page("b", None, 3)[0]) == ["b/9", "b/10"]
    assert catalogue.page("b", "b/10", 3) == ([], None)


def test_of_any_number_that_is_recorded_each_is_taken_in_once(engine: Engine, tmp_path: Path) -> None:
    connector, count = engine_of(settings(tmp_path, **engine.settings(tmp_path))), 2 * READ_AT_ONCE + 1
    migrate(connector)
    with connector.begin() as connection:
        for registered in _bundles(*(f"f{number}/1" for number in range(count))).page(None, None, count)[0]:
            store(connection, registered)

    async def read() -> list[list[str]]:
        database = Database(connector, asyncio.get_running_loop(), 10)
        catalogue = Catalogue(database)
        try:
            return [[one.name for one in await catalogue.read_new()] for _ in range(2)]
        finally:
            await asyncio.to_thread(database.close)

    first, second = asyncio.run(read())
    assert (sorted(first), second) == (sorted(f"f{number}/1" for number in range(count)), [])
    connector.dispose()
