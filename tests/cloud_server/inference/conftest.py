"""The loader's thread, as every test of models needs it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest


@pytest.fixture
def loader() -> Iterator[ThreadPoolExecutor]:
    """The loader's one thread."""
    with ThreadPoolExecutor(1) as executor:
        yield executor
