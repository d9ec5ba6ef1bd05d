"""The frames that people may watch: a few a second, never more bytes than said, the newest first."""

import pytest

from cloud_server.answered import AnsweredFrame, AnsweredFrames
from cloud_server.feedback.latest_frames import FRAMES_A_FAMILY, FRAMES_A_SECOND, LatestFrames
from shared.jpeg import Stream, inspect
from shared.wire import Match
from tests.cloud_server.harness.frames import frame, tables

LABELS = ("zero", "one")


def answered(
    *sequences: int, at: float = 1.0, family: str = "digits", data: bytes = b"jpeg", is_counted: bool = True
) -> AnsweredFrames:
    """A micro-batch of device 7."""
    return AnsweredFrames(
        family=family,
        model=f"{family}/1",
        labels=LABELS,
        match=Match.EXACT,
        tables="v1",
        table_set=tables(50),
        answered_at=at,
        frames=tuple(AnsweredFrame(7, sequence, data, 2, 1, 0.9, is_counted) for sequence in sequences),
    )


def test_a_frame_is_held_with_its_answer() -> None:
    held = LatestFrames()
    held.observe(answered(3, is_counted=False))
    (found,) = held.numbered(3)
    assert (found.device_id, found.label, found.confidence, found.model, found.is_counted) == (
        7,
        "one",
        0.9,
        "digits/1",
        False,
    )
    assert list(held.numbered(4)) == []


def test_of_each_second_a_few_are_taken_of_each_family() -> None:
    held = LatestFrames()
    held.observe(answered(0, 1))
    held.observe(answered(*range(2, 10)))
    held.observe(answered(20, at=1.9))
    held.observe(answered(30, family="birds"))
    assert [one.sequence for one in held.newest(100, "digits")] == list(range(FRAMES_A_SECOND))
    assert [one.sequence for one in held.newest(100, "birds")] == [30]
    assert held.families() == ["birds", "digits"]
    assert held.newest(100, "nobody") == []
    held.observe(answered(40, at=2.0))
    assert held.newest(1)[0].sequence == 40, "the next second has room again"


def test_the_newest_come_first_and_the_version_tells_of_each() -> None:
    held = LatestFrames()
    seen = [held.version]
    for second in range(3):
        held.observe(answered(second, at=second))
        seen.append(held.version)
    assert [one.sequence for one in held.newest(2)] == [2, 1]
    assert seen == [0, 1, 2, 3]


def test_a_family_holds_no_more_than_its_share() -> None:
    held = LatestFrames()
    for second in range(FRAMES_A_FAMILY + 5):
        held.observe(answered(second, at=second))
    assert len(held.newest(1000)) == FRAMES_A_FAMILY
    assert not list(held.numbered(4)) and list(held.numbered(5))


@pytest.mark.parametrize("size", [1, 400, 999, 1000])
def test_bytes_stay_within_the_bound(size: int) -> None:
    held = LatestFrames(max_bytes=1000)
    for second in range(2 * FRAMES_A_FAMILY):
        held.observe(answered(second, at=second, family=f"family-{second % 3}", data=b"x" * size))
        assert sum(len(one.data) for one in held.newest(1000)) <= 1000
    assert len(held.newest(1000)) == min(1000 // size, 2 * FRAMES_A_FAMILY)


def test_a_frame_larger_than_everything_is_not_held_and_costs_the_others_nothing() -> None:
    held = LatestFrames(max_bytes=1000)
    held.observe(answered(1))
    held.observe(answered(2, data=b"x" * 1001))
    assert [one.sequence for one in held.newest(9)] == [1]


def test_its_picture_carries_its_own_tables() -> None:
    held = LatestFrames()
    held.observe(answered(1, data=frame(tables(50), 0)))
    (found,) = held.numbered(1)
    assert inspect(found.jpeg()).quant == inspect(frame(tables(50), 0, Stream.INTERCHANGE)).quant
