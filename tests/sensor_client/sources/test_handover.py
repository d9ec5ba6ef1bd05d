"""Pictures from a thread that reads them to the one that takes them."""

import gc
import threading
import weakref
from collections.abc import Iterator

import pytest

from sensor_client.sources.handover import Handover

WAIT_SECONDS = 60.0


def test_nothing_is_passed_over_where_everything_is_wanted() -> None:
    drops: list[int] = []
    handover = Handover(lambda: iter(range(100)), keeps_newest=False, dropped=lambda: drops.append(1))

    assert list(handover.taken(threading.Event())) == list(range(100)) and not drops


def test_the_newest_wins_and_what_it_takes_the_place_of_is_counted() -> None:
    has_first, went_on, dropped = threading.Event(), threading.Event(), []

    def produce() -> Iterator[int]:
        yield 0
        has_first.wait(WAIT_SECONDS)
        yield from range(1, 10)
        went_on.set()

    taken = Handover(produce, keeps_newest=True, dropped=lambda: dropped.append(1)).taken(threading.Event())
    first = next(taken)
    has_first.set()
    assert went_on.wait(WAIT_SECONDS)

    assert [first, *taken] == [0, 9] and len(dropped) == 8


def test_what_reading_raises_is_raised_after_what_it_had_given() -> None:
    def produce() -> Iterator[int]:
        yield 1
        raise OSError("unplugged")

    taken = Handover(produce, keeps_newest=False, dropped=lambda: None).taken(threading.Event())

    assert next(taken) == 1
    with pytest.raises(OSError, match="unplugged"):
        next(taken)


def test_a_reader_that_hangs_does_not_hold_up_a_stop() -> None:
    let_go, stop = threading.Event(), threading.Event()

    def produce() -> Iterator[int]:
        let_go.wait()
        yield 1

    threading.Timer(0.05, stop.set).start()

    assert list(Handover(produce, keeps_newest=True, dropped=lambda: None).taken(stop)) == []
    let_go.set()


def test_a_reader_that_waits_to_hand_over_ends_once_nobody_takes_any_more() -> None:
    ended = threading.Event()

    def produce() -> Iterator[int]:
        try:
            yield from range(100)
        finally:
            ended.set()

    taken = Handover(produce, keeps_newest=False, dropped=lambda: None).taken(threading.Event())
    next(taken)
    taken.close()

    assert ended.wait(WAIT_SECONDS)


def test_what_was_read_when_reading_failed_is_let_go_at_once() -> None:
    class Body:
        """As large as a picture may be."""

    bodies: list[weakref.ref[Body]] = []

    def produce() -> Iterator[int]:
        body = Body()
        bodies.append(weakref.ref(body))
        yield 1
        raise OSError("too long")

    gc.disable()
    try:
        with pytest.raises(OSError, match="too long"):
            list(Handover(produce, keeps_newest=False, dropped=lambda: None).taken(threading.Event()))
        for thread in threading.enumerate():
            if thread.name == "source":
                thread.join(WAIT_SECONDS)
        assert bodies[0]() is None
    finally:
        gc.enable()
