"""Frames whose numbers are taken get others, and none is lost on the way."""

import contextlib
import itertools

import pytest

from sensor_client.spool import Spool
from sensor_client.uploader import PASSED_MAX, RENUMBERED_FLOOR_SECONDS
from shared.errors import ChannelError
from shared.wire import ProblemCode
from tests.sensor_client.device_plane import DevicePlane
from tests.sensor_client.fakes import FakeClock
from tests.sensor_client.uploading import PAGE_413, Drained, MakeUploader, fill, jpeg


@pytest.mark.parametrize("batch", [1, 4])
def test_a_device_that_counts_from_the_start_again_goes_on_above_what_it_had_sent(
    spool: Spool, plane: DevicePlane, drained: Drained, batch: int
) -> None:
    old = dict.fromkeys(range(1, 41), b"of an earlier life")
    plane.frames.update(old)
    plane.judge_numbers()
    fill(spool, 10)

    drained(batch=batch)

    assert plane.frames == old | {sequence: jpeg(sequence - 41) for sequence in range(41, 51)}
    assert spool.counters().renumbered == 10
    assert spool.counters().acknowledged == 10
    assert len(plane.asked("/v1/frames")) + len(plane.asked("/v1/frames:batch")) <= 11


def test_frames_of_a_batch_that_were_taken_keep_their_number_and_the_others_get_new_ones(
    spool: Spool, plane: DevicePlane, drained: Drained
) -> None:
    plane.frames.update({2: b"of an earlier life", 9: b"another"})
    plane.judge_numbers()
    fill(spool, 4)

    drained(batch=4)

    assert {number: body for number, body in plane.frames.items() if number not in (2, 9)} == {
        1: jpeg(0),
        3: jpeg(2),
        4: jpeg(3),
        10: jpeg(1),
    }


def test_a_server_that_takes_no_number_is_asked_again_ever_more_slowly_and_no_frame_is_lost(
    spool: Spool, plane: DevicePlane, make: MakeUploader
) -> None:
    plane.frames[100] = b"of an earlier life"
    plane.judge = lambda _sequence, _body: ProblemCode.SEQUENCE_TAKEN
    fill(spool, 3)
    uploader = make(batch=3)

    uploader.step()
    numbered = spool.oldest(9)
    for _ in range(3):
        with pytest.raises(ChannelError, match="numbered anew a moment ago") as caught:
            uploader.step()
        assert caught.value.retry_after_seconds == RENUMBERED_FLOOR_SECONDS

    assert spool.oldest(9) == numbered
    assert [frame.body for frame in numbered] == [jpeg(0), jpeg(1), jpeg(2)]


def test_whoever_takes_the_next_numbers_of_a_device_does_not_have_those_after_the_second_renumbering(
    spool: Spool, plane: DevicePlane, make: MakeUploader, clock: FakeClock
) -> None:
    plane.frames[1] = b"of a thief"
    plane.judge_numbers()
    fill(spool, 1)
    uploader = make()

    uploader.step()
    plane.frames[2] = b"of a thief"
    clock.elapsed_seconds += RENUMBERED_FLOOR_SECONDS
    uploader.step()

    assert [frame.sequence for frame in spool.oldest(9)] == [3 + PASSED_MAX // 2]


def test_a_server_that_names_the_end_of_all_numbers_is_not_followed(
    spool: Spool, plane: DevicePlane, make: MakeUploader
) -> None:
    plane.frames[2**63 - 2] = b"of an earlier life"
    plane.judge = lambda _sequence, _body: ProblemCode.SEQUENCE_TAKEN
    fill(spool, 2)

    with pytest.raises(ChannelError, match="goes on counting"):
        make().step()

    assert [frame.sequence for frame in spool.oldest(9)] == [1, 2]


@pytest.mark.parametrize("batch", [1, 4])
def test_a_device_that_was_driven_above_all_counting_goes_back_to_behind_the_highest_number_that_the_server_has(
    spool: Spool, plane: DevicePlane, drained: Drained, batch: int
) -> None:
    old = dict.fromkeys(range(1, 41), b"of an earlier life")
    plane.frames.update(old)
    plane.judge_numbers()
    fill(spool, 10)
    spool.renumber(above=2**61)

    drained(batch=batch)

    assert plane.frames == old | {sequence: jpeg(sequence - 41) for sequence in range(41, 51)}
    assert spool.counters().acknowledged == 10 and spool.highest_sequence() == 50


def test_a_batch_of_which_one_number_is_taken_and_a_later_one_too_high_goes_back(
    spool: Spool, plane: DevicePlane, drained: Drained
) -> None:
    verdicts = iter([ProblemCode.SEQUENCE_TAKEN, ProblemCode.SEQUENCE_TOO_HIGH])
    plane.judge = lambda _sequence, _body: next(verdicts, None)
    fill(spool, 2)
    spool.renumber(above=2**61)

    drained(batch=2)

    assert plane.frames == {1: jpeg(0), 2: jpeg(1)}


def test_frames_behind_one_that_is_passed_over_are_sent_once_all_have_lower_numbers(
    spool: Spool, plane: DevicePlane, make: MakeUploader
) -> None:
    fill(spool, 3)
    spool.renumber(above=2**61)
    plane.scripted.append(("/v1/frames", PAGE_413))
    plane.judge_numbers()
    uploader = make()

    with pytest.raises(ChannelError):
        uploader.step()  # the first one is passed over
    for _ in range(4):
        uploader.step()  # the second one is too high, and then all three go

    assert plane.frames == {number + 1: jpeg(number) for number in range(3)}


def test_a_device_that_counts_as_it_should_goes_back_for_no_server(
    spool: Spool, plane: DevicePlane, make: MakeUploader
) -> None:
    plane.judge = lambda _sequence, _body: ProblemCode.SEQUENCE_TOO_HIGH
    fill(spool, 2)
    spool.renumber(above=2**42 - 3)
    kept = spool.oldest(9)

    for _ in range(3):
        with pytest.raises(ChannelError, match="not too high"):
            make().step()

    assert spool.oldest(9) == kept and spool.highest_sequence() == 2**42 - 1


def test_a_server_that_sends_a_device_up_and_down_has_it_number_anew_once_a_minute_at_most(
    spool: Spool, plane: DevicePlane, make: MakeUploader, clock: FakeClock
) -> None:
    lies = itertools.cycle([None, ProblemCode.SEQUENCE_TAKEN, None, ProblemCode.SEQUENCE_TOO_HIGH])
    plane.judge = lambda _sequence, _body: next(lies)
    plane._highest = lambda code: 2**61 if code is ProblemCode.SEQUENCE_TAKEN else 0  # type: ignore[method-assign]
    uploader = make()
    numbered: list[float] = []
    while clock.elapsed_seconds < 1000.0 + 400.0:
        sequence = spool.append(jpeg(0), 0)
        with contextlib.suppress(ChannelError):
            uploader.step()
        if spool.highest_sequence() != sequence:
            numbered.append(clock.elapsed_seconds)
        clock.elapsed_seconds += 4.0
    assert len(numbered) >= 4
    assert all(later - earlier >= 60.0 for earlier, later in itertools.pairwise(numbered))
    assert spool.counters().encoded == spool.counters().acknowledged + spool.depth().frames
