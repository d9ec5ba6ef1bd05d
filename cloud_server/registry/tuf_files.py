"""The files of the TUF repository, as devices read them: signed metadata and bundles, by name."""

import re
from functools import partial

from cloud_server.errors import NoNewerRootError, NotFoundError
from cloud_server.storage.database import Database
from cloud_server.storage.rows.tuf_files import read_file

_NAMES = re.compile(
    r"metadata/(timestamp|[0-9]{1,9}\.(root|targets|snapshot))\.json"
    r"|targets/[a-z0-9][a-z0-9-]{0,62}/[0-9a-f]{64}\.[0-9]{1,10}\.json"
)
_CHANGING = "metadata/timestamp.json"


class TufFiles:
    """The repository's files, each one small row of the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, name: str) -> bytes:
        """One file.

        Raises:
            NotFoundError: there is none of this name; NoNewerRootError for a version of the root.
            StorageError: the database does not answer.
        """
        if _NAMES.fullmatch(name) is None:
            raise NotFoundError(f"{name[:100]} is no TUF file")
        data = await self._database.read(partial(read_file, name=name))
        if data is None and name.endswith(".root.json"):
            raise NoNewerRootError(f"{name} is not published")
        if data is None:
            raise NotFoundError(f"{name} is not published")
        return data


def may_change(name: str) -> bool:
    """Whether a file of this name can change; all but the timestamp are written once."""
    return name == _CHANGING
