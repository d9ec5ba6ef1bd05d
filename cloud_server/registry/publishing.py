"""The use case `publish`: what is signed is checked in full, loaded, recorded, and only then shown to devices.

Two kinds of things are published: bundles, which devices fetch too, and fallbacks, which only servers load. Order and
crashes: blobs come first, by digest. One transaction then adds the row, which makes servers serve it, and the signed
files, which show it to devices; nothing half-made can be seen. Of two servers that publish at once one is told to
have it signed again.
"""

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial

import structlog

from cloud_server.errors import ConflictError, ConstraintError
from cloud_server.inference.model_cache import ModelCache
from cloud_server.inference.routing import Model, Published
from cloud_server.registry import publish_checks
from cloud_server.registry.catalogue import Catalogue, Registered, floor_of_bundles, store
from cloud_server.registry.fallen import below_floor
from cloud_server.registry.floor import BelowFloor, Falling, require_may_fall
from cloud_server.registry.keeping import kept_paths
from cloud_server.registry.label_sets import LabelSets
from cloud_server.registry.live_routing import LiveRouting
from cloud_server.registry.signed_files import SignedFiles, show
from cloud_server.storage.database import Database, Transaction
from cloud_server.storage.rows.assignments import last_assigned
from cloud_server.storage.rows.tuf_files import count_other_families, floors, lock_family
from cloud_server.storage.witness import Facts, Witness
from shared.bundle import Bundle
from shared.errors import DctwireError
from shared.trust import floor_of, parse_targets

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Addition:
    """What else newly signed targets metadata list: its path, its bytes, and how it is recorded in the transaction."""

    path: str
    data: bytes
    record: Callable[[Transaction], None]


