"""Frames, or labels, that are passed over for a while: their own requests fail again and again, and others wait."""

from collections.abc import Iterable
from dataclasses import dataclass

ATTEMPTS = 5
"""In a row, before one is held back."""
FIRST_PAUSE_SECONDS = 60.0
LONGEST_PAUSE_SECONDS = 3600.0
HELD_MAX = 256
"""So many are held back at most: where more fail, it is not they who are at fault."""


@dataclass(frozen=True)
class _Failing:
    attempts: int
    pause_seconds: float
    until_seconds: float
    answers: int


class HeldBack:
    """Knows what is held back, and until when. Nothing of it is lost: each is tried again, after a longer pause each
    time that others were answered meanwhile. A start of the program begins anew."""

    def __init__(self) -> None:
        self._failing: dict[int, _Failing] = {}
        self._answers = 0

    def failed(self, sequence: int, now_seconds: float) -> float | None:
        """Note that the request of this one alone failed; return for how long it is held back now, None for not."""
        known = self._failing.get(sequence)
        if known is None and len(self._failing) >= HELD_MAX:
            return None
        attempts = 1 if known is None else known.attempts + 1
        pause_seconds = FIRST_PAUSE_SECONDS if known is None else known.pause_seconds
        if known is not None and attempts > ATTEMPTS and self._answers > known.answers:
            pause_seconds = min(2 * pause_seconds, LONGEST_PAUSE_SECONDS)
        is_held = attempts >= ATTEMPTS
        until_seconds = now_seconds + pause_seconds if is_held else 0.0
        self._failing[sequence] = _Failing(attempts, pause_seconds, until_seconds, self._answers)
        return pause_seconds if is_held else None

    def hold(self, sequence: int, now_seconds: float, seconds: float) -> None:
        """Hold this one back at once, for so long."""
        if sequence in self._failing or len(self._failing) < HELD_MAX:
            self._failing[sequence] = _Failing(ATTEMPTS, seconds, now_seconds + seconds, self._answers)

    def settled(self, sequences: Iterable[int]) -> None:
        """These were answered, one way or the other."""
        self._answers += 1
        for sequence in sequences:
            self._failing.pop(sequence, None)

    def numbers(self, now_seconds: float) -> frozenset[int]:
        """Those to pass over now."""
        return frozenset(number for number, each in self._failing.items() if each.until_seconds > now_seconds)

    def seconds_to_wait(self, now_seconds: float) -> float:
        """Until one of them is due again; infinite where none is held back."""
        untils = [each.until_seconds for each in self._failing.values() if each.until_seconds > now_seconds]
        return min(untils, default=float("inf")) - now_seconds

    def forget(self) -> None:
        """All numbers mean something else now."""
        self._failing.clear()
