"""How fast somebody's password may be guessed: each further wrong one of an operator waits twice as long.

It counts by name, whether there is an operator of that name or not, and forgets. Whoever is kept out by another's
guesses logs in with a one-time code, which this never slows: so nobody locks an admin out.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from cloud_server.errors import GuessedLoginsError, QueueFullError, StorageError

FREE = 5
"""So many wrong ones are for nothing: people mistype."""
LONGEST_SECONDS = 300.0
FORGOTTEN_SECONDS = 3600.0
"""Wrong ones are forgotten when none came for so long."""
NAMES_MAX = 10_000
"""How many names are remembered; past that the one is forgotten whose last attempt is the longest ago."""


@dataclass(frozen=True, slots=True)
class _Wrong:
    times: int
    last_at: float


class Slowing:
    """The wrong passwords of late, by operator; of this process alone.

    Args:
        monotonic: seconds on a clock that never goes back.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._wrong: dict[str, _Wrong] = {}

    @contextmanager
    def attempt(self, name: str) -> Iterator[None]:
        """One attempt, right where nothing is raised within; it is as if it had never been where nothing was checked.

        It counts as a wrong one until then: else many at once would all be free.

        Raises:
            GuessedLoginsError: it is too early for another one; says how long.
        """
        before = self._begin(name)
        try:
            yield
        except (QueueFullError, StorageError):
            self._take_back(name, before)
            raise
        self._wrong.pop(name, None)

    def _begin(self, name: str) -> _Wrong:
        """Count one attempt; returns what there was before it."""
        now = self._monotonic()
        before = self._wrong.pop(name, _Wrong(0, now))
        if now - before.last_at > FORGOTTEN_SECONDS:
            before = _Wrong(0, now)
        wait_seconds = before.last_at + wait_seconds_after(before.times) - now
        if wait_seconds > 0:
            self._wrong[name] = before
            raise GuessedLoginsError(math.ceil(wait_seconds))
        while len(self._wrong) >= NAMES_MAX:
            del self._wrong[next(iter(self._wrong))]
        self._wrong[name] = _Wrong(before.times + 1, now)
        return before

    def _take_back(self, name: str, before: _Wrong) -> None:
        """Forget one attempt, but not those that came beside it."""
        counted = self._wrong.pop(name, None)
        if counted is None or counted.times == 1:
            return
        is_last = counted.times == before.times + 1
        self._wrong[name] = before if is_last else replace(counted, times=counted.times - 1)


def wait_seconds_after(wrong: int) -> float:
    """How long after so many wrong passwords in a row the next one may come: 1, 2, 4 seconds, five minutes at most."""
    return 0.0 if wrong < FREE else min(LONGEST_SECONDS, 2.0 ** (wrong - FREE))
