"""What is published: bundles, fallbacks, and whether their classifiers serve."""

import base64
import binascii
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from cloud_server.api.http.endpoint import endpoints
from cloud_server.api.http.json_body import command
from cloud_server.api.http.openapi import JSON, answer, problems
from cloud_server.api.operator.call_log import remark
from cloud_server.api.operator.commands import COMMAND_PROBLEMS, Message
from cloud_server.api.operator.rows import BundleList, FallbackList, bundle_row, fallback_row
from cloud_server.fleet.assignments import Assignments
from cloud_server.inference.model_cache import ModelCache
from cloud_server.registry.catalogue import Catalogue
from cloud_server.registry.publishing import Publishing
from cloud_server.registry.signed_files import SignedFiles
from shared.bundle import Bundle, Fallback
from shared.errors import PeerError
from shared.wire import ProblemCode

_PUBLISH_PROBLEMS = (
    *COMMAND_PROBLEMS,
    ProblemCode.CONFLICT,
    ProblemCode.INVALID_BUNDLE,
    ProblemCode.INVALID_TABLES,
    ProblemCode.UNSUPPORTED_BUNDLE,
    ProblemCode.SELFTEST_FAILED,
    ProblemCode.UNTRUSTED,
)


class PublishRequest(Message):
    """Base64 of the bundle's canonical bytes, and of the signed targets metadata that adds it."""

    bundle: str
    targets: str


class PublishFallbackRequest(Message):
    """Base64 of the fallback's canonical bytes, and of the signed targets metadata that adds it."""

    fallback: str
    targets: str


class PublishedBundle(Message):
    """A bundle's place: `target` is its path in TUF."""

    family: str
    counter: int
    target: str


class PublishedFallback(Message):
    """A fallback's place: `target` is its path in TUF."""

    family: str
    name: str
    target: str


def targets_router(signed_files: SignedFiles) -> APIRouter:
    """The metadata that a publication adds to."""
    router = endpoints()

    @router.get(
        "/v1/tuf/targets",
        response_class=Response,
        responses=problems(ProblemCode.NOT_READY) | {200: answer("TUF targets metadata.", {JSON: {"type": "object"}})},
    )
    async def get_targets() -> Response:
        """The current targets metadata; add what you publish to it, sign it, and send it along."""
        return Response(await signed_files.targets(), media_type=JSON)

    return router


def bundles_router(
    catalogue: Catalogue, publishing: Publishing, models: ModelCache, assignments: Assignments
) -> APIRouter:
    """Publish bundles, and list them."""
    router = endpoints()

    @router.post(
        "/v1/bundles", status_code=201, response_description="Published.", responses=problems(*_PUBLISH_PROBLEMS)
    )
    async def publish_bundle(
        request: Request, wanted: Annotated[PublishRequest, Depends(command(PublishRequest))]
    ) -> PublishedBundle:
        """Publish a bundle whose blobs are uploaded; the same again changes nothing."""
        data = _from_base64(wanted.bundle)
        bundle = Bundle.from_bytes(data)
        await publishing.publish(bundle, data, _from_base64(wanted.targets))
        remark(request, family=bundle.family, counter=bundle.counter)
        return PublishedBundle(family=bundle.family, counter=bundle.counter, target=bundle.target_path)

    @router.get("/v1/bundles", response_description="All of them.")
    async def list_bundles() -> BundleList:
        """Every bundle, where its classifier is, and whether it is assigned."""
        return BundleList(bundles=tuple(bundle_row(each, models, assignments) for each in catalogue.bundles()))

    return router


def fallbacks_router(catalogue: Catalogue, publishing: Publishing, models: ModelCache) -> APIRouter:
    """Publish fallbacks, and list them."""
    router = endpoints()

    @router.post(
        "/v1/fallbacks", status_code=201, response_description="Published.", responses=problems(*_PUBLISH_PROBLEMS)
    )
    async def publish_fallback(
        request: Request, wanted: Annotated[PublishFallbackRequest, Depends(command(PublishFallbackRequest))]
    ) -> PublishedFallback:
        """Publish a fallback whose blobs are uploaded: its family's newest answers frames of unknown tables."""
        data = _from_base64(wanted.fallback)
        fallback = Fallback.from_bytes(data)
        await publishing.publish(fallback, data, _from_base64(wanted.targets))
        remark(request, family=fallback.family)
        return PublishedFallback(family=fallback.family, name=fallback.name, target=fallback.target_path)

    @router.get("/v1/fallbacks", response_description="All of them.")
    async def list_fallbacks() -> FallbackList:
        """Every fallback, and where its classifier is; a family's last one serves."""
        return FallbackList(fallbacks=tuple(fallback_row(each, models) for each in catalogue.fallbacks()))

    return router


def _from_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise PeerError(f"not base64: {error}") from error
