"""What is published: bundles, fallbacks, and whether their classifiers serve."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from cloud_server.api.http.endpoint import endpoints
from cloud_server.api.http.json_body import command
from cloud_server.api.http.openapi import problems
from cloud_server.api.operator.call_log import remark
from cloud_server.api.operator.commands import COMMAND_PROBLEMS, Message, from_base64
from cloud_server.api.operator.operator_auth import audited, caller_of, requires
from cloud_server.api.operator.rows import BelowFloorRow, BundleList, FallbackList, bundle_row, fallback_rows
from cloud_server.api.operator.written import written
from cloud_server.fleet.assignments import Assignments
from cloud_server.inference.model_cache import ModelCache
from cloud_server.operators.roles import Role
from cloud_server.registry.catalogue import Catalogue
from cloud_server.registry.floor import Falling
from cloud_server.registry.publishing import Publishing
from cloud_server.registry.signed_files import SignedFiles
from shared.bundle import Bundle, Fallback, Family
from shared.wire import ProblemCode

PAGE_MAX = 1000
BundleName = "^[a-z0-9][a-z0-9-]{0,62}/[1-9][0-9]{0,9}$"
_PUBLISH_PROBLEMS = (
    *COMMAND_PROBLEMS,
    ProblemCode.CONFLICT,
    ProblemCode.BELOW_FLOOR,
    ProblemCode.INVALID_BUNDLE,
    ProblemCode.INVALID_TABLES,
    ProblemCode.UNSUPPORTED_BUNDLE,
    ProblemCode.SELFTEST_FAILED,
    ProblemCode.UNTRUSTED,
)


RaiseFloor = Annotated[
    Falling,
    Field(
        description="What that is assigned may fall below the family's floor: nothing, what the family is assigned "
        "(another bundle takes its place at once), or everything."
    ),
]


class PublishRequest(Message):
    """Base64 of the bundle's canonical bytes, and of the signed targets metadata that adds it."""

    bundle: str
    targets: str
    allow_jump: bool = Field(default=False, description="Whether the counter may be over a million above the highest.")
    raise_floor: RaiseFloor = Falling.NOTHING


class PublishFallbackRequest(Message):
    """Base64 of the fallback's canonical bytes, and of the signed targets metadata that adds it."""

    fallback: str
    targets: str
    raise_floor: RaiseFloor = Falling.NOTHING


class PublishedBundle(Message):
    """A bundle's place: `target` is its path in TUF."""

    family: str
    counter: int
    target: str
    below_floor: BelowFloorRow


class PublishedFallback(Message):
    """A fallback's place: `target` is its path in TUF."""

    family: str
    name: str
    target: str
    below_floor: BelowFloorRow


def require_may_raise(request: Request, falling: Falling) -> None:
    """Whether the caller may take what is assigned below the floor: whoever says what devices run may.

    Raises:
        RoleError: the caller may only publish.
    """
    if falling is not Falling.NOTHING:
        caller_of(request).require(Role.OPERATOR)


def bundles_router(
    catalogue: Catalogue,
    publishing: Publishing,
    signed_files: SignedFiles,
    models: ModelCache,
    assignments: Assignments,
) -> APIRouter:
    """Publish bundles, and list them."""
    router = endpoints()

    @router.post(
        "/v1/bundles",
        dependencies=[requires(Role.TRAINER)],
        status_code=201,
        response_description="Published.",
        responses=problems(*_PUBLISH_PROBLEMS),
    )
    async def publish_bundle(
        request: Request, wanted: Annotated[PublishRequest, Depends(command(PublishRequest))]
    ) -> PublishedBundle:
        """Publish a bundle whose blobs are uploaded; the same again changes nothing."""
        data = from_base64(wanted.bundle)
        bundle = Bundle.from_bytes(data)
        witness, targets = audited(request, "bundle.publish", bundle.name), from_base64(wanted.targets)
        require_may_raise(request, wanted.raise_floor)
        falling, jumps = wanted.raise_floor, wanted.allow_jump
        below = await publishing.publish(bundle, data, targets, witness, may_jump=jumps, falling=falling)
        remark(request, family=bundle.family, counter=bundle.counter)
        row, target = BelowFloorRow.of(below), bundle.target_path
        return PublishedBundle(family=bundle.family, counter=bundle.counter, target=target, below_floor=row)

    @router.get(
        "/v1/bundles",
        response_model=BundleList,
        dependencies=[requires(Role.VIEWER)],
        response_description="The page.",
        responses=problems(ProblemCode.NOT_READY),
    )
    async def list_bundles(
        family: Annotated[Family | None, Query(description="of this family")] = None,
        after: Annotated[str | None, Query(description="an earlier page's `next`", pattern=BundleName)] = None,
        limit: Annotated[int, Query(description="how many", ge=1, le=PAGE_MAX)] = PAGE_MAX,
    ) -> Response:
        """A page of bundles, by family and counter: where its classifier is; if it is listed, assigned and so on.

        Send a page's `next` as `after` for the following one.
        """
        listed, floors = await signed_files.listed(), await signed_files.floors()
        page, following = catalogue.page(family, after, limit)

        def document() -> BundleList:
            return BundleList(
                bundles=tuple(bundle_row(each, models, assignments, listed, floors) for each in page), next=following
            )

        return await written(document)

    return router


def fallbacks_router(
    catalogue: Catalogue, publishing: Publishing, signed_files: SignedFiles, models: ModelCache
) -> APIRouter:
    """Publish fallbacks, and list them."""
    router = endpoints()

    @router.post(
        "/v1/fallbacks",
        dependencies=[requires(Role.TRAINER)],
        status_code=201,
        response_description="Published.",
        responses=problems(*_PUBLISH_PROBLEMS),
    )
    async def publish_fallback(
        request: Request, wanted: Annotated[PublishFallbackRequest, Depends(command(PublishFallbackRequest))]
    ) -> PublishedFallback:
        """Publish a fallback whose blobs are uploaded; it answers nothing until it is released."""
        data = from_base64(wanted.fallback)
        fallback = Fallback.from_bytes(data)
        witness = audited(request, "fallback.publish", fallback.name)
        targets = from_base64(wanted.targets)
        require_may_raise(request, wanted.raise_floor)
        below = await publishing.publish(fallback, data, targets, witness, falling=wanted.raise_floor)
        remark(request, family=fallback.family)
        row, target = BelowFloorRow.of(below), fallback.target_path
        return PublishedFallback(family=fallback.family, name=fallback.name, target=target, below_floor=row)

    @router.get(
        "/v1/fallbacks",
        dependencies=[requires(Role.VIEWER)],
        response_description="All of them.",
        responses=problems(ProblemCode.NOT_READY),
    )
    async def list_fallbacks() -> FallbackList:
        """Every fallback, and where its classifier is; if it is released, listed and so on."""
        return FallbackList(fallbacks=fallback_rows(catalogue, models, await signed_files.listed()))

    return router
