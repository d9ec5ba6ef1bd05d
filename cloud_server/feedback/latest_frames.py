"""A few of the frames that this process answered last, in memory, for people who watch: bounded in number and bytes."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from cloud_server.answered import AnsweredFrames
from cloud_server.feedback.plain_jpeg import plain_jpeg
from shared.jpeg import TableSet
from shared.wire import Match

FRAMES_A_SECOND = 4
"""Of each family; nobody can look at more."""
FRAMES_A_FAMILY = 48
MAX_BYTES = 16 * 2**20
"""Of all frames together; where they are larger, fewer are held."""


class LatestFrame(NamedTuple):
    """A frame as it came, and its answer.

    Args:
        device_id: the row of the device that sent it.
        tables: what reading `data` takes; None when the frame carries its own.
        label: the answer.
        confidence: 0..1.
        model: the bundle or fallback whose classifier answered.
        answered_at: seconds since 1970.
        is_counted: False of a device in quarantine.
    """

    device_id: int
    sequence: int
    family: str
    data: bytes
    tables: TableSet | None
    label: str
    confidence: float
    model: str
    match: Match
    answered_at: float
    is_counted: bool

    def jpeg(self) -> bytes:
        """The frame as a JPEG that any viewer opens, of its own size and without the camera's metadata.

        Raises:
            JpegError: as `plain_jpeg`.
        """
        return plain_jpeg(self.data, self.tables)


@dataclass(slots=True)
class _Family:
    """The frames of a family, oldest first, and how many were taken in which second."""

    frames: deque[LatestFrame] = field(default_factory=lambda: deque(maxlen=FRAMES_A_FAMILY))
    second: int = 0
    taken: int = 0


class LatestFrames:
    """The latest frames of each family: at most `FRAMES_A_SECOND` of a second are taken, whatever comes.

    Args:
        max_bytes: of the frames that are held, all families together.

    Attributes:
        version: it rises with each frame that is taken.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._families: dict[str, _Family] = {}
        self.version = 0

    def observe(self, answered: AnsweredFrames) -> None:
        """Take as many of a micro-batch as its second has room for; of a full one, none is looked at. Never waits."""
        family = self._families.get(answered.family)
        if family is None:
            family = self._families[answered.family] = _Family()
        second = int(answered.answered_at)
        if second != family.second:
            family.second, family.taken = second, 0
        elif family.taken >= FRAMES_A_SECOND:
            return
        for frame in _frames(answered, FRAMES_A_SECOND - family.taken):
            family.taken += 1
            self._take(family, frame)

    def newest(self, limit: int, family: str | None = None) -> Sequence[LatestFrame]:
        """At most `limit` frames, the newest first, of one family or of all."""
        chosen = self._families.values() if family is None else filter(None, [self._families.get(family)])
        held = (frame for one in chosen for frame in one.frames)
        return sorted(held, key=lambda frame: frame.answered_at, reverse=True)[:limit]

    def numbered(self, sequence: int) -> Iterator[LatestFrame]:
        """The frames that are held with a number, each of another device."""
        return (frame for one in self._families.values() for frame in one.frames if frame.sequence == sequence)

    def families(self) -> list[str]:
        """The families of which frames are held, by name."""
        return sorted(self._families)

    def _take(self, family: _Family, frame: LatestFrame) -> None:
        if len(frame.data) > self._max_bytes:
            return
        if len(family.frames) == FRAMES_A_FAMILY:
            self._bytes -= len(family.frames.popleft().data)
        family.frames.append(frame)
        self._bytes += len(frame.data)
        self.version += 1
        while self._bytes > self._max_bytes:
            crowded = max(self._families.values(), key=lambda one: sum(len(each.data) for each in one.frames))
            self._bytes -= len(crowded.frames.popleft().data)


def _frames(answered: AnsweredFrames, limit: int) -> Iterator[LatestFrame]:
    for one in islice(answered.frames, limit):
        yield LatestFrame(
            one.device_id,
            one.sequence,
            answered.family,
            one.data,
            answered.table_set,
            answered.labels[one.label],
            one.confidence,
            answered.model,
            answered.match,
            answered.answered_at,
            one.is_counted,
        )
