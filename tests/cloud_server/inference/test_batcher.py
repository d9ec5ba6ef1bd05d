"""Greedy micro-batching: what is classified together, in whose turn, and what the queue refuses."""

from collections import Counter
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_server.errors import QueueFullError
from cloud_server.inference.batcher import TURNS_A_BATCH, Batcher, QueueLimits


class Stand:
    """A batcher whose workers are busy until they are told to be done."""

    def __init__(self, workers: int = 1, queue_max: int = 1000, batch_max: int = 4) -> None:
        self.started: list[tuple[str, list[object]]] = []
        self.busy: list[int] = []
        self.round: list[Callable[[], None]] = []
        self.batcher: Batcher[str, object] = Batcher(
            QueueLimits(workers=workers, frames_max=queue_max), lambda _: batch_max, self._run, self.round.append
        )

    def _run(self, lane: str, batch: Sequence[object]) -> None:
        self.started.append((lane, list(batch)))
        self.busy.append(len(batch))

    def put(self, lane: str, device: int, *frames: object) -> None:
        for frame in frames:
            self.batcher.put(lane, device, frame)

    def start(self) -> None:
        """Ask for a start, and end the loop's round."""
        self.batcher.start()
        self.end_round()

    def end_round(self) -> None:
        while self.round:
            self.round.pop(0)()

    def finish(self, seconds_a_frame: float = 0.0) -> None:
        """The oldest batch is done."""
        frames = self.busy.pop(0)
        self.batcher.free(frames, frames * seconds_a_frame)
        self.end_round()

    def finish_all(self) -> None:
        while self.busy:
            self.finish()


def test_the_first_frame_never_waits_for_company() -> None:
    stand = Stand()
    for number in range(6):
        stand.put("a", 1, number)
        stand.start()
    assert stand.started == [("a", [0])]
    stand.finish()
    assert stand.started == [("a", [0]), ("a", [1, 2, 3, 4])]
    assert stand.batcher.depth == 1


def test_what_arrives_in_one_round_of_the_loop_is_classified_together() -> None:
    stand = Stand()
    for number in range(3):
        stand.put("a", number, number)
        stand.batcher.start()
    assert stand.started == []
    stand.end_round()
    assert stand.started == [("a", [0, 1, 2])]


def test_as_many_batches_run_as_there_are_workers() -> None:
    stand = Stand(workers=2)
    stand.put("a", 1, *range(12))
    stand.start()
    assert stand.busy == [4, 4]


def test_lanes_take_turns() -> None:
    stand = Stand(batch_max=2)
    stand.put("a", 1, 0, 1, 2, 3)
    stand.put("b", 1, 9)
    stand.start()
    stand.finish_all()
    assert stand.started == [("a", [0, 1]), ("b", [9]), ("a", [2, 3])]


def test_a_device_that_sends_much_does_not_keep_others_waiting() -> None:
    stand = Stand(batch_max=8)
    stand.put("a", 1, *range(100))
    stand.put("a", 2, "single")
    stand.put("a", 3, "another")
    stand.start()
    assert stand.started == [("a", [0, 1, "single", "another", 2, 3, 4, 5])]


def test_a_full_queue_refuses_the_newest_and_takes_again_when_there_is_room() -> None:
    stand = Stand(queue_max=2)
    stand.put("a", 1, 0, 1)
    with pytest.raises(QueueFullError, match="2 frames"):
        stand.put("b", 1, 2)
    stand.start()
    stand.put("b", 1, 3)
    stand.finish_all()
    assert stand.started == [("a", [0, 1]), ("b", [3])]


def test_a_frame_nobody_waits_for_leaves_the_queue_unless_a_worker_has_it() -> None:
    stand = Stand(batch_max=1)
    stand.put("a", 1, "running", "left", "stays")
    stand.put("b", 2, "left too")
    stand.start()
    assert not stand.batcher.remove("a", 1, "running")
    assert stand.batcher.remove("a", 1, "left")
    assert stand.batcher.remove("b", 2, "left too")
    assert not stand.batcher.remove("a", 1, "left")
    assert stand.batcher.depth == 1
    stand.finish_all()
    assert stand.started == [("a", ["running"]), ("a", ["stays"])]


