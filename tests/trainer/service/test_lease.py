"""A lease: words in time, news at once, and what ends it."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from trainer.service.lease import Lease, LeaseLostError, LeaseOutError
from trainer.service.operator_program import NotReachedError, OperatorProgram, RefusalError
from trainer.service.record import Record

PROGRAM = OperatorProgram("", "", Path(), False, lambda: False)


@dataclass
class Told(Record):
    """A record that keeps what it is told, and answers as a test says."""

    answer: Callable[[], None]
    lease_seconds: float = 0.03
    words: list[tuple[str, float]] = field(default_factory=list)
    heard: threading.Event = field(default_factory=threading.Event)

    def tell(self, run: str, stage: str, share: float) -> None:
        self.words.append((stage, share))
        self.heard.set()
        self.answer()


def until(condition: Callable[[], bool], told: Told) -> None:
    """Wait for a word after which something holds."""
    for _ in range(1000):
        if condition():
            return
        told.heard.wait(10)
        told.heard.clear()
    raise AssertionError("it never came to that")


def fine() -> None:
    """Say yes."""


def test_a_new_stage_is_told_at_once_and_the_share_with_the_next_word() -> None:
    told = Told(fine, lease_seconds=3600)
    with Lease(told, "r", lambda: 0.0) as lease:
        until(lambda: ("taken", 0.0) in told.words, told)
        lease.at("train", 0.25)
        until(lambda: ("train", 0.25) in told.words, told)
        lease.require()
    assert not lease.is_lost


def test_the_lease_is_kept_by_words_before_it_is_out() -> None:
    told = Told(fine)
    with Lease(told, "r", lambda: 0.0) as lease:
        until(lambda: len(told.words) >= 5, told)
        lease.require()


def test_who_is_refused_has_lost_it() -> None:
    def refuse() -> None:
        raise RefusalError("conflict", "run r was cancelled", "")

    told = Told(refuse)
    with Lease(told, "r", lambda: 0.0) as lease:
        until(lambda: lease.is_lost, told)
        with pytest.raises(LeaseLostError, match="run r was cancelled"):
            lease.require()
    assert len(told.words) == 1


def test_a_server_that_is_away_for_less_than_a_lease_does_not_matter_and_for_longer_it_is_out() -> None:
    clock = [0.0]

    def away() -> None:
        raise NotReachedError("nobody answers")

    told = Told(away)
    with Lease(told, "r", lambda: clock[0]) as lease:
        until(lambda: len(told.words) >= 3, told)
        lease.require()
        clock[0] = told.lease_seconds
        until(lambda: lease.is_lost, told)
        with pytest.raises(LeaseOutError, match="nobody answers"):
            lease.require()
