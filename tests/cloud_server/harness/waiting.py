"""Waiting for a condition, with a deadline."""

import time
from collections.abc import Callable
from typing import TypeVar

START_SECONDS = 60.0


T = TypeVar("T")


PATIENCE_SECONDS = 60.0


def wait_until(is_so: Callable[[], bool], seconds: float = START_SECONDS) -> None:
    """Return once something is so; an AssertionError when it does not come to that in time."""
    give_up = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < give_up, f"not within {seconds:g} s: {is_so}"
        time.sleep(0.02)


def once(look: Callable[[], T | None]) -> T:
    """What `look` finds, as soon as it finds something."""
    give_up = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < give_up:
        found = look()
        if found is not None:
            return found
        time.sleep(0.01)
    raise AssertionError(f"nothing after {PATIENCE_SECONDS} s")
