"""What is passed over for a while."""

from sensor_client.held_back import ATTEMPTS, FIRST_PAUSE_SECONDS, HELD_MAX, LONGEST_PAUSE_SECONDS, HeldBack


def fail(held: HeldBack, sequence: int, now: float, times: int = ATTEMPTS) -> float | None:
    return [held.failed(sequence, now) for _ in range(times)][-1]


def test_a_frame_is_held_back_after_a_few_failures_and_then_due_again() -> None:
    held = HeldBack()

    assert fail(held, 7, 0.0, ATTEMPTS - 1) is None and not held.numbers(0.0)
    assert held.failed(7, 10.0) == FIRST_PAUSE_SECONDS

    assert held.numbers(10.0) == {7} and held.seconds_to_wait(10.0) == FIRST_PAUSE_SECONDS
    assert not held.numbers(10.0 + FIRST_PAUSE_SECONDS)
    assert held.seconds_to_wait(10.0 + FIRST_PAUSE_SECONDS) == float("inf")


def test_the_pause_grows_while_others_are_answered_and_has_an_end() -> None:
    held, pauses, now = HeldBack(), [], 0.0
    fail(held, 7, now)
    for _ in range(9):
        held.settled([1])
        now += LONGEST_PAUSE_SECONDS
        pauses.append(held.failed(7, now))

    assert pauses[:3] == [120.0, 240.0, 480.0] and pauses[-1] == LONGEST_PAUSE_SECONDS


def test_the_pause_stays_short_while_nothing_at_all_is_answered() -> None:
    held = HeldBack()

    assert fail(held, 7, 0.0, 50) == FIRST_PAUSE_SECONDS


def test_an_answer_ends_it() -> None:
    held = HeldBack()
    fail(held, 7, 0.0)
    fail(held, 8, 0.0, ATTEMPTS - 1)

    held.settled([7, 8])

    assert not held.numbers(0.0) and held.failed(8, 0.0) is None


def test_one_may_be_held_back_at_once() -> None:
    held = HeldBack()

    held.hold(7, 0.0, 3600.0)

    assert held.numbers(3599.0) == {7} and not held.numbers(3600.0)


def test_of_several_the_one_that_is_due_first_says_how_long_to_wait() -> None:
    held = HeldBack()
    held.hold(7, 0.0, 3600.0)
    held.hold(8, 0.0, 20.0)

    assert held.seconds_to_wait(5.0) == 15.0 and held.seconds_to_wait(20.0) == 3580.0


def test_not_everything_is_held_back() -> None:
    held = HeldBack()
    for sequence in range(HELD_MAX + 10):
        fail(held, sequence, 0.0)
        held.hold(sequence, 0.0, 60.0)

    assert held.numbers(0.0) == set(range(HELD_MAX))


def test_numbers_that_mean_something_else_are_forgotten() -> None:
    held = HeldBack()
    fail(held, 7, 0.0)

    held.forget()

    assert not held.numbers(0.0)
