"""The memory of request bodies: bounded, and given back."""

import pytest

from cloud_server.api.http.body_memory import BodyMemory
from cloud_server.errors import QueueFullError


def test_bodies_fit_up_to_the_limit_and_not_a_byte_further() -> None:
    memory = BodyMemory(100)
    memory.reserve(60)
    memory.check(40)
    with pytest.raises(QueueFullError, match="60 bytes"):
        memory.check(41)
    with pytest.raises(QueueFullError):
        memory.reserve(41)
    assert memory.held_bytes == 60


def test_released_bytes_can_be_reserved_again() -> None:
    memory = BodyMemory(100)
    memory.reserve(100)
    memory.release(30)
    memory.reserve(30)
    assert memory.held_bytes == 100
