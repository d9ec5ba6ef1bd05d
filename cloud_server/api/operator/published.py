"""The part of the operator plane about what is published: bundles, fallbacks, and whether their classifiers serve."""

import base64
import binascii

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from cloud_server.api.http.bodies import JSON, read_command
from cloud_server.api.operator.call_log import remark
from cloud_server.api.operator.rows import BundleList, FallbackList, bundle_row, fallback_row
from cloud_server.fleet.assignments import Assignments
from cloud_server.inference.model_cache import ModelCache
from cloud_server.registry.catalogue import Catalogue
from cloud_server.registry.publishing import Publishing
from cloud_server.registry.signed_files import SignedFiles
from shared.bundle import Bundle, Fallback
from shared.errors import PeerError


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PublishRequest(_Body):
    """Base64 of the bundle's canonical bytes, and of the signed targets metadata that adds it."""

    bundle: str
    targets: str


class PublishFallbackRequest(_Body):
    """Base64 of the fallback's canonical bytes, and of the signed targets metadata that adds it."""

    fallback: str
    targets: str


def published_router(
    catalogue: Catalogue,
    signed_files: SignedFiles,
    publishing: Publishing,
    models: ModelCache,
    assignments: Assignments,
) -> APIRouter:
    """Publish, and list what is published."""
    router = APIRouter()

    @router.get("/v1/tuf/targets")
    async def get_targets() -> Response:
        """The current targets metadata; add what you publish to it, sign it, and send it along."""
        return Response(await signed_files.targets(), media_type=JSON)

    @router.post("/v1/bundles")
    async def publish(request: Request) -> Response:
        """Publish a bundle whose blobs are uploaded; the same again changes nothing."""
        wanted = await read_command(request, PublishRequest)
        data = _base64(wanted.bundle)
        bundle = Bundle.from_bytes(data)
        await publishing.publish(bundle, data, _base64(wanted.targets))
        remark(request, family=bundle.family, counter=bundle.counter)
        return JSONResponse({"family": bundle.family, "counter": bundle.counter, "target": bundle.target_path}, 201)

    @router.get("/v1/bundles")
    async def list_bundles() -> BundleList:
        """Every bundle, where its classifier is, and whether it is assigned."""
        return BundleList(bundles=tuple(bundle_row(one, models, assignments) for one in catalogue.bundles()))

    @router.post("/v1/fallbacks")
    async def publish_fallback(request: Request) -> Response:
        """Publish a fallback whose blobs are uploaded: its family's newest answers frames of unknown tables."""
        wanted = await read_command(request, PublishFallbackRequest)
        data = _base64(wanted.fallback)
        fallback = Fallback.from_bytes(data)
        await publishing.publish(fallback, data, _base64(wanted.targets))
        remark(request, family=fallback.family)
        return JSONResponse({"family": fallback.family, "name": fallback.name, "target": fallback.target_path}, 201)

    @router.get("/v1/fallbacks")
    async def list_fallbacks() -> FallbackList:
        """Every fallback, and where its classifier is; a family's last one serves."""
        return FallbackList(fallbacks=tuple(fallback_row(one, models) for one in catalogue.fallbacks()))

    return router


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise PeerError(f"not base64: {error}") from error
