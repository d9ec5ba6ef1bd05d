"""When to ask for the assignment: now and then, at once when a reply names another one, and never in a hurry. Pure.

The number that a reply names is signed by nobody. Where it says "news" and the answer brings none, the device asks less
and less often, whatever the replies go on saying.
"""

from dataclasses import dataclass, replace
from typing import Self

FLOOR_SECONDS = 2.0
HIGHEST_FLOOR_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Asking:
    """What is known of the questions so far; times in seconds of a clock that never goes back.

    Args:
        asked_at: when the last question was asked; None before the first.
        wait_seconds: from then to the next one.
        is_failing: whether the last one failed, so that news does not bring the next one forward.
        barren: questions in a row that were asked because of news, and brought none.
    """

    asked_at: float | None = None
    wait_seconds: float = 0.0
    is_failing: bool = False
    barren: int = 0

    def put_off(self, now: float, wait_seconds: float) -> Self:
        """Nothing was asked, and nothing is to be before `wait_seconds` have passed, unless there is news."""
        return replace(self, asked_at=now, wait_seconds=wait_seconds)

    def answered(self, now: float, *, poll_seconds: float, was_news: bool, brought_change: bool) -> Self:
        """A question at `now` was answered and settled."""
        barren = self.barren + 1 if was_news and not brought_change else 0
        return replace(self, asked_at=now, wait_seconds=poll_seconds, is_failing=False, barren=barren)

    def failed(self, now: float, wait_seconds: float) -> Self:
        """A question at `now` had no answer, or one that settles nothing yet."""
        return replace(self, asked_at=now, wait_seconds=wait_seconds, is_failing=True)

    def seconds_left(self, now: float, *, is_news: bool) -> float:
        """How long to wait from `now` before asking; 0 when it is time."""
        if self.asked_at is None:
            return 0.0
        wait_seconds = self.wait_seconds
        if is_news and not self.is_failing:
            wait_seconds = min(wait_seconds, _floor_seconds(self.barren))
        return max(0.0, self.asked_at + max(wait_seconds, FLOOR_SECONDS) - now)


def _floor_seconds(barren: int) -> float:
    return min(HIGHEST_FLOOR_SECONDS, FLOOR_SECONDS * 2.0 ** min(barren, 16))