def test_of_each_device_in_each_lane_the_frame_is_told_that_has_waited_longest() -> None:
    stand = Stand(batch_max=1)
    stand.put("day", 1, "taken", "first", "second")
    stand.start()
    stand.put("day", 2, "other")
    stand.put("night", 1, "dark", "darker")
    assert sorted(map(str, stand.batcher.firsts())) == ["dark", "first", "other"]


def test_the_backlog_is_what_waits_times_what_a_frame_took_lately() -> None:
    stand = Stand(workers=1, batch_max=10)
    stand.put("a", 1, *range(10))
    stand.start()
    for _ in range(40):
        stand.put("a", 1, *(object() for _ in range(10)))
        stand.finish(seconds_a_frame=0.5)
    stand.put("a", 1, *range(100, 120))
    assert stand.batcher.backlog_seconds == pytest.approx(20 * 0.5, rel=0.01)


@given(
    puts=st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 3), st.integers(1, 9)), max_size=30),
    batch_max=st.integers(1, 9),
    workers=st.integers(1, 3),
    leave_every=st.integers(2, 9),
)
def test_every_frame_is_classified_once_in_its_devices_order_or_has_left(
    puts: list[tuple[str, int, int]], batch_max: int, workers: int, leave_every: int
) -> None:
    stand = Stand(workers, queue_max=10_000, batch_max=batch_max)
    given_in: list[tuple[str, int, int]] = []
    left = set()
    for lane, device, count in puts:
        for _ in range(count):
            frame = (lane, device, len(given_in))
            given_in.append(frame)
            stand.put(lane, device, frame)
        stand.start()
        if len(given_in) % leave_every == 0:
            last = given_in[-1]
            if stand.batcher.remove(last[0], last[1], last):
                left.add(last)
    assert stand.batcher.depth == len(given_in) - len(left) - sum(stand.busy)
    stand.finish_all()
    done = [frame for _, batch in stand.started for frame in batch]
    assert Counter(done) == Counter(frame for frame in given_in if frame not in left)
    assert stand.batcher.depth == 0
    for lane, batch in stand.started:
        assert len(batch) <= batch_max
        assert all(isinstance(frame, tuple) and frame[0] == lane for frame in batch)
    for lane, device in {(lane, device) for lane, device, _ in given_in}:
        mine = [frame for frame in done if isinstance(frame, tuple) and frame[:2] == (lane, device)]
        assert mine == sorted(mine)


@given(st.integers(2, 64), st.integers(1, 40))
def test_while_others_wait_a_device_has_its_turn_and_no_more(batch_max: int, others: int) -> None:
    stand = Stand(batch_max=batch_max)
    stand.put("a", 0, *range(500))
    for device in range(1, others + 1):
        stand.put("a", device, f"of {device}")
    stand.start()
    stand.finish()
    turn = max(1, batch_max // TURNS_A_BATCH)
    taken_before_the_last = 0
    for frame in (frame for _, batch in stand.started for frame in batch):
        if frame == f"of {others}":
            assert taken_before_the_last <= turn + others
            return
        taken_before_the_last += 1
    assert taken_before_the_last < turn + others


def test_what_waits_in_a_closed_lane_is_taken_out_and_other_lanes_keep_theirs() -> None:
    stand = Stand()
    stand.put("busy", 1, "under way")
    stand.start()
    stand.put("closed", 1, "one", "two")
    stand.put("closed", 2, "three")
    stand.put("open", 1, "four")
    assert sorted(map(str, stand.batcher.clear(lambda lane: lane == "closed"))) == ["one", "three", "two"]
    assert (stand.batcher.depth, stand.batcher.clear(lambda lane: lane == "closed")) == (1, [])
    stand.finish_all()
    assert stand.started[1:] == [("open", ["four"])]
