"""The operator plane's view of what the field sent: look at kept frames, say what frames really showed."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from cloud_server.api.http.endpoint import endpoints
from cloud_server.api.http.json_body import command
from cloud_server.api.http.openapi import answer, binary, problems
from cloud_server.api.operator.commands import COMMAND_PROBLEMS
from cloud_server.api.operator.operator_auth import audited, caller_of, requires
from cloud_server.feedback.frame_id import FrameId
from cloud_server.feedback.labels import Labels
from cloud_server.feedback.reasons import Reason
from cloud_server.feedback.samples import (
    PAGE_MAX,
    SET_ASIDE_PAGE_MAX,
    Page,
    Sample,
    SampleFilter,
    Samples,
    SetAsidePage,
)
from cloud_server.operators.roles import Role
from shared.bundle import Family
from shared.wire import LabelReport, LabelSource, ProblemCode

JPEG = "image/jpeg"
ROW_ID_MAX = 2**31 - 1
"""PostgreSQL's INTEGER; a page's `next` is a row's id."""
_FOUND_OR_NOT = (ProblemCode.NOT_FOUND, ProblemCode.NOT_READY)
_FrameId = Annotated[str, Path(description="<device id>.<sequence>")]
_Seconds = Annotated[float, Query(description="seconds since 1970", ge=0, le=1e11, allow_inf_nan=False)]


class Review(LabelReport):
    """A label from an operator who looked."""

    source: LabelSource = LabelSource.HUMAN


class Reviewed(BaseModel):
    """What came of a label: whether it is the frame's now, and what it says of the answer."""

    model_config = ConfigDict(frozen=True)

    frame_id: str
    label: str
    source: LabelSource
    stands: bool = Field(description="False when a label of higher authority is there.")
    is_correct: bool = Field(description="Whether the answer was this label.")
    is_foreign: bool = Field(description="Whether the family's classifier does not know this label.")


def samples_router(samples: Samples) -> APIRouter:
    """List and look, and see from whom nothing is to be learned."""
    router = endpoints()
    _add_set_aside(router, samples)  # before what takes any other word for a frame

    @router.get(
        "/v1/samples",
        dependencies=[requires(Role.TRAINER)],
        response_description="The page.",
        responses=problems(ProblemCode.NOT_READY),
    )
    async def list_samples(
        family: Annotated[Family | None, Query(description="of this family")] = None,
        reason: Annotated[Reason | None, Query(description="kept for this reason")] = None,
        detail: Annotated[bool | None, Query(description="details, or frames")] = None,
        labelled: Annotated[bool | None, Query(description="whose label is known, or is not")] = None,
        since: _Seconds | None = None,
        until: _Seconds | None = None,
        before: Annotated[int | None, Query(description="an earlier page's `next`", ge=1, le=ROW_ID_MAX)] = None,
        limit: Annotated[int, Query(description="how many", ge=1, le=PAGE_MAX)] = 100,
    ) -> Page:
        """A page of samples, newest first; send its `next` as `before` for older ones."""
        return await samples.page(SampleFilter(family, reason, detail, labelled, since, until), before, limit)

    @router.get(
        "/v1/samples/{frame_id}",
        dependencies=[requires(Role.TRAINER)],
        response_description="The sample's record.",
        responses=problems(*_FOUND_OR_NOT),
    )
    async def get_sample(frame_id: _FrameId) -> Sample:
        """What was answered, why the frame was kept, and what it really showed, where that is known."""
        return await samples.find(FrameId.parse(frame_id))

    @router.get(
        "/v1/samples/{frame_id}/jpeg",
        dependencies=[requires(Role.TRAINER)],
        response_class=Response,
        responses=problems(*_FOUND_OR_NOT) | {200: answer("A JPEG file.", {JPEG: binary()})},
    )
    async def get_file(frame_id: _FrameId) -> Response:
        """The levels that were answered, in a file that any viewer opens; without the camera's metadata."""
        frame = FrameId.parse(frame_id)
        headers = {
            "content-disposition": f'inline; filename="{frame}.jpg"',
            "x-content-type-options": "nosniff",  # the bytes came from a device
        }
        return Response(await samples.file(frame), 200, headers, JPEG)

    return router


def _add_set_aside(router: APIRouter, samples: Samples) -> None:
    @router.get(
        "/v1/samples/set-aside",
        dependencies=[requires(Role.TRAINER)],
        response_description="The page.",
        responses=problems(ProblemCode.NOT_READY),
    )
    async def list_set_aside(
        family: Annotated[Family, Query(description="of this family")],
        after: Annotated[int | None, Query(description="an earlier page's `next`", ge=1, le=ROW_ID_MAX)] = None,
        limit: Annotated[int, Query(description="how many", ge=1, le=SET_ASIDE_PAGE_MAX)] = SET_ASIDE_PAGE_MAX,
    ) -> SetAsidePage:
        """Devices whose frames nobody shall learn from: forgotten (for ever), in quarantine, or revoked."""
        return await samples.set_aside(family, after, limit)


def reviews_router(labels: Labels) -> APIRouter:
    """Label."""
    router = endpoints()

    @router.put(
        "/v1/frames/{frame_id}/label",
        dependencies=[requires(Role.TRAINER)],
        response_description="Noted.",
        responses=problems(*_FOUND_OR_NOT, *COMMAND_PROBLEMS, ProblemCode.CONFLICT),
    )
    async def put_label(
        request: Request, review: Annotated[Review, Depends(command(Review))], frame_id: _FrameId
    ) -> Reviewed:
        """Say what any answered frame really showed, kept or not; it stands above what devices say."""
        frame = FrameId.parse(frame_id)
        witness = audited(request, "frame.label", str(frame))
        labelled = await labels.review(frame, review, caller_of(request).name, witness)
        return Reviewed(
            frame_id=str(frame),
            label=review.label,
            source=review.source,
            stands=labelled.stands,
            is_correct=labelled.is_correct,
            is_foreign=labelled.is_foreign,
        )

    return router
