"""The last frames that were answered, in memory: a label may come in a moment and say that the answer was wrong."""

from collections import OrderedDict
from typing import NamedTuple

from shared.jpeg import TableSet

_OVERHEAD_BYTES = 400
"""Of one entry beside the frame's bytes, so that many small frames stay within the bound, too."""


class RecentFrame(NamedTuple):
    """A frame as it came, and what reading it takes: `tables` when it carries none; `of`, a companion's, is its frame.

    It holds nothing of the classifier that answered, or models that were replaced would stay in memory.
    """

    device_id: int
    sequence: int
    family: str
    data: bytes
    tables: TableSet | None
    of: int | None = None


class RecentFrames:
    """As many of the latest frames as fit into `max_bytes`; the oldest make room."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._frames: OrderedDict[tuple[int, int], RecentFrame] = OrderedDict()  # a dict's first entry is slow to find

    def __len__(self) -> int:
        return len(self._frames)

    def put(self, frame: RecentFrame) -> None:
        """Remember a frame for as long as there is room."""
        key = (frame.device_id, frame.sequence)
        if key in self._frames:
            self.pop(*key)
        self._frames[key] = frame
        self._bytes += _size(frame)
        while self._bytes > self._max_bytes:
            _, oldest = self._frames.popitem(last=False)
            self._bytes -= _size(oldest)

    def pop(self, device_id: int, sequence: int) -> RecentFrame | None:
        """Take a frame out, if it is still there."""
        frame = self._frames.pop((device_id, sequence), None)
        if frame is not None:
            self._bytes -= _size(frame)
        return frame


def _size(frame: RecentFrame) -> int:
    return len(frame.data) + _OVERHEAD_BYTES
