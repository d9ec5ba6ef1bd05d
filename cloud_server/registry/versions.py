"""Where each published version stands: assigned, rolled out, failing, below the floor; how many devices have it."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import structlog

from cloud_server.errors import NotFoundError
from cloud_server.fleet.assignments import Assignments
from cloud_server.fleet.exposure import Exposure
from cloud_server.fleet.listing import Listing
from cloud_server.inference.model_cache import ModelCache, State
from cloud_server.registry.catalogue import Catalogue, Registered
from cloud_server.registry.signed_files import SignedFiles
from cloud_server.storage.rows.assignments import counter_of_label
from shared.bundle import Bundle, ClassifierRef, Fallback, Reference
from shared.errors import DctwireError

REFERENCES_KEPT = 64
READ_MAX_SECONDS = 2.0
"""How long whoever looks at a version waits for its reference: what reads blobs may be loading a classifier."""
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Loaded:
    """What this process knows of a published classifier: whether it is in memory, and why it could not be loaded."""

    state: State
    failure: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A bundle, and where it stands.

    Args:
        published_at: seconds since 1970.
        rollout: the active rollout that leads to it; None: none does.
        is_listed: whether the family's signed targets list it, so that it can be assigned.
        is_below_floor: whether no device takes it anew.
        devices: whose newest frame has its tables.
    """

    bundle: Bundle
    published_at: float
    loaded: Loaded
    is_assigned: bool
    rollout: Exposure | None
    is_listed: bool
    is_below_floor: bool
    devices: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FallbackVersion:
    """A fallback, and where it stands; `published_at` in seconds since 1970."""

    fallback: Fallback
    published_at: float
    loaded: Loaded
    is_released: bool
    is_listed: bool


@dataclass(frozen=True, slots=True)
class FamilyVersions:
    """What is published for a family, the newest first."""

    family: str
    versions: Sequence[Version]
    fallbacks: Sequence[FallbackVersion]


class Versions:
    """Looks at what is published. Methods raise StorageError when the database does not answer.

    Args:
        read: reads a classifier's reference; runs in the loader's thread.
        loader: where everything that reads blobs runs.
        read_max_seconds: how long to wait for that.
    """

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        models: ModelCache,
        assignments: Assignments,
        signed_files: SignedFiles,
        listing: Listing,
        read: Callable[[ClassifierRef], Reference | None],
        loader: Executor,
        read_max_seconds: float = READ_MAX_SECONDS,
    ) -> None:
        self._catalogue = catalogue
        self._models = models
        self._assignments = assignments
        self._signed_files = signed_files
        self._listing = listing
        self._read = read
        self._loader = loader
        self._read_max_seconds = read_max_seconds
        self._references: dict[str, Reference] = {}

    async def by_family(self) -> Sequence[FamilyVersions]:
        """All families for which anything is published, by name."""
        seen = await self._seen()
        families = sorted({one.family for one in self._catalogue.every()})
        return [self._family(family, seen) for family in families]

    async def of_family(self, family: str) -> FamilyVersions:
        """One family.

        Raises:
            NotFoundError: nothing is published for it.
        """
        found = self._family(family, await self._seen())
        if not found.versions and not found.fallbacks:
            raise NotFoundError(f"nothing is published for family {family}")
        return found

    async def reference(self, ref: ClassifierRef) -> Reference | None:
        """What the trainer measured of a classifier for the server; None: nothing, or it cannot be read just now."""
        sha256 = ref.reference_sha256
        if sha256 is None:
            return None
        if sha256 not in self._references and (found := await self._reference(ref)) is not None:
            if len(self._references) >= REFERENCES_KEPT:
                self._references.pop(next(iter(self._references)))
            self._references[sha256] = found
        return self._references.get(sha256)

    async def _reference(self, ref: ClassifierRef) -> Reference | None:
        reading = asyncio.get_running_loop().run_in_executor(self._loader, self._read, ref)
        try:
            return await asyncio.wait_for(reading, self._read_max_seconds)
        except TimeoutError:
            return None
        except DctwireError as error:
            _log.error("reference-unreadable", sha256=ref.reference_sha256, error=str(error))
            return None

    async def _seen(self) -> "_Seen":
        counted = await self._listing.counts()
        devices = {(row.family, counter_of_label(row.tables)): row.devices for row in counted}
        return _Seen(await self._signed_files.listed(), await self._signed_files.floors(), devices)

    def _family(self, family: str, seen: "_Seen") -> FamilyVersions:
        of_family = (one for one in self._catalogue.bundles() if one.published.family == family)
        bundles = [self._version(one, one.published, seen) for one in of_family if isinstance(one.published, Bundle)]
        others = (one for one in self._catalogue.fallbacks() if one.published.family == family)
        fallbacks = [self._fallback(one, one.published, seen) for one in others if isinstance(one.published, Fallback)]
        return FamilyVersions(family, bundles[::-1], fallbacks[::-1])

    def _version(self, registered: Registered, bundle: Bundle, seen: "_Seen") -> Version:
        assigned = self._assignments.of_family(bundle.family)
        rollout = self._assignments.exposure(bundle.family)
        return Version(
            bundle=bundle,
            published_at=registered.registered_at,
            loaded=self._loaded(registered),
            is_assigned=assigned is not None and assigned.counter == bundle.counter,
            rollout=rollout if rollout is not None and rollout.assignment.counter == bundle.counter else None,
            is_listed=bundle.target_path in seen.listed,
            is_below_floor=bundle.counter < seen.floors.get(bundle.family, 0),
            devices=seen.devices.get((bundle.family, bundle.counter), 0),
        )

    def _fallback(self, registered: Registered, fallback: Fallback, seen: "_Seen") -> FallbackVersion:
        return FallbackVersion(
            fallback=fallback,
            published_at=registered.registered_at,
            loaded=self._loaded(registered),
            is_released=self._catalogue.released.get(fallback.family) == fallback.name,
            is_listed=fallback.target_path in seen.listed,
        )

    def _loaded(self, registered: Registered) -> Loaded:
        failure = self._models.failure(registered.published)
        return Loaded(self._models.state(registered.published), None if failure is None else str(failure))


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the database says of all versions: what is listed, the floors, and the devices by family and counter."""

    listed: Collection[str]
    floors: Mapping[str, int]
    devices: Mapping[tuple[str, int | None], int]
