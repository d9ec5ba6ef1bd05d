"""Large documents, written beside the event loop, which goes on answering meanwhile."""

import asyncio
from collections.abc import Callable

from starlette.responses import Response

from cloud_server.api.http.openapi import JSON
from cloud_server.api.operator.commands import Message


async def written(make: Callable[[], Message]) -> Response:
    """The answer with the document that `make` makes; it runs in a thread, and only looks at what it is given.

    A thousand rows take a hundred milliseconds, and the loop has a turn every five.
    """
    return Response(await asyncio.to_thread(lambda: make().model_dump_json()), media_type=JSON)
