"""What the threads tell each other."""

import pytest

from sensor_client.signals import Signals


@pytest.mark.parametrize("seq", [4, 6])
def test_another_assignment_than_the_settled_one_is_news_whichever_number_is_higher(seq: int) -> None:
    signals = Signals(settled_seq=5)

    signals.notice_assignment(5)
    assert not signals.update_wanted.is_set()

    signals.notice_assignment(seq)
    assert signals.update_wanted.is_set()


def test_other_settings_than_the_settled_ones_are_news_and_none_are_other_ones() -> None:
    signals = Signals(settled_seq=5, settled_settings=3)
    signals.notice_assignment(5, 3)
    assert not signals.update_wanted.is_set()
    signals.notice_assignment(5)
    assert signals.has_news and signals.update_wanted.is_set()
    signals.settle_settings(0)
    assert not signals.has_news


def test_a_stop_ends_every_wait() -> None:
    signals = Signals(settled_seq=0)

    signals.request_stop()

    assert signals.stop.is_set() and signals.frames_waiting.is_set() and signals.update_wanted.is_set()


def test_a_round_begins_unless_a_stop_was_asked_for_and_what_comes_from_then_on_wakes_again() -> None:
    signals = Signals(settled_seq=0)
    signals.labels_waiting.set()

    assert signals.may_go_on(signals.labels_waiting)
    assert not signals.labels_waiting.is_set()

    signals.request_stop()
    assert not signals.may_go_on(signals.labels_waiting)