class Publishing:
    """Publishes one thing at a time.

    Args:
        loader: of one thread, where classifiers are loaded and self-tests are run.
        now: seconds since 1970.
    """

    def __init__(
        self,
        *,
        database: Database,
        signed_files: SignedFiles,
        catalogue: Catalogue,
        label_sets: LabelSets,
        routing: LiveRouting,
        models: ModelCache,
        loader: Executor,
        now: Callable[[], float],
    ) -> None:
        self._database = database
        self._signed_files = signed_files
        self._catalogue = catalogue
        self._label_sets = label_sets
        self._routing = routing
        self._models = models
        self._loader = loader
        self._now = now

    async def publish(
        self,
        published: Published,
        data: bytes,
        targets: bytes,
        witness: Witness,
        *,
        may_jump: bool = False,
        falling: Falling = Falling.NOTHING,
    ) -> BelowFloor:
        """Check, load, record and show one bundle or fallback. Sending the same again changes nothing.

        Args:
            data: its canonical bytes.
            targets: the current targets metadata with it added, signed by the targets key.
            may_jump: whether its counter may be far above its family's highest.
            falling: what may fall below the floor that `targets` say.

        Returns:
            What is assigned below the floor now.

        Raises:
            UnsupportedBundleError: a bundle asks for what this version cannot do.
            SelftestError: this encoder does not make the bytes that a bundle's self-test promises.
            TrustError: the metadata does not verify, or lists something else.
            BlobMissingError, BlobDigestError, BundleError, ClassifierError: the classifier, its labels, its golden
                frames or its reference are not what was promised.
            ConflictError: another bundle has this counter or a higher one, others have published meanwhile, or there
                are as many families as may be.
            BelowFloorError: more would fall below the floor than may.
        """
        async with self._catalogue.changing:
            await self._routing.take_in()
            registered = Registered(published, data, self._now())
            is_known = publish_checks.is_known(published, data, self._catalogue.find(published.name))
            if is_known and await self._database.read(
                partial(self._is_current, registered=registered, targets=targets)
            ):
                return await self.below_floor(published.family)
            if not is_known:
                await self._require_new(published, may_jump=may_jump)
            await self._database.read(partial(self._check_now, registered=registered, targets=targets, falling=falling))
            model = None if is_known else await self._tried(published)
            below = await self._record(registered, targets, witness, falling)
            if model is not None:
                self._catalogue.add(registered)
                self._routing.serve(model)
        _log.info("targets-renewed" if is_known else "model-published", name=published.name)
        return below

    async def _require_new(self, published: Published, *, may_jump: bool) -> None:
        """What is signed and not recorded was lost with a database whose backup was restored, and may come again."""
        publish_checks.require_made(published, self._now())
        signed = await self._database.read(partial(self._signed_files.listed_of, family=published.family))
        if isinstance(published, Bundle) and published.target_path not in signed:
            counters = self._catalogue.counters(published.family)
            publish_checks.require_counter(published, max(counters, default=0), may_jump=may_jump)

    def _is_current(self, transaction: Transaction, registered: Registered, targets: bytes) -> bool:
        return self._signed_files.repository(transaction, registered.published.family).targets() == targets

    def _check_now(self, transaction: Transaction, registered: Registered, targets: bytes, falling: Falling) -> None:
        published = registered.published
        publish_checks.require_room(published.family, count_other_families(transaction, published.family))
        repository = self._signed_files.repository(transaction, published.family)
        kept = self._kept(transaction, published.family)
        repository.check(targets, kept, self._signed_files.moment())
        publish_checks.require_listed(targets, published, registered.data)
        self._require_may_fall(transaction, published.family, repository.targets(), targets, falling)

    async def renew(
        self,
        family: str,
        targets: bytes,
        witness: Witness,
        *,
        falling: Falling = Falling.NOTHING,
        added: Addition | None = None,
    ) -> BelowFloor:
        """Show newly signed targets metadata that add no model: such as expire later, list less, or add settings.

        Args:
            falling: what may fall below the floor that `targets` say.
            added: what they add.

        Returns:
            What is assigned below the floor now.

        Raises:
            TrustError: the metadata do not verify.
            ConflictError: others have published meanwhile.
            BelowFloorError: more would fall below the floor than may.
            StorageError: the database does not answer.
        """
        job = partial(self._renew, family=family, targets=targets, witness=witness, falling=falling, added=added)
        async with self._catalogue.changing:
            await self._routing.take_in()
            below = await self._write(job)
        _log.info("targets-renewed", name=family)
        return below

    async def below_floor(self, family: str, floor: int | None = None) -> BelowFloor:
        """What of a family is assigned below its floor; or what else would be below a higher one.

        Raises:
            StorageError: the database does not answer.
        """

        def found(transaction: Transaction) -> BelowFloor:
            now = floors(transaction).get(family, 0)
            return (
                below_floor(transaction, family, now)
                if floor is None
                else below_floor(transaction, family, floor, above=now)
            )

        return await self._database.read(found)

    async def kept(self, family: str) -> frozenset[str]:
        """The target paths of a family that newly signed metadata must list, where they are listed now.

        Raises:
            TrustError: a file of the family's repository is damaged.
            StorageError: the database does not answer.
        """
        return await self._database.read(partial(self._kept, family=family))

    async def _tried(self, published: Published) -> Model:
        """The model that would serve, after its self-test, its golden frames and its labels were checked."""
        if isinstance(published, Bundle):
            await asyncio.get_running_loop().run_in_executor(self._loader, published.check_selftest)
        model = await self._models.build(published)
        try:
            of_family = await self._label_sets.of_family(published.family)
        except DctwireError:  # what cannot be read cannot be compared
            of_family = frozenset()
        publish_checks.require_same_labels(published.family, of_family, model.labels)
        return model

    async def _record(self, registered: Registered, targets: bytes, witness: Witness, falling: Falling) -> BelowFloor:
        job = partial(self._publish, registered=registered, targets=targets, witness=witness, falling=falling)
        return await self._write(job)

    async def _write(self, job: Callable[[Transaction], BelowFloor]) -> BelowFloor:
        try:
            return await self._database.write(job)
        except ConstraintError as error:
            raise ConflictError("others have published meanwhile; fetch and sign again") from error

    def _publish(
        self, transaction: Transaction, registered: Registered, targets: bytes, witness: Witness, falling: Falling
    ) -> BelowFloor:
        """The transaction: checked again, recorded and shown, all or nothing."""
        published = registered.published
        publish_checks.require_listed(targets, published, registered.data)
        if self._catalogue.find(published.name) is None:
            store(transaction, registered)
        added = {published.target_path: registered.data}
        below = self._show(transaction, published.family, targets, added, falling)
        witness(transaction, None, {"sha256": hashlib.sha256(registered.data).hexdigest(), **_shown(targets)})
        return below

    def _renew(
        self,
        transaction: Transaction,
        family: str,
        targets: bytes,
        witness: Witness,
        falling: Falling,
        added: Addition | None,
    ) -> BelowFloor:
        contents = {}
        if added is not None:
            lock_family(transaction, family)
            added.record(transaction)
            contents[added.path] = added.data
        before = self._signed_files.repository(transaction, family).targets()
        below = self._show(transaction, family, targets, contents, falling)
        witness(transaction, None if before is None else _shown(before), _shown(targets))
        return below

    def _show(
        self, transaction: Transaction, family: str, targets: bytes, added: Mapping[str, bytes], falling: Falling
    ) -> BelowFloor:
        lock_family(transaction, family)  # what is assigned meanwhile must be seen, and stay
        publish_checks.require_room(family, count_other_families(transaction, family))
        repository, moment = self._signed_files.repository(transaction, family), self._signed_files.moment()
        contents = {**self._catalogue.contents_of(family), **added}
        change = repository.publish(targets, contents, self._kept(transaction, family), moment)
        self._require_may_fall(transaction, family, repository.targets(), targets, falling)
        show(transaction, family, change)
        return below_floor(transaction, family, change.floor)

    def _require_may_fall(
        self, transaction: Transaction, family: str, before: bytes | None, targets: bytes, falling: Falling
    ) -> None:
        """Whether these targets may follow those before, whatever they take below the floor."""
        published, floor = self._catalogue.bundles_of(family), _floor_of(targets)
        earlier = max(floor_of_bundles(published), 0 if before is None else _floor_of(before))
        falls = below_floor(transaction, family, floor, above=earlier)
        first = next((one.counter for one in published if one.counter >= earlier), floor)
        is_assigned = bool(last_assigned(transaction, family, 1))
        require_may_fall(falls, falling, None if is_assigned or first >= floor else first)

    def _kept(self, transaction: Transaction, family: str) -> frozenset[str]:
        listed = self._signed_files.listed_of(transaction, family, or_old=True)
        floor = floor_of_bundles(self._catalogue.bundles_of(family))
        return kept_paths(transaction, family, listed, floor, self._now())


def _shown(targets: bytes) -> Facts:
    return {"targets_sha256": hashlib.sha256(targets).hexdigest(), "floor": _floor_of(targets)}


def _floor_of(targets: bytes) -> int:
    return floor_of(parse_targets(targets).signed)
