"""The event of answered frames reaches every observer, whatever the others do."""

from collections.abc import MutableMapping
from typing import Any

from cloud_server.answered import AnsweredFrame, AnsweredFrames, Observer, Observers
from shared.wire import Match

ANSWERED = AnsweredFrames(
    family="digits",
    model="digits/1",
    labels=("zero", "one"),
    match=Match.EXACT,
    tables="v1",
    table_set=None,
    answered_at=1.0,
    frames=(AnsweredFrame(1, 0, b"jpeg", 2, 1, 0.5),),
)


def noting(name: str, told: list[tuple[str, AnsweredFrames]]) -> Observer:
    """An observer that notes what it is told."""
    return Observer(name=name, observe=lambda answered: told.append((name, answered)))


def test_observers_are_told_in_order() -> None:
    told: list[tuple[str, AnsweredFrames]] = []
    names = ("metrics", "devices", "sampler")
    Observers([noting(name, told) for name in names], lambda _: None).tell(ANSWERED)
    assert told == [(name, ANSWERED) for name in names]


def test_an_observer_that_fails_is_counted_and_logged_and_the_next_is_told(
    lines: list[MutableMapping[str, Any]],
) -> None:
    def broken(_answered: AnsweredFrames) -> None:
        raise ZeroDivisionError

    told: list[AnsweredFrames] = []
    faults: list[str] = []
    observers = Observers(
        [Observer(name="drift", observe=broken), Observer(name="sampler", observe=told.append)], faults.append
    )
    observers.tell(ANSWERED)
    assert told == [ANSWERED]
    assert faults == ["drift"]
    assert [(line["event"], line["observer"]) for line in lines] == [("observer-failed", "drift")]


def test_statistics_are_needed_when_any_observer_needs_them() -> None:
    plain = Observer(name="metrics", observe=lambda _: None)
    curious = Observer(name="drift", observe=lambda _: None, needs_statistics=True)
    assert not Observers([plain], lambda _: None).need_statistics
    assert Observers([plain, curious], lambda _: None).need_statistics
