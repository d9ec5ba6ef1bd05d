"""When the device asks for its assignment."""

import pytest

from sensor_client.ota.asking import FLOOR_SECONDS, HIGHEST_FLOOR_SECONDS, Asking


def answered(asking: Asking, at: float, *, was_news: bool = True, brought_change: bool = False) -> Asking:
    return asking.answered(at, poll_seconds=300.0, was_news=was_news, brought_change=brought_change)


def test_the_first_question_waits_for_nothing() -> None:
    assert Asking().seconds_left(5.0, is_news=False) == 0.0


def test_without_news_a_settled_device_asks_now_and_then() -> None:
    asking = answered(Asking(), 10.0, was_news=False)

    assert asking.seconds_left(10.0, is_news=False) == 300.0
    assert asking.seconds_left(309.0, is_news=False) == 1.0
    assert asking.seconds_left(999.0, is_news=False) == 0.0


def test_news_that_brings_nothing_is_followed_less_and_less_often() -> None:
    asking, floors = Asking(), []
    for _ in range(8):
        floors.append(asking.seconds_left(0.0, is_news=True))
        asking = answered(asking, 0.0)

    assert floors == [0.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]


@pytest.mark.parametrize(("was_news", "brought_change"), [(True, True), (False, False)])
def test_news_is_followed_soon_again_once_it_was_true_or_there_was_none(was_news: bool, brought_change: bool) -> None:
    asking = Asking()
    for _ in range(20):
        asking = answered(asking, 0.0)
    assert asking.seconds_left(0.0, is_news=True) == HIGHEST_FLOOR_SECONDS

    asking = answered(asking, 0.0, was_news=was_news, brought_change=brought_change)

    assert asking.seconds_left(0.0, is_news=True) == FLOOR_SECONDS


def test_a_failed_question_is_repeated_after_its_wait_which_news_does_not_shorten() -> None:
    asking = Asking().failed(10.0, wait_seconds=40.0)

    assert asking.seconds_left(10.0, is_news=True) == 40.0


@pytest.mark.parametrize("wait_seconds", [0.0, 1.9])
def test_no_wait_is_shorter_than_the_floor(wait_seconds: float) -> None:
    assert Asking().failed(0.0, wait_seconds).seconds_left(0.0, is_news=True) == FLOOR_SECONDS
    assert Asking().put_off(0.0, wait_seconds).seconds_left(0.0, is_news=False) == FLOOR_SECONDS
