"""Frames that wait for a worker, and who asked for them: a frame waits once, however many requests want its answer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

from cloud_server.errors import QueueFullError, SequenceTakenError
from cloud_server.fleet.devices import Device
from cloud_server.inference.batcher import Batcher
from cloud_server.inference.frames import Frame
from cloud_server.inference.pending import Pending, Ranking
from cloud_server.inference.routing import Lane
from cloud_server.storage.rows.results import StoredResult
from shared.errors import DctwireError
from shared.wire import FrameResult

Answer = StoredResult | FrameResult
"""A StoredResult answers a frame with a number, a FrameResult one without."""


@dataclass(slots=True, eq=False)
class WaitingFrame:
    """A frame in the queue or with a worker.

    Args:
        askers: each request that wants the frame's outcome, and the frame's index among that request's frames.
        since: when it was queued, on perf_counter's clock.
    """

    device: Device
    lane: Lane
    frame: Frame
    scan_bytes: int
    scan_digest: int
    askers: list[tuple[Pending[Answer], int]]
    since: float
    is_settled: bool = False


class WaitingFrames:
    """Every frame between its request and its outcome. Lives on the event loop.

    Args:
        batcher_of: the queue of a lane.
    """

    def __init__(self, batcher_of: Callable[[Lane], Batcher[Lane, WaitingFrame]]) -> None:
        self._batcher_of = batcher_of
        self._in_flight: dict[tuple[int, int], WaitingFrame] = {}

    def ask(
        self,
        device: Device,
        lane: Lane,
        frame: Frame,
        scan_bytes: int,
        scan_digest: int,
        asker: tuple[Pending[Answer], int],
    ) -> WaitingFrame | None:
        """Queue a frame, or wait for the same frame of an earlier request.

        Returns None where the asker has its outcome already: the queue is full, or another frame has this number.
        """
        key = _key(device, frame)
        if key is not None and (earlier := self._in_flight.get(key)) is not None:
            return self._join(earlier, key[1], scan_digest, asker)
        waiting = WaitingFrame(device, lane, frame, scan_bytes, scan_digest, [asker], perf_counter())
        try:
            self._batcher_of(lane).put(lane, device.row_id, waiting)
        except QueueFullError as error:
            pending, index = asker
            pending.settle(index, error)
            return None
        if key is not None:
            self._in_flight[key] = waiting
        return waiting

    def _join(
        self, earlier: WaitingFrame, sequence: int, scan_digest: int, asker: tuple[Pending[Answer], int]
    ) -> WaitingFrame | None:
        if earlier.scan_digest != scan_digest:
            pending, index = asker
            highest = max(sequence, earlier.device.last_sequence or 0)
            pending.settle(index, SequenceTakenError(sequence, highest))
            return None
        earlier.askers.append(asker)
        return earlier

    def leave(self, frames: Sequence[WaitingFrame], pending: Pending[Answer]) -> None:
        """A request ends: what it has no outcome for leaves the queue.

        A frame stays where another request wants it too, or a worker has it already.
        """
        if pending.is_complete:
            return
        for waiting in frames:
            if waiting.is_settled:
                continue
            waiting.askers = [asker for asker in waiting.askers if asker[0] is not pending]
            batcher = self._batcher_of(waiting.lane)
            if not waiting.askers and batcher.remove(waiting.lane, waiting.device.row_id, waiting):
                self._forget(waiting)

    def settle(self, waiting: WaitingFrame, outcome: Answer | DctwireError, ranking: Ranking = ()) -> None:
        """Give a frame's outcome to everyone who asked for it."""
        self._forget(waiting)
        for pending, index in waiting.askers:
            if ranking:
                pending.rankings[index] = ranking
            pending.settle(index, outcome)

    def fail(self, frames: Sequence[WaitingFrame], error: Exception) -> None:
        """End every request that asked for one of these frames with a fault of ours."""
        for waiting in frames:
            self._forget(waiting)
            for pending, _ in waiting.askers:
                pending.fail(error)

    def _forget(self, waiting: WaitingFrame) -> None:
        """Nobody can join this frame any more: whoever sends it now finds it stored, or it is new."""
        waiting.is_settled = True
        key = _key(waiting.device, waiting.frame)
        if key is not None:
            del self._in_flight[key]


def _key(device: Device, frame: Frame) -> tuple[int, int] | None:
    return None if frame.sequence is None else (device.row_id, frame.sequence)
