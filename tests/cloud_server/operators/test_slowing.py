"""How fast one operator's password may be guessed."""

import pytest

from cloud_server.errors import GuessedLoginsError, LoginError, QueueFullError, StorageError
from cloud_server.operators.slowing import (
    FORGOTTEN_SECONDS,
    FREE,
    LONGEST_SECONDS,
    NAMES_MAX,
    Slowing,
    wait_seconds_after,
)


class Clock:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def wrong(slowing: Slowing, name: str, times: int) -> None:
    for _ in range(times):
        with pytest.raises(LoginError), slowing.attempt(name):
            raise LoginError("wrong")


def right(slowing: Slowing, name: str) -> None:
    with slowing.attempt(name):
        pass


@pytest.mark.parametrize(("times", "seconds"), [(0, 0), (FREE - 1, 0), (FREE, 1), (FREE + 3, 8), (40, LONGEST_SECONDS)])
def test_each_further_one_waits_twice_as_long(times: int, seconds: float) -> None:
    assert wait_seconds_after(times) == seconds


def test_after_the_free_ones_the_next_must_wait_and_then_may_come() -> None:
    clock = Clock()
    slowing = Slowing(clock)
    wrong(slowing, "ada", FREE)
    with pytest.raises(GuessedLoginsError) as refused:
        right(slowing, "ada")
    assert refused.value.retry_after_seconds == 1
    clock.seconds = 1
    wrong(slowing, "ada", 1)
    clock.seconds = 2.5
    with pytest.raises(GuessedLoginsError):
        right(slowing, "ada")
    clock.seconds = 3
    wrong(slowing, "ada", 1)


def test_one_that_was_refused_makes_nobody_wait_longer() -> None:
    clock = Clock()
    slowing = Slowing(clock)
    wrong(slowing, "ada", FREE)
    for _ in range(100):
        with pytest.raises(GuessedLoginsError):
            right(slowing, "ada")
    clock.seconds = 1
    wrong(slowing, "ada", 1)


def test_others_are_not_slowed() -> None:
    slowing = Slowing(Clock())
    wrong(slowing, "ada", FREE)
    wrong(slowing, "ben", 1)


def test_a_right_one_and_time_let_wrong_ones_be_forgotten() -> None:
    clock = Clock()
    slowing = Slowing(clock)
    wrong(slowing, "ada", FREE - 1)
    right(slowing, "ada")
    wrong(slowing, "ada", FREE)
    clock.seconds = FORGOTTEN_SECONDS + 1
    wrong(slowing, "ada", FREE)


def test_no_number_of_names_takes_more_than_so_much_memory_and_the_newest_stay() -> None:
    slowing = Slowing(Clock())
    for number in range(NAMES_MAX):
        wrong(slowing, f"name-{number}", 1)
    wrong(slowing, "ada", FREE)
    with pytest.raises(GuessedLoginsError):
        right(slowing, "ada")
    wrong(slowing, "name-0", FREE)


@pytest.mark.parametrize("error", [QueueFullError("full"), StorageError("silent")])
def test_one_that_nobody_looked_at_is_as_if_it_had_never_been(error: Exception) -> None:
    clock = Clock()
    slowing = Slowing(clock)
    for seconds in range(2 * FREE):
        clock.seconds = seconds
        with pytest.raises(type(error)), slowing.attempt("ada"):
            raise error
    wrong(slowing, "ada", FREE)
    clock.seconds += 1
    with pytest.raises(type(error)), slowing.attempt("ada"):
        raise error
    right(slowing, "ada")


def test_one_that_nobody_looked_at_takes_back_no_other_that_came_beside_it() -> None:
    slowing = Slowing(Clock())
    wrong(slowing, "ada", FREE - 2)
    with pytest.raises(StorageError), slowing.attempt("ada"):
        wrong(slowing, "ada", 1)
        raise StorageError("silent")
    wrong(slowing, "ada", 1)
    with pytest.raises(GuessedLoginsError):
        right(slowing, "ada")
