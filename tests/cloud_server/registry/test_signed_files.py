"""Signed metadata in a real database: two who build on the same state cannot both show theirs."""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine as Connector
from sqlalchemy.exc import IntegrityError

from cloud_server.cli.publishing import initialise_trust
from cloud_server.open_storage import engine_of
from cloud_server.registry.signed_files import ServerKeys, SignedFiles, show
from cloud_server.storage.database import Database
from cloud_server.storage.migrating import migrate
from shared.trust import Role, TrustError, add_target, load_key
from tests.cloud_server.harness.engines import Outgrown
from tests.cloud_server.harness.server import settings

NOW = datetime.now(UTC)


@pytest.fixture
def connector(outgrown: Outgrown, tmp_path: Path) -> Iterator[Connector]:
    """A database of a real PostgreSQL, where each statement sees what others have committed before it."""
    made = engine_of(settings(tmp_path, **outgrown.settings(tmp_path)))
    migrate(made)
    yield made
    made.dispose()


@pytest.fixture
def files(connector: Connector, tmp_path: Path) -> SignedFiles:
    """The signed files of a new server, laid out."""
    initialise_trust(tmp_path / "offline", tmp_path, NOW)

    async def lay_out() -> SignedFiles:
        database = Database(connector, asyncio.get_running_loop(), 10)
        files = SignedFiles(database, ServerKeys.read(tmp_path / "keys"), time.time)
        await files.initialise()
        await asyncio.to_thread(database.close)
        return files

    return asyncio.run(lay_out())


def with_target(targets: bytes, name: str, keys: Path) -> bytes:
    """Targets metadata with one more entry, signed."""
    return add_target(targets, f"digits/{name}.json", name.encode(), {}, load_key(keys, Role.TARGETS), NOW)


def test_a_reader_is_told_of_one_state_while_another_process_publishes(
    connector: Connector, files: SignedFiles, tmp_path: Path
) -> None:
    with connector.begin() as mine:
        repository = files.repository(mine)
        before = repository.targets()
        offered = with_target(before, "mine", tmp_path / "offline")
        with connector.begin() as theirs:
            other = with_target(before, "theirs", tmp_path / "offline")
            show(theirs, files.repository(theirs).publish(other, {"digits/theirs.json": b"theirs"}, NOW))
        assert repository.targets() == before
        repository.check(offered, NOW)
        with pytest.raises(TrustError, match="version 2 cannot follow 2"):
            files.repository(mine).check(offered, NOW)


def test_of_two_who_publish_on_one_state_the_later_finds_its_names_taken(
    connector: Connector, files: SignedFiles, tmp_path: Path
) -> None:
    with contextlib.ExitStack() as transactions:
        mine, theirs = (transactions.enter_context(connector.connect()) for _ in range(2))
        repositories = files.repository(mine), files.repository(theirs)
        offers = [with_target(one.targets(), "new", tmp_path / "offline") for one in repositories]
        show(theirs, repositories[1].publish(offers[1], {"digits/new.json": b"new"}, NOW))
        theirs.commit()
        with pytest.raises(IntegrityError):
            show(mine, repositories[0].publish(offers[0], {"digits/new.json": b"new"}, NOW))
