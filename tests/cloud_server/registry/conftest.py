"""What tests of the registry share."""

from collections.abc import Iterator

import pytest

from tests.cloud_server.harness.engines import Engine
from tests.cloud_server.harness.lines import Stand, standing


@pytest.fixture(scope="session")
def stand(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """Families on SQLite and on PostgreSQL."""
    with standing(tmp_path_factory.mktemp("lines"), engine) as stand:
        yield stand
