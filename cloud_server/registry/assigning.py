"""The use case `assign`: make devices run a published bundle, once every server process can answer with it."""

from collections.abc import Iterable

from cloud_server.errors import ConflictError, NotFoundError
from cloud_server.fleet.assignments import Assignments
from cloud_server.fleet.replicas import LIVE_SECONDS, Replicas
from cloud_server.inference.model_cache import ModelCache
from cloud_server.registry.catalogue import Catalogue
from cloud_server.registry.live_routing import LiveRouting
from shared.bundle import Bundle
from shared.errors import DctwireError
from shared.wire import Assignment

SERVED_MAX_SECONDS = LIVE_SECONDS + 5
"""How long an assignment waits until every process serves the bundle."""


class Assigning:
    """Assigns bundles.

    Args:
        served_max_seconds: how long to wait until every live process serves a bundle.
    """

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        routing: LiveRouting,
        models: ModelCache,
        replicas: Replicas,
        assignments: Assignments,
        served_max_seconds: float = SERVED_MAX_SECONDS,
    ) -> None:
        self._catalogue = catalogue
        self._routing = routing
        self._models = models
        self._replicas = replicas
        self._assignments = assignments
        self._served_max_seconds = served_max_seconds

    async def assign(self, family: str, counter: int) -> Assignment:
        """Make a bundle the one that a family's devices run. Assigning what is assigned already changes nothing.

        Raises:
            NotFoundError: no such bundle is published.
            ConflictError: a later bundle's `min_counter` forbids it, its classifier cannot be loaded here, or another
                process does not come to serve it in time.
            StorageError: the database does not answer.
        """
        bundle = await self._find(family, counter)
        require_above_floor(bundle, self._catalogue.bundles_of(family))
        await self._require_loaded(bundle)
        await self._replicas.require_served(bundle.name, self._served_max_seconds)
        return await self._assignments.assign_family(family, counter)

    async def _find(self, family: str, counter: int) -> Bundle:
        name = f"{family}/{counter}"
        if self._catalogue.find(name) is None:  # another process may have published it a moment ago
            await self._routing.sync()
        bundle = next((one for one in self._catalogue.bundles_of(family) if one.counter == counter), None)
        if bundle is None:
            raise NotFoundError(f"no bundle {name} is published; see: dctwire bundles")
        return bundle

    async def _require_loaded(self, bundle: Bundle) -> None:
        try:
            await self._models.get(bundle)
        except DctwireError as error:
            raise ConflictError(f"the classifier of {bundle.name} cannot be loaded: {error}") from error


def require_above_floor(bundle: Bundle, published: Iterable[Bundle]) -> None:
    """Whether the bundles that a family has published let this one of them be assigned.

    Raises:
        ConflictError: one of them has a `min_counter` above this one's counter.
    """
    floor = max(one.min_counter for one in published)
    if bundle.counter < floor:
        raise ConflictError(f"{bundle.name} is below the floor {floor} that a later bundle set")
