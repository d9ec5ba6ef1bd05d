"""The routing table as it is now: replaced whole when something is published, here or by another process."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress

import structlog

from cloud_server.inference.model_cache import ModelCache
from cloud_server.inference.routing import Model, Published, RoutingTable
from cloud_server.registry.catalogue import Catalogue, counter_of
from shared.errors import DctwireError

REFRESH_SECONDS = 0.2
"""How long what was read from the database counts as new."""
_log = structlog.get_logger()


class LiveRouting:
    """Keeps the routing table, and the models in memory that it leads to.

    Args:
        assigned: the counter of each family's assigned bundle.
        monotonic: seconds on a clock that never goes back.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        models: ModelCache,
        assigned: Callable[[], Mapping[str, int]],
        monotonic: Callable[[], float],
    ) -> None:
        self._catalogue = catalogue
        self._models = models
        self._assigned = assigned
        self._monotonic = monotonic
        self._refreshed_at = float("-inf")
        self.table = RoutingTable()

    async def load(self) -> None:
        """Read what is recorded, and bring into memory what is likeliest to be needed; once, at the start.

        What cannot be loaded is logged, and tried again when a frame needs it.

        Raises:
            StorageError: the database does not answer.
        """
        async with self._catalogue.changing:
            await self.take_in()
        for published in self._likely():
            if self._models.has_room:
                with suppress(DctwireError):  # logged, remembered
                    await self._models.get(published)

    async def sync(self) -> None:
        """Serve what other processes have published since the last time.

        Frames of it are welcome at once; its classifier is brought into memory before the first of them if there is
        time.

        Raises:
            StorageError: the database does not answer.
        """
        async with self._catalogue.changing:
            news = await self.take_in()
        for published in news:
            with suppress(DctwireError):  # logged, remembered
                await self._models.get(published)
        if news:
            self._let_go()

    async def refresh(self) -> None:
        """Welcome what other processes have published, without loading it: for a frame that nobody here can answer.

        Reads the database a few times a second at most, and not while something is being published here.

        Raises:
            StorageError: the database does not answer.
        """
        is_due = self._monotonic() - self._refreshed_at >= REFRESH_SECONDS
        if is_due and not self._catalogue.changing.locked():
            self._refreshed_at = self._monotonic()
            async with self._catalogue.changing:
                await self.take_in()

    async def take_in(self) -> list[Published]:
        """Route to what is recorded and not known here yet; returns it. Whoever calls it holds `Catalogue.changing`.

        Raises:
            StorageError: the database does not answer.
        """
        news = await self._catalogue.read_new()
        if news:
            self.table = self.table.with_published(*news)
            _log.info("published-models-found", names=[published.name for published in news])
        return news

    def serve(self, model: Model) -> None:
        """Route to what has just been published here, and keep its model in memory."""
        self.table = self.table.with_published(model.published)
        self._models.keep(model)
        self._let_go()

    def serves(self) -> list[str]:
        """The names of what this process can answer with, in memory or loaded when a frame needs it."""
        return [one.name for one in self._catalogue.every() if self._models.failure(one) is None]

    def _let_go(self) -> None:
        """Drop the models that no frame leads to any more; batches that use them finish first."""
        self._models.keep_only(self.table.in_use(self._models.is_failing, self._assigned()))

    def _likely(self) -> Iterator[Published]:
        """What each family's frames will need first: what is assigned, the newest bundle, the newest fallback."""
        bundles, assigned = [registered.published for registered in self._catalogue.bundles()], self._assigned()
        meant = {bundle.family: self.table.anchor(bundle.family, assigned.get(bundle.family)) for bundle in bundles}
        yield from (bundle for bundle in bundles if counter_of(bundle) == meant[bundle.family])
        yield from {bundle.family: bundle for bundle in bundles}.values()
        yield from {one.published.family: one.published for one in self._catalogue.fallbacks()}.values()
