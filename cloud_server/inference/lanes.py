"""From what a frame's markers say to the lane that answers it; a classifier that is not in memory is loaded first."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from time import perf_counter

from cloud_server.errors import NotReadyError, QueueFullError, TimedOutError
from cloud_server.inference.model_cache import ModelCache
from cloud_server.inference.routing import Candidate, Lane, Route, RoutingTable
from shared.errors import DctwireError, PeerError
from shared.jpeg import FrameInfo, UnknownTablesError


class Lanes:
    """Chooses a lane a frame. Where the best classifier cannot be loaded, the next best answers.

    Args:
        look_again: asks whether another process has published meanwhile.
        waiting_max: how many frames may wait for classifiers to be loaded.
    """

    def __init__(
        self,
        serving: Callable[[], RoutingTable],
        sessions: ModelCache,
        look_again: Callable[[], Awaitable[None]],
        waiting_max: int,
    ) -> None:
        self._serving = serving
        self._sessions = sessions
        self._look_again = look_again
        self._waiting_max = waiting_max
        self._waiting = 0

    async def require(self, family: str) -> None:
        """Whether anything can answer this family.

        Raises:
            NotReadyError: not yet.
        """
        try:
            self._serving().require(family)
        except NotReadyError:
            await self._look_again()
            self._serving().require(family)

    async def of(self, family: str, infos: Sequence[FrameInfo | PeerError], until: float) -> list[Lane | DctwireError]:
        """A lane or an error for each frame, in order; what is an error already stays one.

        Args:
            until: when the frames have waited long enough, on perf_counter's clock.
        """
        serving = self._serving()
        lanes: list[Lane | DctwireError] = []
        before: FrameInfo | PeerError | None = None
        for info in infos:
            if info is not before:  # a batch's frames share what is known of them
                found = info if isinstance(info, PeerError) else await self._lane(serving, family, info, until)
                before = info
            lanes.append(found)
        return lanes

    async def _lane(self, serving: RoutingTable, family: str, info: FrameInfo, until: float) -> Lane | DctwireError:
        try:
            route = await self._route(serving, family, info)
            while not isinstance(found := self._best(route, info), Lane):
                await self._load(found, until)
        except DctwireError as error:
            return error
        return found

    async def _route(self, serving: RoutingTable, family: str, info: FrameInfo) -> Route:
        try:
            return serving.route(family, info)
        except UnknownTablesError:
            await self._look_again()
            return self._serving().route(family, info)

    def _best(self, route: Route, info: FrameInfo) -> Lane | Candidate:
        """The best that is in memory or may come into it.

        Raises:
            WrongSizeError: no classifier takes frames of this size.
            NotReadyError: none can be loaded now.
        """
        for candidate in route.of_size(info):
            if (model := self._sessions.find(candidate.published)) is not None:
                return route.lane(candidate, model)
            if self._sessions.may_load(candidate.published):
                return candidate
        raise NotReadyError("none of the family's classifiers can be loaded now; the server's log says why")

    async def _load(self, candidate: Candidate, until: float) -> None:
        """Load it or, when that fails, have it remembered.

        Raises:
            QueueFullError, TimedOutError: too many frames wait for that, or this one has for too long.
        """
        if self._waiting >= self._waiting_max:
            raise QueueFullError(f"{self._waiting} frames wait for classifiers to be loaded")
        self._waiting += 1
        try:
            async with asyncio.timeout(until - perf_counter()):
                with suppress(DctwireError):
                    await self._sessions.get(candidate.published)
        except TimeoutError as error:
            raise TimedOutError(f"{candidate.published.name} is still being loaded") from error
        finally:
            self._waiting -= 1
