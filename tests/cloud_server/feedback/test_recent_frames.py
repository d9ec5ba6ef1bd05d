"""The frames that memory holds: the latest ones, and never more bytes than said."""

from hypothesis import given
from hypothesis import strategies as st

from cloud_server.feedback.recent_frames import RecentFrame, RecentFrames


def recent(sequence: int, size: int = 100) -> RecentFrame:
    """A frame of one device."""
    return RecentFrame(1, sequence, "digits", b"x" * size, None)


def test_the_oldest_make_room() -> None:
    frames = RecentFrames(max_bytes=2000)
    for sequence in range(10):
        frames.put(recent(sequence))
    assert [frames.pop(1, sequence) is not None for sequence in range(10)] == [False] * 6 + [True] * 4


def test_a_frame_is_taken_once() -> None:
    frames = RecentFrames(max_bytes=2000)
    frames.put(recent(1))
    assert frames.pop(1, 1) == recent(1)
    assert frames.pop(1, 1) is None


def test_a_frame_that_is_too_large_is_not_held_and_costs_the_others_their_place() -> None:
    frames = RecentFrames(max_bytes=2000)
    frames.put(recent(1, size=5000))
    assert len(frames) == 0
    frames.put(recent(2))
    assert len(frames) == 1


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3000), st.booleans())))
def test_bytes_stay_within_the_bound_whatever_comes(steps: list[tuple[int, int, bool]]) -> None:
    frames = RecentFrames(max_bytes=4000)
    held: dict[int, int] = {}
    for sequence, size, is_taken in steps:
        if is_taken:
            frame = frames.pop(1, sequence)
            assert frame is None or len(frame.data) == held[sequence]
        else:
            frames.put(recent(sequence, size))
            held[sequence] = size
    left = [frame for sequence in range(10) if (frame := frames.pop(1, sequence))]
    assert sum(len(frame.data) + 400 for frame in left) <= 4000
    assert len(frames) == 0
    frames.put(recent(0, 3600))
    assert len(frames) == 1, "what was taken out has made room"
