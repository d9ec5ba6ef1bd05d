"""What tests share: a server with two published bundles, for those that only add to it, and a database."""

import contextlib
import logging
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

import pytest
import structlog
import structlog.testing
from sqlalchemy import Connection
from sqlalchemy import Engine as Connector

from cloud_server.open_storage import engine_of
from cloud_server.storage.migrating import migrate
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.devices import Device
from tests.cloud_server.harness.engines import Embedded, Engine, Outgrown
from tests.cloud_server.harness.frames import tables
from tests.cloud_server.harness.server import ServerHarness, server_in_thread, settings

FAMILY = "digits"


@pytest.fixture(scope="session", autouse=True)
def _no_log_of_servers_in_this_process() -> None:
    """Their lines would end up in the output of commands that tests read; processes keep their logs."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


@pytest.fixture(scope="session")
def bundle_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Bundle folders of family digits: 1 with quality 50, 2 with quality 25."""
    folder = tmp_path_factory.mktemp("bundles")
    write_bundle(folder / "v1", FAMILY, 1, tables(50), seed=1)
    write_bundle(folder / "v2", FAMILY, 2, tables(25), seed=2)
    return {1: folder / "v1", 2: folder / "v2"}


@pytest.fixture(scope="session")
def outgrown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outgrown]:
    """The real engines, started when the first test needs them."""
    with contextlib.closing(Outgrown(tmp_path_factory.mktemp("outgrown"))) as started:
        yield started


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what needs an engine on both; what is marked `stateless` on SQLite alone."""
    if "engine" in metafunc.fixturenames:
        is_stateless = metafunc.definition.get_closest_marker("stateless")
        engines = ["embedded"] if is_stateless else ["embedded", "outgrown"]
        metafunc.parametrize("engine", engines, indirect=True, scope="session")


@pytest.fixture(scope="session")
def engine(request: pytest.FixtureRequest) -> Engine:
    """What a server keeps its state in."""
    chosen: Engine = Embedded() if request.param == "embedded" else request.getfixturevalue("outgrown")
    return chosen


@pytest.fixture(scope="session")
def harness(
    engine: Engine, tmp_path_factory: pytest.TempPathFactory, bundle_folders: dict[int, Path]
) -> Iterator[ServerHarness]:
    """A running server with both bundles published and the first one assigned."""
    with server_in_thread(tmp_path_factory.mktemp("server"), engine, wait_max_seconds=30) as harness:
        for folder in bundle_folders.values():
            harness.publish(folder)
        harness.assign(FAMILY, 1)
        yield harness


@pytest.fixture
def server(engine: Engine, tmp_path: Path, bundle_folders: dict[int, Path]) -> Iterator[ServerHarness]:
    """The same of one test's own, for what changes more than it adds."""
    with server_in_thread(tmp_path, engine) as harness:
        for folder in bundle_folders.values():
            harness.publish(folder)
        harness.assign(FAMILY, 1)
        yield harness


@pytest.fixture
def device(harness: ServerHarness) -> Device:
    """A device of family digits, enrolled for this test."""
    return harness.enrol(FAMILY)


@pytest.fixture(scope="module")
def connector(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connector]:
    """A database of the newest schema without any rows, shared by the tests of a module."""
    folder = tmp_path_factory.mktemp("rows")
    connector = engine_of(settings(folder, **engine.settings(folder)))
    migrate(connector)
    yield connector
    connector.dispose()


@pytest.fixture
def connection(connector: Connector) -> Iterator[Connection]:
    """A transaction in it that is never committed."""
    with connector.connect() as connection, connection.begin() as transaction:
        yield connection
        transaction.rollback()


@pytest.fixture
def lines() -> Iterator[list[MutableMapping[str, Any]]]:
    """What is logged meanwhile; other tests silence the logs of this process."""
    silent = structlog.get_config()
    structlog.reset_defaults()
    try:
        with structlog.testing.capture_logs() as captured:
            yield captured
    finally:
        structlog.configure(**silent)
