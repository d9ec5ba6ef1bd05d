"""The files of the TUF repositories, as devices read them: signed metadata and bundles, by name."""

import re
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from cloud_server.errors import NoNewerRootError, NotFoundError, UnavailableError
from cloud_server.registry.signed_files import SignedFiles
from cloud_server.storage.database import Database
from cloud_server.storage.rows.tuf_files import read_file, read_timestamp
from shared.trust import TrustError

_FAMILY = "[a-z0-9][a-z0-9-]{0,62}"
_NAMES = re.compile(
    rf"[0-9]{{1,9}}\.root\.json|{_FAMILY}/([0-9]{{1,16}}\.(targets|snapshot)|[0-9a-f]{{64}}\.(settings-)?[0-9]{{1,10}})\.json"
)
_TIMESTAMP = re.compile(rf"({_FAMILY})/timestamp\.json")
STALE_SECONDS = 3600.0
"""How long before it expires a timestamp is signed anew for whoever asks."""


class TufFiles:
    """The repositories' files, each one small row of the database.

    Args:
        now: seconds since 1970.
    """

    def __init__(self, database: Database, signed_files: SignedFiles, now: Callable[[], float]) -> None:
        self._database = database
        self._signed_files = signed_files
        self._now = now

    async def read(self, name: str) -> bytes:
        """One file. A timestamp is always fresh: one that nobody has signed anew in time is signed now.

        Raises:
            NotFoundError: there is none of this name; NoNewerRootError for a version of the root.
            StorageError: the database does not answer.
        """
        if (timestamp := _TIMESTAMP.fullmatch(name)) is not None:
            return await self._fresh(timestamp[1], name)
        if _NAMES.fullmatch(name) is None:
            raise NotFoundError(f"{name[:100]} is no TUF file")
        data = await self._database.read(partial(read_file, name=name))
        if data is None:
            kind = NoNewerRootError if name.endswith(".root.json") else NotFoundError
            raise kind(f"{name} is not published")
        return data

    async def _fresh(self, family: str, name: str) -> bytes:
        reading = partial(read_timestamp, family=family, name=name)
        found = await self._database.read(reading)
        if found is not None and found[1] - self._now() < STALE_SECONDS:
            with suppress(UnavailableError, TrustError):  # then the old one says so itself
                await self._signed_files.refresh_family(family)
            found = await self._database.read(reading)
        if found is None:
            raise NotFoundError(f"{name} is not published")
        return found[0]


def may_change(name: str) -> bool:
    """Whether a file of this name can change; all but timestamps are written once."""
    return _TIMESTAMP.fullmatch(name) is not None
