"""How long to wait before trying again: full jitter, never sooner than the peer asked."""

from collections.abc import Callable
from dataclasses import dataclass

FIRST_CEILING_SECONDS = 0.5
HIGHEST_CEILING_SECONDS = 60.0
LONGEST_RETRY_AFTER_SECONDS = 3600.0
RETRIES_AT_ONCE = 20.0
RETRIES_AN_ANSWER = 0.1
SPENT_FLOOR_SECONDS = 10.0


def delay_seconds(attempt: int, retry_after_seconds: float | None, random: Callable[[], float]) -> float:
    """The seconds to wait before attempt number `attempt + 1`.

    Full jitter: uniform between zero and a ceiling that doubles with every failure. A peer's Retry-After is added
    to it (an hour of it at most, so that no peer can switch a camera off): a fleet that was told the same time does
    not come back in the same moment.

    Args:
        attempt: failures in a row before this one, from 0.
        retry_after_seconds: what the peer asked for, if it did.
        random: uniform in [0, 1).
    """
    ceiling = min(HIGHEST_CEILING_SECONDS, FIRST_CEILING_SECONDS * 2.0 ** min(attempt, 16))
    floor = min(max(retry_after_seconds or 0.0, 0.0), LONGEST_RETRY_AFTER_SECONDS)
    return floor + random() * ceiling


@dataclass(frozen=True)
class RetryBudget:
    """How many retries may follow soon: some at once, and one for each ten answers.

    Back-off alone begins anew with each answer: where every other request fails, it would never grow.
    """

    retries: float = RETRIES_AT_ONCE

    @property
    def floor_seconds(self) -> float:
        """How long to wait before the next retry, at least."""
        return 0.0 if self.retries >= 1.0 else SPENT_FLOOR_SECONDS

    def answered(self) -> "RetryBudget":
        """The budget after an answer."""
        return RetryBudget(min(RETRIES_AT_ONCE, self.retries + RETRIES_AN_ANSWER))

    def failed(self) -> "RetryBudget":
        """The budget after a failure, which is followed by a retry."""
        return RetryBudget(max(0.0, self.retries - 1.0))
