"""One victim for all attacks: who comes later finds it as the earlier ones left it."""

import contextlib
from collections.abc import Iterator

import pytest

from tests.attacks.victim import Victim


@pytest.fixture(scope="session")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    """A server process; that it still ends as it should after everything is part of every story."""
    with contextlib.closing(Victim(tmp_path_factory.mktemp("victim"))) as victim:
        yield victim
