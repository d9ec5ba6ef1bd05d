"""Which frames are kept, and how many."""

import math

from hypothesis import given
from hypothesis import strategies as st

from cloud_server.feedback.reasons import (
    DAY_SECONDS,
    HOUR_SECONDS,
    Reason,
    RecentAnswers,
    SampleCaps,
    SampleRules,
    closed_until,
    day_began,
    hour_began,
    reason_for,
)
from shared.wire import Match

RULES = SampleRules(random_rate=0.1, confidence_below=0.5, rare_share=0.1)
TIMES = st.floats(0, 4e9, allow_nan=False)
COUNTS = st.integers(0, 2000)


def reason(
    drawn: float = 0.9, confidence: float = 0.9, rarity: float = 1.0, match: Match = Match.EXACT
) -> Reason | None:
    """What the rules say of a frame that is ordinary in everything else."""
    return reason_for(RULES, drawn=drawn, confidence=confidence, rarity=rarity, match=match)


def test_an_ordinary_frame_has_no_reason_to_be_kept() -> None:
    assert reason() is None


def test_each_reason_has_its_frames() -> None:
    assert reason(drawn=0.05) is Reason.RANDOM
    assert reason(confidence=0.4) is Reason.NEAR_THRESHOLD
    assert reason(rarity=0.05) is Reason.RARE_CLASS


def test_chance_comes_first_so_that_its_sample_is_fair() -> None:
    assert reason(drawn=0.05, confidence=0.4, rarity=0.05) is Reason.RANDOM


def test_a_fallback_is_kept_by_chance_only() -> None:
    assert reason(confidence=0.1, rarity=0.01, match=Match.FALLBACK) is None
    assert reason(drawn=0.05, match=Match.FALLBACK) is Reason.RANDOM


def test_a_rate_of_zero_keeps_nothing_and_of_one_everything() -> None:
    rules = SampleRules(random_rate=0.0, confidence_below=0.0, rare_share=0.0)
    assert reason_for(rules, drawn=0.0, confidence=0.0, rarity=0.0, match=Match.EXACT) is None
    rules = SampleRules(random_rate=1.0, confidence_below=0.0, rare_share=0.0)
    assert reason_for(rules, drawn=math.nextafter(1, 0), confidence=1, rarity=1, match=Match.EXACT) is Reason.RANDOM


@given(caps=st.builds(SampleCaps, hourly=COUNTS, daily=COUNTS), in_hour=COUNTS, in_day=COUNTS, now=TIMES)
def test_a_frame_is_refused_exactly_while_a_cap_is_met(caps: SampleCaps, in_hour: int, in_day: int, now: float) -> None:
    closed = closed_until(caps, in_hour=in_hour, in_day=in_day, now=now)
    assert (closed is None) == (in_hour < caps.hourly and in_day < caps.daily)
    if closed is not None:
        assert now < closed <= now + (DAY_SECONDS if in_day >= caps.daily else HOUR_SECONDS)
        assert closed % HOUR_SECONDS == 0


@given(
    caps=st.builds(SampleCaps, hourly=st.integers(0, 5), daily=st.integers(0, 20)),
    gaps=st.lists(st.floats(0, 3 * HOUR_SECONDS), max_size=200),
    start=TIMES,
)
def test_no_hour_and_no_day_ever_holds_more_than_its_cap(caps: SampleCaps, gaps: list[float], start: float) -> None:
    """Frames come at any times; each is kept unless the rule says no, and never asked for while it is closed."""
    kept: list[float] = []
    now, closed = start, 0.0
    for gap in gaps:
        now += gap
        if now < closed:
            continue
        in_hour = sum(hour_began(now) == hour_began(at) for at in kept)
        in_day = sum(day_began(now) == day_began(at) for at in kept)
        refused_until = closed_until(caps, in_hour=in_hour, in_day=in_day, now=now)
        if refused_until is None:
            kept.append(now)
        else:
            closed = refused_until
    for at in kept:
        assert sum(hour_began(at) == hour_began(other) for other in kept) <= caps.hourly
        assert sum(day_began(at) == day_began(other) for other in kept) <= caps.daily


def test_a_device_has_a_tenth_of_the_caps_and_one_frame_at_least() -> None:
    assert SampleCaps(hourly=60, daily=600).of_device() == SampleCaps(hourly=6, daily=60)
    assert SampleCaps(hourly=3, daily=19).of_device() == SampleCaps(hourly=1, daily=1)


def test_a_class_is_rare_once_there_are_enough_answers_to_say_so() -> None:
    answers = RecentAnswers()
    assert answers.note("seldom", classes=4) == 1.0
    for _ in range(800):
        assert answers.note("often", classes=4) > 0.5
    assert answers.note("seldom", classes=4) == 2 * 4 / 802


def test_what_was_rare_long_ago_may_be_common_now() -> None:
    answers = RecentAnswers()
    for _ in range(5000):
        answers.note("before", classes=2)
    for _ in range(5000):
        latest = answers.note("after", classes=2)
    assert latest > 1.5
    assert answers.note("before", classes=2) < 0.2


def test_counting_answers_takes_memory_for_labels_only() -> None:
    answers = RecentAnswers()
    for number in range(20_000):
        answers.note(f"label {number}", classes=10)
    assert len(answers._counts) <= 1000
