"""One harness for all attacks: who comes later finds it as the earlier ones left it."""

import contextlib
from collections.abc import Iterator

import pytest

from tests.attacks.harness import AttackHarness


@pytest.fixture(scope="session")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AttackHarness]:
    """A server process; that it still ends as it should after everything is part of every story."""
    with contextlib.closing(AttackHarness(tmp_path_factory.mktemp("harness"))) as harness:
        yield harness
