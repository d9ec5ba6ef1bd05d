"""A server that keeps every frame."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cloud_server.conftest import FAMILY
from tests.cloud_server.harness.engines import Engine
from tests.cloud_server.harness.feedback import KEEP_ALL
from tests.cloud_server.harness.server import ServerHarness, server_in_thread


@pytest.fixture(scope="session")
def harness(
    engine: Engine, tmp_path_factory: pytest.TempPathFactory, bundle_folders: dict[int, Path]
) -> Iterator[ServerHarness]:
    """A running server with both bundles published and the first one assigned; every answered frame is kept."""
    with server_in_thread(tmp_path_factory.mktemp("feedback"), engine, **KEEP_ALL) as harness:
        for folder in bundle_folders.values():
            harness.publish(folder)
        harness.assign(FAMILY, 1)
        yield harness
