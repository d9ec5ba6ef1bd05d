"""`PUT /v1/blobs/{sha256}`: the files that bundles and fallbacks name."""

import asyncio
import re
from typing import Annotated

from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import Response

from cloud_server.api.http.bodies import header, next_message, require_identity
from cloud_server.api.http.endpoint import endpoints
from cloud_server.api.http.exchange import exchange_of
from cloud_server.api.http.openapi import answer, binary, problems, raw_body
from cloud_server.api.operator.operator_auth import requires
from cloud_server.errors import BodyTooLargeError
from cloud_server.operators.roles import Role
from cloud_server.storage.blobs import Blobs, Upload
from shared.errors import PeerError
from shared.wire import ProblemCode

WRITE_BYTES = 1 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PROBLEMS = (
    ProblemCode.TOO_LARGE,
    ProblemCode.UNSUPPORTED_CODING,
    ProblemCode.CONFLICT,
    ProblemCode.NOT_FOUND,
    ProblemCode.NOT_READY,
)


def blobs_router(blobs: Blobs, max_bytes: int, idle_max_seconds: float) -> APIRouter:
    """Uploads of files, which are written while they arrive."""
    router = endpoints()

    @router.put(
        "/v1/blobs/{sha256}",
        dependencies=[requires(Role.TRAINER)],
        status_code=201,
        response_class=Response,
        response_description="Stored.",
        responses=problems(*_PROBLEMS) | {204: answer("It is there already.")},
        openapi_extra={"requestBody": raw_body("the file", max_bytes, {"application/octet-stream": binary(max_bytes)})},
    )
    async def put_blob(
        request: Request, sha256: Annotated[str, Path(description="64 lower-case hex digits")]
    ) -> Response:
        """Upload a file under its SHA-256; one that is there already stays."""
        if _SHA256.fullmatch(sha256) is None:
            raise PeerError("a blob's name is its SHA-256, 64 lower-case hex digits")
        require_identity(request)
        declared = header(request, b"content-length")
        if declared.isdecimal() and int(declared) > max_bytes:
            raise BodyTooLargeError(max_bytes)
        if await asyncio.to_thread(blobs.__contains__, sha256):
            return Response(status_code=204, headers={"connection": "close"})
        with blobs.upload(sha256) as upload:
            await _receive(request, upload, max_bytes, idle_max_seconds)
            await asyncio.to_thread(upload.finish)
        return Response(status_code=201)

    return router


async def _receive(request: Request, upload: Upload, max_bytes: int, idle_max_seconds: float) -> None:
    """Write a body while it arrives; it may pause for `idle_max_seconds` at a time.

    Raises:
        BodyTooLargeError: it has more than `max_bytes`.
        SlowBodyError, ClientDisconnect: it paused for too long, or the client has gone.
    """
    total, pending = 0, bytearray()
    exchange, is_more = exchange_of(request.scope), True
    while is_more:
        timer = asyncio.get_running_loop().call_later(idle_max_seconds, exchange.cut_off)
        message = await next_message(request)
        timer.cancel()
        is_more = message.get("more_body", False)
        pending += message["body"]
        total += len(message["body"])
        if total > max_bytes:
            raise BodyTooLargeError(max_bytes)
        if len(pending) >= WRITE_BYTES or not is_more:
            await asyncio.to_thread(upload.write, bytes(pending))
            pending.clear()
