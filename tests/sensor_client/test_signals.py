"""What the threads tell each other."""

import pytest

from sensor_client.signals import Signals


@pytest.mark.parametrize("seq", [4, 6])
def test_another_assignment_than_the_settled_one_is_news_whichever_number_is_higher(seq: int) -> None:
    signals = Signals(settled_seq=5)

    signals.notice_assignment(5)
    assert not signals.assignment_news.is_set()

    signals.notice_assignment(seq)
    assert signals.assignment_news.is_set()


def test_a_stop_ends_every_wait() -> None:
    signals = Signals(settled_seq=0)

    signals.request_stop()

    assert signals.stop.is_set() and signals.frames_waiting.is_set() and signals.assignment_news.is_set()
