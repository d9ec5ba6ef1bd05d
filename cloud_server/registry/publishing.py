"""The use case `publish`: what is signed is checked in full, loaded, recorded, and only then shown to devices.

Two kinds of things are published: bundles, which devices fetch too, and fallbacks, which only servers load. Order and
crashes: blobs come first, by digest. One transaction then adds the row, which makes servers serve it, and the signed
files, which show it to devices; nothing half-made can be seen. Of two servers that publish at once one is told to
have it signed again.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial

import structlog

from cloud_server.errors import ConflictError, ConstraintError
from cloud_server.inference.model_cache import ModelCache
from cloud_server.inference.routing import Model, Published
from cloud_server.registry import publish_checks
from cloud_server.registry.catalogue import Catalogue, Registered, store
from cloud_server.registry.label_sets import LabelSets
from cloud_server.registry.live_routing import LiveRouting
from cloud_server.registry.signed_files import SignedFiles, show
from cloud_server.storage.database import Database, Transaction
from shared.bundle import Bundle
from shared.errors import DctwireError
from shared.trust import Repository

_log = structlog.get_logger()


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

    async def publish(self, published: Published, data: bytes, targets: bytes) -> None:
        """Check, load, record and show one bundle or fallback. Sending the same again changes nothing.

        Args:
            data: its canonical bytes.
            targets: the current targets metadata with it added, signed by the targets key.

        Raises:
            UnsupportedBundleError: a bundle asks for what this version cannot do.
            SelftestError: this encoder does not make the bytes that a bundle's self-test promises.
            TrustError: the metadata does not verify, or lists something else.
            BlobMissingError, BlobDigestError, BundleError, ClassifierError: the classifier, its labels, its golden
                frames or its reference are not what was promised.
            ConflictError: another bundle has this counter or a higher one, or others have published meanwhile.
        """
        async with self._catalogue.changing:
            await self._routing.take_in()
            registered = Registered(published, data, self._now())
            is_known = self._is_known(registered)
            if is_known and await self._signed_files.targets() == targets:
                return
            await self._database.read(partial(self._check_now, registered=registered, targets=targets))
            model = None if is_known else await self._tried(published)
            await self._record(registered, targets)
            if model is not None:
                self._catalogue.add(registered)
                self._routing.serve(model)
        _log.info("targets-renewed" if is_known else "model-published", name=published.name)

    def _is_known(self, registered: Registered) -> bool:
        published = registered.published
        before, bundles = self._catalogue.find(published.name), self._catalogue.bundles_of(published.family)
        return publish_checks.is_known(published, registered.data, before, bundles)

    def _check_now(self, transaction: Transaction, registered: Registered, targets: bytes) -> None:
        self._check(self._signed_files.repository(transaction), registered, targets)

    def _check(self, repository: Repository, registered: Registered, targets: bytes) -> None:
        current = repository.targets()
        publish_checks.require_next_version(current, targets)
        repository.check(targets, self._signed_files.moment())
        publish_checks.require_only_addition(current, targets, registered.published, registered.data)

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

    async def _record(self, registered: Registered, targets: bytes) -> None:
        try:
            await self._database.write(partial(self._publish, registered=registered, targets=targets))
        except ConstraintError as error:
            raise ConflictError("others have published meanwhile; fetch and sign again") from error

    def _publish(self, transaction: Transaction, registered: Registered, targets: bytes) -> None:
        """The transaction: checked again, recorded and shown, all or nothing."""
        repository, path = self._signed_files.repository(transaction), registered.published.target_path
        self._check(repository, registered, targets)
        if self._catalogue.find(registered.published.name) is None:
            store(transaction, registered)
        show(transaction, repository.publish(targets, {path: registered.data}, self._signed_files.moment()))
