"""The operator plane (:8001, loopback by default): publish, assign, hand out claim codes, look.

A body must say that it is JSON: a page in the operator's browser cannot send that here without asking first.
"""

import asyncio
import base64
import binascii
import re
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from cloud_server.api.bodies import read_json
from cloud_server.api.call_log import CallLog, remark
from cloud_server.api.problems import install_problems
from cloud_server.api.tuf_files import TufFiles, tuf_router
from cloud_server.errors import BodyTooLargeError, MediaTypeError
from cloud_server.fleet.assignments import Assignments
from cloud_server.fleet.devices import Device, Devices
from cloud_server.registry.blobs import Blobs, Upload
from cloud_server.registry.registry import Registered, Registry
from shared.errors import PeerError

JSON = "application/json"
ENVELOPE_MAX_BYTES = 2 << 20
ENVELOPE_MAX_SECONDS = 60.0
WRITE_BYTES = 1 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}")

Family = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PublishRequest(_Body):
    """Base64 of the bundle's canonical bytes, and of the signed targets metadata that adds it."""

    bundle: str
    targets: str


class AssignRequest(_Body):
    """Which bundle a family should run."""

    family: Family
    counter: Annotated[int, Field(ge=1, le=2**31 - 1)]


class ClaimRequest(_Body):
    """The family a device may join."""

    family: Family


def operator_plane(
    registry: Registry,
    blobs: Blobs,
    devices: Devices,
    assignments: Assignments,
    tuf_files: TufFiles,
    blob_max_bytes: int,
) -> FastAPI:
    """The application behind the operator listener."""
    app = FastAPI(title="dctwire operator plane", docs_url=None, redoc_url=None, redirect_slashes=False)
    app.add_middleware(CallLog)
    install_problems(app, lambda _request, _reason: {})
    app.include_router(_registry_router(registry, assignments))
    app.include_router(_blobs_router(blobs, blob_max_bytes))
    app.include_router(_fleet_router(registry, devices, assignments))
    app.include_router(tuf_router(tuf_files))
    return app


def _registry_router(registry: Registry, assignments: Assignments) -> APIRouter:
    router = APIRouter()

    @router.get("/v1/tuf/targets")
    async def get_targets() -> Response:
        """The current targets metadata; add a bundle to it, sign it, send it with POST /v1/bundles."""
        return Response(await registry.targets(), media_type=JSON)

    @router.post("/v1/bundles")
    async def publish(request: Request) -> Response:
        """Publish a bundle whose blobs are uploaded; the same again changes nothing."""
        wanted = await _read(request, PublishRequest)
        bundle = await registry.publish(_base64(wanted.bundle), _base64(wanted.targets))
        remark(request, family=bundle.family, counter=bundle.counter)
        return JSONResponse({"family": bundle.family, "counter": bundle.counter, "target": bundle.target_path}, 201)

    @router.get("/v1/bundles")
    async def list_bundles() -> Response:
        """Every bundle, whether its classifier is loaded, and whether it is assigned."""
        rows = [_bundle_row(registered, registry, assignments) for registered in registry.all()]
        return JSONResponse({"bundles": rows})

    return router


def _blobs_router(blobs: Blobs, max_bytes: int) -> APIRouter:
    router = APIRouter()

    @router.put("/v1/blobs/{sha256}")
    async def put_blob(request: Request, sha256: str) -> Response:
        """Upload a file under its SHA-256; one that is there already stays."""
        if _SHA256.fullmatch(sha256) is None:
            raise PeerError("a blob's name is its SHA-256, 64 lower-case hex digits")
        declared = request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > max_bytes:
            raise BodyTooLargeError(max_bytes)
        if await asyncio.to_thread(blobs.__contains__, sha256):
            return Response(status_code=204, headers={"connection": "close"})
        with blobs.upload(sha256) as upload:
            await _receive(request, upload, max_bytes)
            await asyncio.to_thread(upload.finish)
        return Response(status_code=201)

    return router


def _fleet_router(registry: Registry, devices: Devices, assignments: Assignments) -> APIRouter:
    router = APIRouter()

    @router.post("/v1/claims")
    async def create_claim(request: Request) -> Response:
        """A single-use claim code, valid for a day; it is shown this once."""
        wanted = await _read(request, ClaimRequest)
        remark(request, family=wanted.family)
        claim = await devices.create_claim(wanted.family)
        return JSONResponse({"claim_code": claim.code, "family": claim.family, "expires_at": claim.expires_at}, 201)

    @router.post("/v1/assignments")
    async def assign(request: Request) -> Response:
        """Point a family at one of its published bundles; pointing it where it points already changes nothing."""
        wanted = await _read(request, AssignRequest)
        remark(request, family=wanted.family, counter=wanted.counter)
        await registry.require_published(wanted.family, wanted.counter)
        assignment = await assignments.assign(wanted.family, wanted.counter)
        return Response(assignment.model_dump_json(), 201, media_type=JSON)

    @router.get("/v1/devices")
    async def list_devices() -> Response:
        """Every device, when it was last here and with which tables."""
        return JSONResponse({"devices": [_device_row(device, assignments) for device in devices.all()]})

    return router


async def _read(request: Request, model: type[Any]) -> Any:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON:
        raise MediaTypeError(f"send {JSON}")
    return await read_json(request, model, ENVELOPE_MAX_SECONDS, ENVELOPE_MAX_BYTES)


async def _receive(request: Request, upload: Upload, max_bytes: int) -> None:
    total, pending = 0, bytearray()
    is_more = True
    while is_more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        is_more = message.get("more_body", False)
        pending += message["body"]
        total += len(message["body"])
        if total > max_bytes:
            raise BodyTooLargeError(max_bytes)
        if len(pending) >= WRITE_BYTES or not is_more:
            await asyncio.to_thread(upload.write, bytes(pending))
            pending.clear()


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise PeerError(f"not base64: {error}") from error


def _bundle_row(registered: Registered, registry: Registry, assignments: Assignments) -> dict[str, Any]:
    bundle = registered.bundle
    assigned = assignments.all().get(bundle.family)
    return {
        "family": bundle.family,
        "counter": bundle.counter,
        "min_counter": bundle.min_counter,
        "tables_id": bundle.tables.tables_id,
        "quant_id": bundle.tables.quant_id,
        "width": bundle.input.width,
        "height": bundle.input.height,
        "classifier_sha256": bundle.classifier.sha256,
        "expected": bundle.expected.model_dump(mode="json"),
        "registered_at": registered.registered_at,
        "is_loaded": (bundle.family, bundle.counter) in registry.serving.models,
        "is_assigned": assigned is not None and assigned.counter == bundle.counter,
    }


def _device_row(device: Device, assignments: Assignments) -> dict[str, Any]:
    return {
        "device_id": device.public_id,
        "family": device.family,
        "enrolled_at": device.enrolled_at,
        "last_seen_at": device.last_seen_at,
        "last_tables": device.last_tables,
        "assignment_seq": assignments.seq(device.family),
    }
