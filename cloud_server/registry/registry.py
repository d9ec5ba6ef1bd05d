"""Publishing: a signed bundle is checked in full, loaded, recorded, and only then shown to devices.

Order and crashes. Blobs come first, by digest. The bundle's row makes the server serve it, from then on through
every restart; `timestamp.json`, replaced last, shows it to devices. A publish that died between the two is
finished by sending it again; nothing half-made can be seen.
"""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TypeVar

import structlog
from sqlalchemy import Connection, insert, select

from cloud_server.database import Database
from cloud_server.errors import ConflictError, NotFoundError
from cloud_server.inference.serving import Model, Serving
from cloud_server.schema import bundles
from shared.bundle import Bundle
from shared.errors import DctwireError
from shared.trust import Repository, TrustError, parse_targets

T = TypeVar("T")
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Registered:
    """A bundle as recorded; `data` is its canonical bytes, `registered_at` seconds since 1970."""

    bundle: Bundle
    data: bytes
    registered_at: float


class Registry:
    """All bundles, the models of those that could be loaded, and the signed metadata."""

    def __init__(
        self,
        database: Database,
        repository: Repository,
        load: Callable[[Bundle], Model],
        loader: Executor,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._repository = repository
        self._load = load
        self._loader = loader
        self._now = now
        self._one_at_a_time = asyncio.Lock()
        self._registered: dict[tuple[str, int], Registered] = {}
        self.serving = Serving()
        self.is_loaded = False

    async def load(self) -> None:
        """Load every recorded bundle's classifier; once, at start. One that fails is logged and left out."""
        rows = await self._database.read(lambda connection: connection.execute(select(bundles)).all())
        models = []
        for row in rows:
            bundle = Bundle.from_bytes(row.data)
            self._registered[bundle.family, bundle.counter] = Registered(bundle, row.data, row.registered_at)
            try:
                models.append(await self._in_loader(partial(self._load, bundle)))
            except DctwireError as error:
                _log.error("bundle-not-loaded", bundle=bundle.name, error=str(error))
        self.serving = Serving.of(models)
        self.is_loaded = True

    def release(self) -> None:
        """Let go of every model; the last thing a process does with them."""
        self.serving = Serving()

    def all(self) -> Sequence[Registered]:
        """Every recorded bundle, by family and counter."""
        return [self._registered[key] for key in sorted(self._registered)]

    async def targets(self) -> bytes:
        """The current targets metadata."""
        return await self._in_loader(self._repository.targets)

    async def refresh(self) -> None:
        """Sign snapshot and timestamp again when half of their life is over."""
        async with self._one_at_a_time:
            if await self._in_loader(lambda: self._repository.refresh(self._now())):
                _log.info("timestamp-refreshed")

    async def require_published(self, family: str, counter: int) -> None:
        """Whether devices may be pointed at this bundle: it is signed, visible, served, and not below the floor.

        Raises:
            NotFoundError: there is no such bundle, or its publishing has not finished.
            ConflictError: its classifier is not loaded, or a later bundle's `min_counter` forbids it.
        """
        registered = self._registered.get((family, counter))
        signed = parse_targets(await self.targets()).signed.targets
        if registered is None or registered.bundle.target_path not in signed:
            raise NotFoundError(f"no bundle {family}/{counter} is published; see: dctwire bundles")
        if (family, counter) not in self.serving.models:
            raise ConflictError(f"the classifier of {family}/{counter} is not loaded; see the server's log")
        floor = max(one.bundle.min_counter for one in self._registered.values() if one.bundle.family == family)
        if counter < floor:
            raise ConflictError(f"{family}/{counter} is below the floor {floor} that a later bundle set")

    async def publish(self, data: bytes, targets: bytes) -> Bundle:
        """Check, load, record and show one bundle. Sending the same again changes nothing.

        Args:
            data: the bundle's canonical bytes.
            targets: the current targets metadata with this bundle added, signed by the targets key.

        Raises:
            BundleError: not a bundle, or this encoder does not make the bytes its self-test promises.
            TrustError: the metadata does not verify, or lists something else than this bundle.
            BlobMissingError, BlobDigestError, ClassifierError: the classifier is not what the bundle says.
            ConflictError: another bundle has this counter or a higher one, or others have published meanwhile.
        """
        bundle = Bundle.from_bytes(data)
        async with self._one_at_a_time:
            key = (bundle.family, bundle.counter)
            self._check_counter(bundle, data)
            if await self._in_loader(self._repository.targets) == targets and key in self._registered:
                return bundle
            await self._in_loader(partial(self._check, bundle, data, targets))
            if key not in self.serving.models:
                model = await self._in_loader(partial(self._load, bundle))
                await self._record(bundle, data)
                self.serving = self.serving.with_model(model)
            files = {bundle.target_path: data}
            await self._in_loader(lambda: self._repository.publish(targets, files, self._now()))
        _log.info("bundle-published", bundle=bundle.name)
        return bundle

    def _check_counter(self, bundle: Bundle, data: bytes) -> None:
        registered = self._registered.get((bundle.family, bundle.counter))
        if registered is not None and registered.data != data:
            raise ConflictError(f"{bundle.name} exists with other contents; use a higher counter")
        highest = max((counter for family, counter in self._registered if family == bundle.family), default=0)
        if registered is None and bundle.counter < highest:
            raise ConflictError(f"{bundle.family}/{highest} exists; counters only grow")

    def _check(self, bundle: Bundle, data: bytes, targets: bytes) -> None:
        current = parse_targets(self._repository.targets()).signed
        offered = parse_targets(targets).signed
        if offered.version != current.version + 1:
            raise ConflictError(
                f"targets version {offered.version} cannot follow {current.version}; fetch and sign again"
            )
        self._repository.check(targets, self._now())
        entry = offered.targets.get(bundle.target_path)
        if entry is None or offered.targets.keys() - current.targets.keys() - {bundle.target_path}:
            raise TrustError(f"the new targets must add {bundle.target_path} and nothing else")
        if entry.length != len(data) or entry.hashes.get("sha256") != hashlib.sha256(data).hexdigest():
            raise TrustError(f"the signed entry of {bundle.target_path} is not for these bytes")
        if entry.unrecognized_fields.get("custom") != bundle.target_custom:
            raise TrustError(f"the signed entry of {bundle.target_path} does not name the bundle's classifier")
        bundle.check_selftest()

    async def _record(self, bundle: Bundle, data: bytes) -> None:
        registered = Registered(bundle, data, self._now().timestamp())
        row = {
            "family": bundle.family,
            "counter": bundle.counter,
            "data": data,
            "registered_at": registered.registered_at,
        }

        def store(connection: Connection) -> None:
            connection.execute(insert(bundles), row)

        if (bundle.family, bundle.counter) not in self._registered:
            await self._database.write(store)
            self._registered[bundle.family, bundle.counter] = registered

    async def _in_loader(self, job: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._loader, job)
