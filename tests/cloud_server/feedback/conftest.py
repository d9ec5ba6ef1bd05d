"""A server that keeps every frame."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cloud_server.conftest import FAMILY
from tests.cloud_server.engines import Engine
from tests.cloud_server.feedback.field import KEEP_ALL
from tests.cloud_server.rig import Rig, server_in_thread


@pytest.fixture(scope="session")
def rig(engine: Engine, tmp_path_factory: pytest.TempPathFactory, bundle_folders: dict[int, Path]) -> Iterator[Rig]:
    """A running server with both bundles published and the first one assigned; every answered frame is kept."""
    with server_in_thread(tmp_path_factory.mktemp("feedback"), engine, **KEEP_ALL) as rig:
        for folder in bundle_folders.values():
            rig.publish(folder)
        rig.assign(FAMILY, 1)
        yield rig
