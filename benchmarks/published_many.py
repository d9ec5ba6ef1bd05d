"""A server's data folder in which many families and versions are published, signed and recorded as publishing does it.

Publishing a thousand bundles through a server means loading a thousand classifiers, which changes no byte of what
devices fetch. So the rows are written here by the code that publishing writes them with: lists signed offline, kept
short by what the server says must stay, checked and answered for by `Repository`, shown by the same function. Every
version is a bundle of its own with a digest of its own; all have the classifier of the zoo's bundle. What is published
later goes the whole way.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from cloud_server.cli.publishing import ModelFolder
from cloud_server.registry.catalogue import Registered, store
from cloud_server.registry.keeping import kept_paths
from cloud_server.registry.server_keys import ServerKeys
from cloud_server.registry.signed_files import SignedFiles, show
from cloud_server.storage.database import Database, Transaction
from cloud_server.storage.directory_blobs import DirectoryBlobs
from cloud_server.storage.engine import open_engine
from cloud_server.storage.migrating import migrate
from shared.bundle import Bundle
from shared.trust import Role, Signer, Target, load_keys, next_targets, parse_targets

MAX_SECONDS = 60.0
BETWEEN = timedelta(hours=1)
AT_ONCE = 50


def version(folder: ModelFolder, family: str, counter: int) -> ModelFolder:
    """A bundle folder as another family's, or under another counter."""
    changed = folder.published.model_copy(update={"family": family, "counter": counter, "min_counter": 1})
    assert isinstance(changed, Bundle)
    return ModelFolder(changed, changed.to_bytes(), folder.blobs)


def publish_many(folder: ModelFolder, versions: Sequence[tuple[str, int]], keys: Path, data: Path) -> None:
    """Publish a folder as (family, counter), one an hour, the last one now, for a server that does not run yet."""
    blobs = DirectoryBlobs(data / "blobs")
    for sha256, path in folder.blobs.items():
        with blobs.upload(sha256) as upload:
            upload.write(path.read_bytes())
            upload.finish()
    asyncio.run(_record(folder, versions, load_keys(keys, Role.TARGETS), data))


async def _record(
    folder: ModelFolder, versions: Sequence[tuple[str, int]], signers: Sequence[Signer], data: Path
) -> None:
    engine, began = open_engine(None, data, MAX_SECONDS), datetime.now(UTC)
    migrate(engine)
    database = Database(engine, asyncio.get_running_loop(), MAX_SECONDS)
    try:
        signed_files = SignedFiles(database, ServerKeys(data / "keys"), began.timestamp)
        await signed_files.initialise()
        moments = [began - ago * BETWEEN for ago in reversed(range(len(versions)))]
        for first in range(0, len(versions), AT_ONCE):
            several = list(zip(versions, moments, strict=True))[first : first + AT_ONCE]
            await database.write(partial(_publish_each, several, folder, signed_files, signers))
    finally:
        await asyncio.to_thread(database.close)


def _publish_each(
    versions: Sequence[tuple[tuple[str, int], datetime]],
    folder: ModelFolder,
    signed_files: SignedFiles,
    signers: Sequence[Signer],
    transaction: Transaction,
) -> None:
    for (family, counter), now in versions:
        _publish(transaction, version(folder, family, counter), signed_files, signers, now)


def _publish(
    transaction: Transaction, folder: ModelFolder, signed_files: SignedFiles, signers: Sequence[Signer], now: datetime
) -> None:
    published, data = folder.published, folder.data
    repository = signed_files.repository(transaction, published.family)
    current = repository.targets()
    listed = () if current is None else parse_targets(current).signed.targets
    kept = kept_paths(transaction, published.family, listed, 1, now.timestamp())
    added = Target(published.target_path, data, published.target_custom)
    targets = next_targets(published.family, current, signers, now, added=added, kept=kept)
    store(transaction, Registered(published, data, now.timestamp()))
    show(transaction, published.family, repository.publish(targets, {added.path: data}, kept, now))
