"""Publishing: what is signed is checked in full, loaded, recorded, and only then shown to devices.

Two kinds of things are published: bundles, which devices fetch too, and fallbacks, which only servers load. Order and
crashes: blobs come first, by digest. One transaction then adds the row, which makes servers serve it, and the signed
files, which show it to devices; nothing half-made can be seen. Of two servers that publish at once one is told to
have it signed again.
"""

import asyncio
import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from time import monotonic
from typing import TypeVar

import structlog
from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import IntegrityError

from cloud_server.errors import ClassifierError, ConflictError, NotFoundError, StorageError
from cloud_server.inference.model_cache import ModelCache
from cloud_server.inference.routing import Model, Published, RoutingTable
from cloud_server.registry.signed_files import SignedFiles, write_files
from cloud_server.storage.database import Database
from cloud_server.storage.schema import bundles, fallbacks
from shared.bundle import Bundle, ClassifierRef, Fallback
from shared.errors import DctwireError, PeerError
from shared.trust import TrustError, parse_targets

T = TypeVar("T")
LOOK_AGAIN_SECONDS = 0.2
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Registered:
    """What was published, as recorded; `data` is its canonical bytes, `registered_at` seconds since 1970."""

    published: Published
    data: bytes
    registered_at: float


class Registry:
    """All that was published, the picture of who serves what, and the signed metadata.

    Args:
        labels: reads a label list; runs in the loader, where everything that meets a disk does.
    """

    def __init__(
        self,
        database: Database,
        signed_files: SignedFiles,
        sessions: ModelCache,
        labels: Callable[[ClassifierRef], tuple[str, ...]],
        loader: Executor,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._signed_files = signed_files
        self._sessions = sessions
        self._labels = labels
        self._loader = loader
        self._now = now
        self._one_at_a_time = asyncio.Lock()
        self._registered: dict[str, Registered] = {}
        self._label_sets: dict[str, frozenset[str]] = {}
        self._looked_at = 0.0
        self.serving = RoutingTable()

    async def initialise(self) -> None:
        """Lay out the signed files in a new database.

        Raises:
            TrustError: they are damaged, or were signed for other keys.
            StorageError: the database does not answer.
        """
        with suppress(IntegrityError):  # another server was faster
            await self._database.write(partial(self._signed_files.initialise, now=self._now()))
        await self._database.read(self._signed_files.require_own)

    async def load(self, assigned: Mapping[str, int]) -> None:
        """Read what is recorded, and bring into memory what is likeliest to be needed; once, at start.

        What cannot be loaded is logged and tried again when a frame needs it.

        Args:
            assigned: each family's bundle, by its counter.
        """
        await self._read_new()
        for published in self._likely(assigned):
            if self._sessions.has_room:
                with suppress(DctwireError):  # logged, remembered
                    await self._sessions.get(published)

    async def catch_up(self) -> None:
        """Serve what other servers have published since, too: frames of it are welcome at once, and its classifier is
        brought into memory before the first of them if there is time.

        Raises:
            StorageError: the database does not answer.
        """
        async with self._one_at_a_time:
            news = await self._read_new()
        for published in news:
            with suppress(DctwireError):  # logged, remembered
                await self._sessions.get(published)
        if news:
            self._let_go()

    async def look_again(self) -> None:
        """The same without loading anything, for a frame nobody here can answer; a few times a second at most.

        Raises:
            StorageError: the database does not answer.
        """
        is_due = monotonic() - self._looked_at >= LOOK_AGAIN_SECONDS
        if is_due and not self._one_at_a_time.locked():
            self._looked_at = monotonic()
            async with self._one_at_a_time:
                await self._read_new()

    def serves(self) -> list[str]:
        """The names of what this process can answer with, in memory or loaded when a frame needs it."""
        every = (registered.published for registered in self._registered.values())
        return [published.name for published in every if self._sessions.failure(published) is None]

    def bundles(self) -> Sequence[Registered]:
        """Every recorded bundle, by family and counter."""
        return sorted(self._of_kind(Bundle), key=lambda one: (one.published.family, _counter(one.published)))

    def counters(self, family: str) -> list[int]:
        """The counters of a family's bundles, in order."""
        return [_counter(one.published) for one in self.bundles() if one.published.family == family]

    def fallbacks(self) -> Sequence[Registered]:
        """Every recorded fallback, by family and age; a family's last one serves."""
        return sorted(self._of_kind(Fallback), key=lambda one: (one.published.family, one.published.created_at))

    async def label_set(self, family: str) -> frozenset[str]:
        """The labels that the family's classifiers tell apart; empty when none is published.

        Raises:
            StorageError: the list cannot be read at the moment.
        """
        of_family = (one.published for one in self._registered.values() if one.published.family == family)
        any_one = next(of_family, None)
        if any_one is None:
            return frozenset()
        sha256 = any_one.classifier.labels_sha256
        if sha256 not in self._label_sets:
            try:
                labels = await self._in_loader(partial(self._labels, any_one.classifier))
            except PeerError as error:  # our copy is damaged: no fault of whoever sends a label
                _log.error("labels-not-readable", family=family, error=str(error))
                raise StorageError(f"the labels of family {family} cannot be read") from error
            self._label_sets[sha256] = frozenset(labels)
        return self._label_sets[sha256]

    async def targets(self) -> bytes:
        """The current targets metadata."""
        return await self._database.read(lambda connection: self._signed_files.repository(connection).targets())

    async def refresh(self) -> None:
        """Sign snapshot and timestamp again when half of their life is over."""
        with suppress(IntegrityError):  # another server was faster
            if await self._database.write(partial(self._signed_files.refresh, now=self._now())):
                _log.info("timestamp-refreshed")

    async def require_bundle(self, family: str, counter: int) -> Bundle:
        """A bundle that is published, here or by another process.

        Raises:
            NotFoundError: there is no such bundle.
        """
        name = f"{family}/{counter}"
        if name not in self._registered:
            await self.catch_up()
        found = next((one for one in self.bundles_of(family) if one.counter == counter), None)
        if found is None:
            raise NotFoundError(f"no bundle {name} is published; see: dctwire bundles")
        return found

    def bundles_of(self, family: str) -> list[Bundle]:
        """The published bundles of a family, in no order."""
        every = (one.published for one in self._registered.values())
        return [one for one in every if isinstance(one, Bundle) and one.family == family]

    async def require_loaded(self, published: Published) -> None:
        """Whether frames can be answered with this, once its classifier is loaded; waits for that.

        Raises:
            ConflictError: its classifier cannot be loaded.
        """
        try:
            await self._sessions.get(published)
        except DctwireError as error:
            raise ConflictError(f"the classifier of {published.name} cannot be loaded: {error}") from error

    async def publish(self, published: Published, data: bytes, targets: bytes) -> None:
        """Check, load, record and show one bundle or fallback. Sending the same again changes nothing.

        Args:
            data: its canonical bytes.
            targets: the current targets metadata with it added, signed by the targets key.

        Raises:
            SelftestError: this encoder does not make the bytes that a bundle's self-test promises.
            TrustError: the metadata does not verify, or lists something else.
            BlobMissingError, BlobDigestError, BundleError, ClassifierError: the classifier, its labels or its golden
                frames are not what was promised.
            ConflictError: another bundle has this counter or a higher one, or others have published meanwhile.
        """
        async with self._one_at_a_time:
            await self._read_new()
            is_known = self._is_known(published, data)
            if is_known and await self.targets() == targets:
                return
            await self._database.read(partial(self._check, published=published, data=data, targets=targets))
            if isinstance(published, Bundle):
                await self._in_loader(published.check_selftest)
            model = None if is_known else await self._sessions.build(published)
            if model is not None:
                await self._check_labels(model)
            await self._record(Registered(published, data, self._now().timestamp()), targets)
            if model is not None:
                self._serve(model)
        _log.info("published", name=published.name)

    def _serve(self, model: Model) -> None:
        """Replace the picture."""
        self.serving = self.serving.with_published(model.published)
        self._sessions.keep(model)
        self._let_go()

    def _let_go(self) -> None:
        """Classifiers that no frame leads to any more finish what they have and go."""
        self._sessions.keep_only(self.serving.in_use(self._sessions.is_failing))

    async def _read_new(self) -> list[Published]:
        """Take in what is recorded and not known yet."""
        found = await self._database.read(partial(_recorded, known=frozenset(self._registered)))
        for registered in found:
            self._registered[registered.published.name] = registered
        if found:
            self.serving = self.serving.with_published(*(registered.published for registered in found))
            _log.info("published-before", names=[registered.published.name for registered in found])
        return [registered.published for registered in found]

    def _likely(self, assigned: Mapping[str, int]) -> Iterator[Published]:
        """What each family's frames will need first: what is assigned, the newest bundle, the newest fallback."""
        for registered in self.bundles():
            if _counter(registered.published) == assigned.get(registered.published.family):
                yield registered.published
        newest = {one.published.family: one.published for one in self.bundles()}
        newest_fallback = {one.published.family: one.published for one in self.fallbacks()}
        yield from newest.values()
        yield from newest_fallback.values()

    def _of_kind(self, kind: type[Published]) -> Iterator[Registered]:
        return (one for one in self._registered.values() if isinstance(one.published, kind))

    def _is_known(self, published: Published, data: bytes) -> bool:
        registered = self._registered.get(published.name)
        if registered is not None:
            if registered.data != data:
                raise ConflictError(f"{published.name} exists with other contents; use a higher counter")
            return True
        highest = max((bundle.counter for bundle in self.bundles_of(published.family)), default=0)
        if isinstance(published, Bundle) and published.counter < highest:
            raise ConflictError(f"{published.family}/{highest} exists; counters only grow")
        return False

    def _check(self, connection: Connection, published: Published, data: bytes, targets: bytes) -> None:
        repository = self._signed_files.repository(connection)
        current = parse_targets(repository.targets()).signed
        offered = parse_targets(targets).signed
        if offered.version != current.version + 1:
            raise ConflictError(
                f"targets version {offered.version} cannot follow {current.version}; fetch and sign again"
            )
        repository.check(targets, self._now())
        path = published.target_path
        entry = offered.targets.get(path)
        if entry is None or offered.targets.keys() - current.targets.keys() - {path}:
            raise TrustError(f"the new targets must add {path} and nothing else")
        if entry.length != len(data) or entry.hashes.get("sha256") != hashlib.sha256(data).hexdigest():
            raise TrustError(f"the signed entry of {path} is not for these bytes")
        if entry.unrecognized_fields.get("custom") != published.target_custom:
            raise TrustError(f"the signed entry of {path} does not name its classifier")

    async def _check_labels(self, model: Model) -> None:
        """A family is one task: all its classifiers tell the same labels apart, in whatever order."""
        try:
            labels = await self.label_set(model.published.family)
        except DctwireError:  # what cannot be read cannot be compared
            return
        if labels and (odd := sorted(labels ^ set(model.labels))):
            raise ClassifierError(
                f"{model.published.family} has other labels ({', '.join(odd[:3])}...): a family is one task with one "
                "label set; publish this one to a family of its own"
            )

    async def _record(self, registered: Registered, targets: bytes) -> None:
        job = partial(self._publish, registered=registered, targets=targets, now=self._now())
        try:
            await self._database.write(job)
        except IntegrityError as error:
            raise ConflictError("others have published meanwhile; fetch and sign again") from error
        self._registered[registered.published.name] = registered

    def _publish(self, connection: Connection, registered: Registered, targets: bytes, now: datetime) -> None:
        """The transaction: checked again, recorded and shown, all or nothing."""
        published, data = registered.published, registered.data
        self._check(connection, published, data, targets)
        if published.name not in self._registered:
            _store(connection, registered)
        repository = self._signed_files.repository(connection)
        write_files(connection, repository.publish(targets, {published.target_path: data}, now))

    async def _in_loader(self, job: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._loader, job)


def _counter(published: Published) -> int:
    return published.counter if isinstance(published, Bundle) else 0


def _recorded(connection: Connection, known: Collection[str]) -> list[Registered]:
    """What is recorded beside `known`; when there is nothing, only names are read."""
    found = []
    for family, counter in connection.execute(select(bundles.c.family, bundles.c.counter)).all():
        if f"{family}/{counter}" not in known:
            row = select(bundles.c.data, bundles.c.registered_at).where(
                (bundles.c.family == family) & (bundles.c.counter == counter)
            )
            data, registered_at = connection.execute(row).one()
            found.append(Registered(Bundle.from_bytes(data), data, registered_at))
    for name in connection.execute(select(fallbacks.c.name)).scalars().all():
        if name not in known:
            row = select(fallbacks.c.data, fallbacks.c.registered_at).where(fallbacks.c.name == name)
            data, registered_at = connection.execute(row).one()
            found.append(Registered(Fallback.from_bytes(data), data, registered_at))
    return found


def _store(connection: Connection, registered: Registered) -> None:
    published = registered.published
    row = {"family": published.family, "data": registered.data, "registered_at": registered.registered_at}
    if isinstance(published, Bundle):
        connection.execute(insert(bundles), row | {"counter": published.counter})
    else:
        connection.execute(insert(fallbacks), row | {"name": published.name})
