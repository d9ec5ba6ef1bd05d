"""The use cases `assign`, `pin` and `quarantine`: make devices run a published bundle that every process can serve."""

from collections.abc import Iterable
from functools import partial

from cloud_server.errors import BelowFloorError, ConflictError, NotFoundError
from cloud_server.fleet.assignments import Assignments, Choose
from cloud_server.fleet.devices import Device
from cloud_server.fleet.replicas import LIVE_SECONDS, Replicas
from cloud_server.inference.model_cache import ModelCache
from cloud_server.inference.routing import Published
from cloud_server.registry.catalogue import Catalogue, floor_of_bundles
from cloud_server.registry.holding import hold_at, stay_at
from cloud_server.registry.live_routing import LiveRouting
from cloud_server.registry.signed_files import SignedFiles
from cloud_server.storage.rows.assignments import HoldKind
from cloud_server.storage.witness import Witness
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
        signed_files: SignedFiles,
        served_max_seconds: float = SERVED_MAX_SECONDS,
    ) -> None:
        self._catalogue = catalogue
        self._routing = routing
        self._models = models
        self._replicas = replicas
        self._assignments = assignments
        self._signed_files = signed_files
        self._served_max_seconds = served_max_seconds

    async def assign(self, family: str, counter: int, witness: Witness) -> Assignment:
        """Make a bundle the one that a family's devices run. Assigning what is assigned already changes nothing.

        Raises:
            NotFoundError: no such bundle is published.
            BelowFloorError: a later bundle's `min_counter` forbids it.
            ConflictError: its classifier cannot be loaded here, or another process does not come to serve it in time.
            NotListedError: the family's signed targets do not list it any more.
            StorageError: the database does not answer.
        """
        bundle = await self._assignable(family, counter)
        require = partial(self._signed_files.require_listed, published=bundle)
        return await self._assignments.assign_family(family, counter, witness, require)

    async def startable(self, family: str, counter: int) -> Bundle:
        """A bundle to which a rollout may lead: this process can answer with it, and no floor forbids it.

        Raises:
            NotFoundError, BelowFloorError, StorageError: as for `assign`.
            ConflictError: its classifier cannot be loaded here.
        """
        bundle = await self._find(family, counter)
        require_above_floor(bundle, self._catalogue.bundles_of(family))
        await require_loaded(self._models, bundle)
        return bundle

    async def pin(self, device: Device, counter: int, witness: Witness) -> None:
        """Have a device run a bundle of its family whatever the family runs; the same again changes nothing.

        Raises:
            NotFoundError, BelowFloorError, NotListedError, StorageError: as for `assign`.
            ConflictError: as for `assign`, or devices of the family are held at too many other bundles.
        """
        choose = await self._bundle_chosen(device, HoldKind.PIN, counter)
        await self._assignments.hold(device, HoldKind.PIN, choose, witness, None)

    async def quarantine(self, device: Device, counter: int | None, reason: str, witness: Witness) -> None:
        """Hold a device at a bundle, and count its frames nowhere; the same again changes nothing but the reason.

        Args:
            counter: None: as `stay_at` says.

        Raises:
            NotFoundError, BelowFloorError, NotListedError, StorageError: as for `pin`, where a counter is given.
            ConflictError: as for `pin`.
        """
        kind = HoldKind.QUARANTINE
        if counter is None:
            choose: Choose = partial(stay_at, signed_files=self._signed_files, device=device)
        else:
            choose = await self._bundle_chosen(device, kind, counter)
        await self._assignments.hold(device, kind, choose, witness, reason)

    async def _bundle_chosen(self, device: Device, kind: HoldKind, counter: int) -> Choose:
        bundle = await self._assignable(device.family, counter)
        return partial(hold_at, signed_files=self._signed_files, device=device, kind=kind, bundle=bundle)

    async def _assignable(self, family: str, counter: int) -> Bundle:
        bundle = await self.startable(family, counter)
        await self._replicas.require_served(bundle.name, self._served_max_seconds)
        return bundle

    async def _find(self, family: str, counter: int) -> Bundle:
        name = f"{family}/{counter}"
        if self._catalogue.find(name) is None:  # another process may have published it a moment ago
            await self._routing.sync()
        bundle = next((one for one in self._catalogue.bundles_of(family) if one.counter == counter), None)
        if bundle is None:
            raise NotFoundError(f"no bundle {name} is published; see: dctwire bundles")
        return bundle


async def require_loaded(models: ModelCache, published: Published) -> None:
    """Whether this process can answer with a bundle or a fallback: it is brought into memory.

    Raises:
        ConflictError: its classifier cannot be loaded here.
    """
    try:
        await models.get(published)
    except DctwireError as error:
        raise ConflictError(f"the classifier of {published.name} cannot be loaded: {error}") from error


def require_above_floor(bundle: Bundle, published: Iterable[Bundle]) -> None:
    """Whether the bundles that a family has published let this one of them be assigned.

    Raises:
        BelowFloorError: one of them has a `min_counter` above this one's counter.
    """
    floor = floor_of_bundles(published)
    if bundle.counter < floor:
        raise BelowFloorError(f"{bundle.name} is below the floor {floor} that a later bundle set; no device takes it")
