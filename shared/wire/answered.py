"""`DW-Answered`: which frames an answer without their results is about, and how they came to their classifiers.

Written by the server, read by devices: a frame leaves the spool on an answer that names it, and on no other. Forms:

    <device id>.<sequence> <match>                    the answer to a frame
    <device id>.<sequence>                            the answer to a label of that frame
    <device id>.<sequence> refused                    the refusal of a frame or a label; the problem is in the body
    <device id>.<first>-<last> <match>=<frames> ...   the answer to a batch: its first and last sequence in the batch's
                                                      order, and how many frames were answered, by match
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Self

from shared.wire.batch import BATCH_MAX_FRAMES
from shared.wire.sequences import SEQUENCE_MAX

ANSWERED_HEADER = "DW-Answered"
ANSWERED_MAX_CHARACTERS = 256
"""No value of the header is longer."""
_NUMBER = r"(?:0|[1-9][0-9]{0,18})"
_MATCH = r"[a-z][a-z-]{0,15}"  # of a newer server, one that is not known here: it is an answer all the same
_COUNTS_MAX = 8
_REFUSED = "refused"  # stands in the place of a match, and is none
_FORM = re.compile(
    rf"(?P<device>[a-z0-9]{{1,16}})\.(?P<first>{_NUMBER})"
    rf"(?:-(?P<last>{_NUMBER})(?P<counts>(?: {_MATCH}=[1-9][0-9]{{0,2}}){{0,{_COUNTS_MAX}}})|(?: (?P<match>{_MATCH}))?)"
)


@dataclass(frozen=True, slots=True)
class Answered:
    """What an answer is about.

    Args:
        last: the last sequence of a batch; None where the answer is about a frame or its label.
        frames: how many frames were answered, by match; none of a label or a refusal.
        is_refusal: the frame, or its label, is refused.
    """

    device_id: str
    first: int
    last: int | None = None
    frames: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    is_refusal: bool = False

    @classmethod
    def frame(cls, device_id: str, sequence: int, match: str) -> Self:
        """The answer to a frame."""
        return cls(device_id, sequence, None, {match: 1})

    @classmethod
    def refusal(cls, device_id: str, sequence: int) -> Self:
        """The refusal of a frame, or of its label."""
        return cls(device_id, sequence, is_refusal=True)

    @classmethod
    def parse(cls, value: str) -> Self | None:
        """Read the header's value; None where it is none of ours, whatever else it is."""
        form = _FORM.fullmatch(value) if len(value) <= ANSWERED_MAX_CHARACTERS else None
        if form is None:
            return None
        answered = cls._read(form["device"], int(form["first"]), form["last"], form["match"], form["counts"] or "")
        return answered if str(answered) == value and answered._is_in_range() else None

    @classmethod
    def _read(cls, device_id: str, first: int, last: str | None, match: str | None, counts: str) -> Self:
        if match == _REFUSED:
            return cls.refusal(device_id, first)
        if last is None:
            return cls(device_id, first, None, {match: 1} if match else {})
        pairs = [text.split("=") for text in counts.split()]
        return cls(device_id, first, int(last), {name: int(count) for name, count in pairs})

    def __str__(self) -> str:
        """The header's value."""
        name = f"{self.device_id}.{self.first}"
        if self.last is None:
            return " ".join((name, *((_REFUSED,) if self.is_refusal else self.frames)))
        return " ".join((f"{name}-{self.last}", *(f"{match}={count}" for match, count in self.frames.items())))

    def _is_in_range(self) -> bool:
        last = self.first if self.last is None else self.last
        return self.first <= last <= SEQUENCE_MAX and sum(self.frames.values()) <= BATCH_MAX_FRAMES
