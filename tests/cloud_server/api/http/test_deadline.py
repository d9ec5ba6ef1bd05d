"""Deadlines, on an event loop whose clock the test moves."""

from collections.abc import Callable, Iterator

import pytest

from cloud_server.api.http.deadline import Deadline
from tests.cloud_server.harness.fake_time import FakeTimeLoop

SECONDS = 5.0


@pytest.fixture
def loop() -> Iterator[FakeTimeLoop]:
    made = FakeTimeLoop()
    yield made
    made.close()


def counting() -> tuple[list[int], Callable[[], None]]:
    """What a deadline calls, and a list that has one entry for each call."""
    calls: list[int] = []
    return calls, lambda: calls.append(1)


def test_a_deadline_expires_once_after_its_time(loop: FakeTimeLoop) -> None:
    calls, expire = counting()
    Deadline(loop, SECONDS, expire).start()
    loop.pass_time(SECONDS - 0.1)
    assert calls == []
    loop.pass_time(0.2)
    loop.pass_time(10 * SECONDS)
    assert calls == [1]


def test_a_deadline_that_was_stopped_never_expires(loop: FakeTimeLoop) -> None:
    calls, expire = counting()
    deadline = Deadline(loop, SECONDS, expire)
    deadline.start()
    assert deadline.is_running
    deadline.stop()
    assert not deadline.is_running
    loop.pass_time(2 * SECONDS)
    assert calls == []


def test_a_deadline_that_is_started_again_begins_anew_and_expires_once(loop: FakeTimeLoop) -> None:
    calls, expire = counting()
    deadline = Deadline(loop, SECONDS, expire)
    deadline.start()
    loop.pass_time(SECONDS - 1)
    deadline.start()
    loop.pass_time(SECONDS - 1)
    assert calls == []
    loop.pass_time(2)
    assert calls == [1]
