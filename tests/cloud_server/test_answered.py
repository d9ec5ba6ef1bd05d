"""The event of answered frames reaches every observer, whatever the others do."""

from collections.abc import MutableMapping, Sequence
from dataclasses import replace
from typing import Any

from cloud_server.answered import AnsweredFrame, AnsweredFrames, Observer, Observers
from shared.wire import COMPANIONS, Kind, Match

ANSWERED = AnsweredFrames(
    family="digits",
    model="digits/1",
    labels=("zero", "one"),
    match=Match.EXACT,
    tables="v1",
    table_set=None,
    answered_at=1.0,
    frames=(AnsweredFrame(1, 0, b"jpeg", 2, 1, 0.5, True),),
)


def noting(name: str, told: list[tuple[str, AnsweredFrames]]) -> Observer:
    """An observer that notes what it is told."""
    return Observer(name=name, observe=lambda answered: told.append((name, answered)))


def test_observers_are_told_in_order() -> None:
    told: list[tuple[str, AnsweredFrames]] = []
    names = ("metrics", "devices", "sampler")
    Observers([noting(name, told) for name in names], lambda _: None).tell(ANSWERED)
    assert told == [(name, ANSWERED) for name in names]


def test_of_companions_only_observers_are_told_that_ask_for_them() -> None:
    told: list[AnsweredFrames] = []
    pairing, plain, curious = (list[AnsweredFrames]() for _ in range(3))
    observers = Observers(
        [
            Observer(name="pairing", observe=pairing.append, kinds={Kind.FRAME, Kind.PROBE}),
            Observer(name="metrics", observe=plain.append),
            Observer(name="companions", observe=curious.append, kinds=COMPANIONS),
        ],
        lambda _: None,
    )
    for kind in Kind:
        told.append(replace(ANSWERED, kind=kind))
        observers.tell(told[-1])
    frame, probe, detail = told
    assert (pairing, plain, curious) == ([frame, probe], [frame], [probe, detail])


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
    asked: list[tuple[str, Match, Sequence[int]]] = []

    def wants(model: str, match: Match, devices: Sequence[int]) -> bool:
        asked.append((model, match, devices))
        return model == "digits/7"

    curious = Observer(name="drift", observe=lambda _: None, wants_statistics=wants)
    assert not Observers([plain], lambda _: None).want_statistics("digits/7", Match.EXACT, [1])
    observers = Observers([plain, curious, curious], lambda _: None)
    assert observers.want_statistics("digits/7", Match.EXACT, [1, 2])
    assert not observers.want_statistics("digits/8", Match.RESIZED, [3])
    assert asked == [("digits/7", Match.EXACT, [1, 2])] * 2 + [("digits/8", Match.RESIZED, [3])] * 2
