"""The operator plane (:8001, loopback by default): publish, assign, hand out claim codes, look.

A body must say that it is JSON: a page in the operator's browser cannot send that here without asking first.
"""

import asyncio
import re
from dataclasses import dataclass

from fastapi import APIRouter, Depends, FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from cloud_server.api.http.bodies import JSON, next_message, read_command
from cloud_server.api.http.exchange import exchange_of
from cloud_server.api.http.openapi import add_document
from cloud_server.api.http.problems import install_problems
from cloud_server.api.operator.call_log import CallLog, remark
from cloud_server.api.operator.operations import AssignRequest, ClaimRequest, operator_operations
from cloud_server.api.operator.own_hosts import require_own_host
from cloud_server.api.operator.published import published_router
from cloud_server.api.operator.rows import DeviceList, device_row
from cloud_server.api.operator.samples import samples_router
from cloud_server.api.tuf_files import TufFiles, tuf_router
from cloud_server.errors import BodyTooLargeError
from cloud_server.feedback.labels import Labels
from cloud_server.feedback.samples import Samples
from cloud_server.fleet.assignments import Assignments
from cloud_server.fleet.devices import Devices
from cloud_server.inference.model_cache import ModelCache
from cloud_server.registry.assigning import Assigning
from cloud_server.registry.catalogue import Catalogue
from cloud_server.registry.publishing import Publishing
from cloud_server.registry.signed_files import SignedFiles
from cloud_server.storage.blobs import Blobs, Upload
from shared.errors import PeerError

WRITE_BYTES = 1 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class OperatorLimits:
    """How large a blob may be, how long it may pause while it arrives, and by which further names we are called."""

    blob_max_bytes: int
    blob_idle_seconds: float
    host_names: str


def operator_plane(
    *,
    catalogue: Catalogue,
    signed_files: SignedFiles,
    publishing: Publishing,
    models: ModelCache,
    blobs: Blobs,
    devices: Devices,
    assignments: Assignments,
    assigning: Assigning,
    tuf_files: TufFiles,
    samples: Samples,
    labels: Labels,
    limits: OperatorLimits,
) -> FastAPI:
    """The application behind the operator listener."""
    app = FastAPI(
        title="dctwire operator plane",
        openapi_url=None,
        redirect_slashes=False,
        dependencies=[Depends(require_own_host(limits.host_names))],
    )
    app.add_middleware(CallLog)
    install_problems(app, lambda _request, _reason: {})
    app.include_router(published_router(catalogue, signed_files, publishing, models, assignments))
    app.include_router(_blobs_router(blobs, limits))
    app.include_router(_fleet_router(devices, assignments, assigning))
    app.include_router(samples_router(samples, labels))
    app.include_router(tuf_router(tuf_files))
    add_document(app, operator_operations(limits.blob_max_bytes))
    return app


def _blobs_router(blobs: Blobs, limits: OperatorLimits) -> APIRouter:
    router = APIRouter()

    @router.put("/v1/blobs/{sha256}")
    async def put_blob(request: Request, sha256: str) -> Response:
        """Upload a file under its SHA-256; one that is there already stays."""
        if _SHA256.fullmatch(sha256) is None:
            raise PeerError("a blob's name is its SHA-256, 64 lower-case hex digits")
        declared = request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > limits.blob_max_bytes:
            raise BodyTooLargeError(limits.blob_max_bytes)
        if await asyncio.to_thread(blobs.__contains__, sha256):
            return Response(status_code=204, headers={"connection": "close"})
        with blobs.upload(sha256) as upload:
            await _receive(request, upload, limits)
            await asyncio.to_thread(upload.finish)
        return Response(status_code=201)

    return router


def _fleet_router(devices: Devices, assignments: Assignments, assigning: Assigning) -> APIRouter:
    router = APIRouter()

    @router.post("/v1/claims")
    async def create_claim(request: Request) -> Response:
        """A single-use claim code, valid for a day; it is shown this once."""
        wanted = await read_command(request, ClaimRequest)
        remark(request, family=wanted.family)
        claim = await devices.create_claim(wanted.family)
        return JSONResponse({"claim_code": claim.code, "family": claim.family, "expires_at": claim.expires_at}, 201)

    @router.post("/v1/assignments")
    async def assign(request: Request) -> Response:
        """Point a family at one of its published bundles; pointing it where it points already changes nothing."""
        wanted = await read_command(request, AssignRequest)
        remark(request, family=wanted.family, counter=wanted.counter)
        assignment = await assigning.assign(wanted.family, wanted.counter)
        return Response(assignment.model_dump_json(), 201, media_type=JSON)

    @router.get("/v1/devices")
    async def list_devices() -> DeviceList:
        """Every device, when it was last here and with which tables."""
        await devices.load()
        return DeviceList(devices=tuple(device_row(device, assignments) for device in devices.all()))

    return router


async def _receive(request: Request, upload: Upload, limits: OperatorLimits) -> None:
    total, pending = 0, bytearray()
    exchange, is_more = exchange_of(request.scope), True
    while is_more:
        timer = asyncio.get_running_loop().call_later(limits.blob_idle_seconds, exchange.cut_off)
        message = await next_message(request)
        timer.cancel()
        is_more = message.get("more_body", False)
        pending += message["body"]
        total += len(message["body"])
        if total > limits.blob_max_bytes:
            raise BodyTooLargeError(limits.blob_max_bytes)
        if len(pending) >= WRITE_BYTES or not is_more:
            await asyncio.to_thread(upload.write, bytes(pending))
            pending.clear()
