"""From what a frame's markers say to the lane that answers it; a classifier that is not in memory is loaded first."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Container, Sequence
from contextlib import suppress
from time import perf_counter

from cloud_server.errors import NotReadyError, QueueFullError, TimedOutError
from cloud_server.fleet.devices import Device
from cloud_server.inference.model_cache import ModelCache
from cloud_server.inference.routing import Candidate, Lane, Route, RoutingTable
from shared.errors import DctwireError, PeerError
from shared.jpeg import FrameInfo, UnknownTablesError


class Lanes:
    """Chooses a lane for each frame. Where the best classifier cannot be loaded, the next best answers.

    Args:
        routing: the routing table as it is now.
        models: the models in memory, which loads others.
        refresh: looks whether another process has published meanwhile, and replaces the routing table if so.
        assigned: the counter of the bundle that a device should run, if one is assigned.
        of_own_size: the families whose frames of another size are refused; those of others are brought to theirs.
        waiting_max: how many frames may wait for classifiers to be loaded.
    """

    def __init__(
        self,
        routing: Callable[[], RoutingTable],
        models: ModelCache,
        refresh: Callable[[], Awaitable[None]],
        assigned: Callable[[Device], int | None],
        of_own_size: Container[str],
        waiting_max: int,
    ) -> None:
        self._routing = routing
        self._models = models
        self._refresh = refresh
        self._assigned = assigned
        self._of_own_size = of_own_size
        self._waiting_max = waiting_max
        self._waiting = 0

    async def require(self, family: str) -> None:
        """Check that anything is published that can answer this family.

        Raises:
            NotReadyError: nothing is yet.
        """
        try:
            self._routing().require(family)
        except NotReadyError:
            await self._refresh()
            self._routing().require(family)

    async def of(
        self, device: Device, infos: Sequence[FrameInfo | PeerError], until: float, *, may_resize: bool = True
    ) -> list[Lane | DctwireError]:
        """A lane or an error for each frame of a device, in order; one whose markers could not be read keeps its error.

        Args:
            until: when the frames have waited long enough, on perf_counter's clock.
            may_resize: whether frames of another size are brought to a classifier's, unless the family forbids it.
        """
        lanes: list[Lane | DctwireError] = []
        before: FrameInfo | PeerError | None = None
        for info in infos:
            if info is not before:  # a batch's frames share what is known of them
                before, found = info, await self._lane(device, info, until, may_resize=may_resize)
            lanes.append(found)
        return lanes

    async def _lane(
        self, device: Device, info: FrameInfo | PeerError, until: float, *, may_resize: bool
    ) -> Lane | DctwireError:
        if isinstance(info, PeerError):
            return info
        try:
            route = await self._route(device.family, info)
            anchor = self._routing().anchor(device.family, self._assigned(device))
            may_resize = may_resize and device.family not in self._of_own_size
            while not isinstance(found := self._best(route, info, anchor, may_resize=may_resize), Lane):
                await self._load(found, until)
        except DctwireError as error:
            return error
        return found

    async def _route(self, family: str, info: FrameInfo) -> Route:
        try:
            return self._routing().route(family, info)
        except UnknownTablesError:
            await self._refresh()
            return self._routing().route(family, info)

    def _best(self, route: Route, info: FrameInfo, anchor: int, *, may_resize: bool) -> Lane | Candidate:
        """The lane of the best classifier, or that classifier where it is still to be loaded.

        Raises:
            WrongSizeError: no classifier takes frames of this size.
            NotReadyError: none can be loaded now.
        """
        seconds = []
        for candidate in route.of_size(info, anchor, may_resize=may_resize):
            if (model := self._models.find(candidate.published)) is not None:
                return route.lane(candidate, model)
            if self._models.may_load(candidate.published):
                return candidate
            seconds.append(self._models.wait_seconds(candidate.published))
        detail = "none of the family's classifiers can be loaded now; the server's log says why"
        raise NotReadyError(detail, max(1, math.ceil(min(seconds))))

    async def _load(self, candidate: Candidate, until: float) -> None:
        """Wait until a classifier is loaded, or until that has failed, which the cache remembers.

        Raises:
            QueueFullError: too many frames wait for classifiers already.
            TimedOutError: this frame has waited for too long.
        """
        if self._waiting >= self._waiting_max:
            raise QueueFullError(f"{self._waiting} frames wait for classifiers to be loaded")
        self._waiting += 1
        try:
            async with asyncio.timeout(until - perf_counter()):
                with suppress(DctwireError):
                    await self._models.get(candidate.published)
        except TimeoutError as error:
            raise TimedOutError(f"{candidate.published.name} is still being loaded") from error
        finally:
            self._waiting -= 1
