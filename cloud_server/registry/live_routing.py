"""The routing table as it is now: replaced whole when something is published or released, here or elsewhere."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress

import structlog

from cloud_server.inference.model_cache import ModelCache
from cloud_server.inference.routing import Model, Published, RoutingTable
from cloud_server.registry.catalogue import Catalogue, counter_of
from shared.errors import DctwireError

REFRESH_SECONDS = 0.2
"""How long what was read from the database counts as new."""
NAMED_MAX = 20
"""How many of what was found a line of the log names."""
_log = structlog.get_logger()


class LiveRouting:
    """Keeps the routing table, and the models in memory that it leads to.

    Args:
        told: the counters of what each family's devices are told to run, as `RoutingTable.anchors` takes them.
        monotonic: seconds on a clock that never goes back.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        models: ModelCache,
        told: Callable[[], Mapping[str, Collection[int | None]]],
        monotonic: Callable[[], float],
    ) -> None:
        self._catalogue = catalogue
        self._models = models
        self._told = told
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
        """Serve what other processes have published and released since the last time.

        Frames of it are welcome at once; its classifier is loaded before the first of them if there is time.

        Raises:
            StorageError: the database does not answer.
        """
        before = self.table
        async with self._catalogue.changing:
            news = await self.take_in()
        for published in news:
            with suppress(DctwireError):  # logged, remembered
                await self._models.get(published)
        if news or self.table is not before:
            self._let_go()

    async def refresh(self) -> None:
        """Welcome what other processes have published or released, not loading it: for a frame nobody here can answer.

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
        """Route to what is recorded and released by now. Whoever calls it holds `Catalogue.changing`.

        Returns:
            What was not known here yet, and what is newly released.

        Raises:
            StorageError: the database does not answer.
        """
        released = self._catalogue.released
        news = await self._catalogue.read_new()
        if news:
            names = [published.name for published in news[:NAMED_MAX]]
            _log.info("published-models-found", count=len(news), names=names)
        if news or self._catalogue.released != released:
            self.table = self.table.leading_to(self._catalogue.answering())
        newly = [one for one in self._catalogue.released_fallbacks() if released.get(one.family) != one.name]
        return list({one.name: one for one in (*news, *newly)}.values())

    def serve(self, model: Model) -> None:
        """Route to what has just been published here, and keep its model in memory where a frame may lead to it."""
        self.table = self.table.leading_to(self._catalogue.answering())
        self._models.keep(model)
        self._let_go()

    def serves(self) -> list[str]:
        """The names of what this process can answer with, in memory or loaded when a frame needs it."""
        return [one.name for one in self._catalogue.every() if self._models.failure(one) is None]

    def _let_go(self) -> None:
        """Drop the models that no frame leads to any more; batches that use them finish first."""
        self._models.keep_only(self.table.in_use(self._models.is_failing, self._told()))

    def _likely(self) -> Iterator[Published]:
        """What each family's frames will need first: what devices are told to run, the newest bundle, the fallback."""
        bundles, told = [registered.published for registered in self._catalogue.bundles()], self._told()
        meant = {family: self.table.anchors(family, told) for family in {bundle.family for bundle in bundles}}
        yield from (bundle for bundle in bundles if counter_of(bundle) in meant[bundle.family])
        yield from {bundle.family: bundle for bundle in bundles}.values()
        yield from self._catalogue.released_fallbacks()
