"""One server for all attacks on it, one for all on cameras: who comes later finds it as the earlier ones left it."""

import contextlib
import logging
from collections.abc import Iterator

import pytest
import structlog

from harness.fault_proxy import FaultProxy
from tests.attacks.field import Field
from tests.attacks.harness import AttackHarness


@pytest.fixture(scope="session")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AttackHarness]:
    """A server process; that it still ends as it should after everything is part of every story."""
    with contextlib.closing(AttackHarness(tmp_path_factory.mktemp("harness"))) as harness:
        yield harness


@pytest.fixture(scope="session")
def field(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    """The server of the cameras under attack."""
    with contextlib.closing(Field(tmp_path_factory.mktemp("field"))) as field:
        yield field


@pytest.fixture
def line(field: Field) -> Iterator[FaultProxy]:
    """The line of this story's camera."""
    with field.line() as line:
        yield line


@pytest.fixture
def silent_servers() -> Iterator[None]:
    """Servers in this process that log nothing: their lines would drown what a failing test says."""
    loud = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**loud)
