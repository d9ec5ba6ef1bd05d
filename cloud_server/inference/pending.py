"""One request's frames on their way: an outcome each, in any order, and one moment when all are there."""

import asyncio
from collections.abc import Sequence
from typing import Generic, TypeVar

from cloud_server.errors import TimedOutError
from shared.errors import DctwireError

Answer = TypeVar("Answer")


Ranking = Sequence[tuple[str, float]]
"""Labels and the confidence in them, the likeliest first."""


class Pending(Generic[Answer]):
    """The outcomes of `count` frames. Lives on the event loop.

    Attributes:
        rankings: by a frame's index, where one was asked for and the frame was classified just now.
    """

    def __init__(self, count: int) -> None:
        self._outcomes: list[Answer | DctwireError | None] = [None] * count
        self._missing = count
        self.rankings: dict[int, Ranking] = {}
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def is_complete(self) -> bool:
        """Whether every outcome is there."""
        return not self._missing

    def settle(self, index: int, outcome: Answer | DctwireError) -> None:
        """Note the outcome of one frame, once for each; it is ignored when nobody waits any more."""
        self._outcomes[index] = outcome
        self._missing -= 1
        if not self._missing and not self._done.done():
            self._done.set_result(None)

    def fail(self, error: Exception) -> None:
        """End the waiting with this error, a fault of ours."""
        if not self._done.done():
            self._done.set_exception(error)

    async def outcomes(self, seconds: float) -> list[Answer | DctwireError]:
        """Wait for every outcome, at most so many seconds; a frame that has none by then gets a TimedOutError."""
        timer = asyncio.get_running_loop().call_later(seconds, self._expire)
        try:
            await self._done
        finally:
            timer.cancel()
        if not self._missing:
            return self._outcomes  # type: ignore[return-value]  # none is None
        late = TimedOutError(f"no answer within {seconds:g} seconds")
        return [late if outcome is None else outcome for outcome in self._outcomes]

    def _expire(self) -> None:
        if not self._done.done():
            self._done.set_result(None)
