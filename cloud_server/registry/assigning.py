"""The use case `assign`: make devices run a published bundle, once every server process can answer with it."""

from collections.abc import Iterable

from cloud_server.errors import ConflictError
from cloud_server.fleet.assignments import Assignments
from cloud_server.fleet.replicas import LIVE_SECONDS, Replicas
from cloud_server.registry.registry import Registry
from shared.bundle import Bundle
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
        registry: Registry,
        replicas: Replicas,
        assignments: Assignments,
        served_max_seconds: float = SERVED_MAX_SECONDS,
    ) -> None:
        self._registry = registry
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
        bundle = await self._registry.require_bundle(family, counter)
        require_above_floor(bundle, self._registry.bundles_of(family))
        await self._registry.require_loaded(bundle)
        await self._replicas.require_served(bundle.name, self._served_max_seconds)
        return await self._assignments.assign_family(family, counter)


def require_above_floor(bundle: Bundle, published: Iterable[Bundle]) -> None:
    """Whether the bundles that a family has published let this one of them be assigned.

    Raises:
        ConflictError: one of them has a `min_counter` above this one's counter.
    """
    floor = max(one.min_counter for one in published)
    if bundle.counter < floor:
        raise ConflictError(f"{bundle.name} is below the floor {floor} that a later bundle set")
