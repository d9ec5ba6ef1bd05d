"""`GET /tuf/...`: the signed metadata and the bundles, as files."""

import re
from email.utils import formatdate
from functools import partial

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from cloud_server.api.http.exchange import exchange_of
from cloud_server.errors import NotFoundError
from cloud_server.storage.database import Database
from cloud_server.storage.rows.tuf_files import read_file

_NAMES = re.compile(
    r"metadata/(timestamp|[0-9]{1,9}\.(root|targets|snapshot))\.json"
    r"|targets/[a-z0-9][a-z0-9-]{0,62}/[0-9a-f]{64}\.[0-9]{1,10}\.json"
)
_FOREVER = "public, max-age=31536000, immutable"


class TufFiles:
    """The repository's files, each one small row of the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, name: str) -> bytes:
        """One file.

        Raises:
            NotFoundError: there is none of this name.
            StorageError: the database does not answer.
        """
        if _NAMES.fullmatch(name) is None:
            raise NotFoundError(f"{name[:100]} is no TUF file")
        data = await self._database.read(partial(read_file, name=name))
        if data is None:
            raise NotFoundError(f"{name} is not published")
        return data


def tuf_router(files: TufFiles) -> APIRouter:
    """Metadata and targets; everything but the timestamp never changes once it is there."""
    router = APIRouter()

    @router.get("/tuf/{name:path}")
    async def get_tuf_file(request: Request, name: str) -> Response:
        """One file of the TUF repository, with the server's date."""
        exchange_of(request.scope).route = "tuf"
        data = await files.read(name)
        cache = "no-cache" if name == "metadata/timestamp.json" else _FOREVER
        return Response(data, 200, {"cache-control": cache, "date": formatdate(usegmt=True)}, "application/json")

    return router
