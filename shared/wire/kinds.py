"""What a frame is sent for: its own sake, or as a companion of another frame of the same device."""

from enum import StrEnum
from typing import Self


class Kind(StrEnum):
    """What a frame is sent for; all but FRAME are companions, in the order of their numbers in batches.

    A companion belongs to an ordinary frame of its device: a PROBE is the same picture encoded with other tables, so
    that two versions of them can be compared in pairs; a DETAIL is the same picture as ordinary JPEG of a fine quality,
    so that tables can be learned from it. It has a sequence number of its own, is answered like any frame, and counts
    nowhere as one.
    """

    FRAME = "frame"
    PROBE = "probe"
    DETAIL = "detail"

    @property
    def code(self) -> int:
        """Its number in batches."""
        return _BY_CODE.index(self)

    @classmethod
    def of_code(cls, code: int) -> Self | None:
        """The kind with a number, at least 0, in batches; None where there is none."""
        return cls(_BY_CODE[code]) if code < len(_BY_CODE) else None


_BY_CODE = tuple(Kind)
COMPANIONS = frozenset(Kind) - {Kind.FRAME}
"""The kinds of frames that belong to another one."""
