"""Rollouts: start them, look at them, and steer them. A change may say which version of a rollout it is about."""

import json
import re
from typing import Annotated, Any, Self, TypeVar

from fastapi import APIRouter, Depends, Header, Path, Query, Response
from pydantic import Field
from starlette.requests import Request

from cloud_server.api.http.endpoint import endpoints
from cloud_server.api.http.json_body import command
from cloud_server.api.http.openapi import problems
from cloud_server.api.operator.call_log import remark
from cloud_server.api.operator.commands import COMMAND_PROBLEMS, Message
from cloud_server.api.operator.devices import ROW_ID_MAX
from cloud_server.api.operator.fleet import ASSIGN_PROBLEMS, Counter
from cloud_server.api.operator.operator_auth import audited, caller_of, requires
from cloud_server.fleet import listing
from cloud_server.operators.roles import Role
from cloud_server.rollout.outcomes import Outcome
from cloud_server.rollout.plan import Plan, standard
from cloud_server.rollout.standing import aborted, paused, promoted, resumed, rolled_back
from cloud_server.rollout.steering import PAGE_MAX, Command, Detail, Rollout, Steering
from cloud_server.storage.rows.rollout_counts import ReachedDevice
from shared.bundle import Family
from shared.errors import PeerError
from shared.wire import ProblemCode

RolloutId = Annotated[str, Path(description="the rollout's name", pattern="^[a-z2-7]{8}$")]
IfMatch = Annotated[
    str | None, Header(alias="If-Match", description="the ETag of the rollout as it was seen", max_length=32)
]
_R = TypeVar("_R", bound="RolloutRow")
_OF_STAGES = ("stages", "percent", "tags")
_ETAG = re.compile(r'"([0-9]{1,9})"')
_OPTIONS: dict[str, Any] = {
    "dependencies": [requires(Role.OPERATOR)],
    "response_description": "Done.",
    "responses": problems(*COMMAND_PROBLEMS, ProblemCode.NOT_FOUND, ProblemCode.CONFLICT, ProblemCode.CHANGED),
}


class StartRequest(Message):
    """Which bundle a family is to be led to, and how."""

    family: Family
    counter: Counter
    plan: Plan | None = Field(default=None, description="Null: the standard one.")
    note: str | None = Field(default=None, max_length=500)
    supersede: bool = Field(default=False, description="Whether an active rollout of the family ends for this one.")
    draft: bool = Field(
        default=False,
        description="Whether it waits, paused before its first stage, for an operator's `resume`: that much a trainer "
        "may ask for, too, where nothing is superseded.",
    )


class NoRequest(Message):
    """Nothing more is to be said."""


class ResumeRequest(Message):
    """From where a rollout goes on."""

    stage: int | None = Field(default=None, ge=0, le=100, description="An earlier stage, from 0; null: the same.")


class PromoteRequest(Message):
    """How far a rollout goes at once."""

    to_the_end: bool = Field(default=False, description="Released to everybody, instead of to the next stage.")


class RolloutRow(Message):
    """A rollout; times are seconds since 1970."""

    id: str
    family: str
    old_counter: int | None = Field(description="What the family ran when it began; null: nothing.")
    counter: int
    seq: int = Field(description="The number of the assignment that exposed devices get.")
    state: str
    stage: int | None = Field(description="From 0; as many as there are stages in the soak after them; null before.")
    stages: int
    percent: float = Field(
        description="Of the devices that have `tags`, as the newest stage has it; 0 before the first."
    )
    tags: tuple[str, ...] = Field(description="Of the newest stage; none: it is about all devices of the family.")
    paused_why: str | None
    state_since: float
    stage_since: float
    looks: int
    version: int
    created_at: float
    created_by: str
    ended_at: float | None
    note: str | None

    @classmethod
    def of(cls, rollout: Rollout) -> Self:
        """The row of a rollout."""
        return cls(**_members(rollout))


class RolloutPage(Message):
    """A page of rollouts; `next` is where the following one begins (`after`), null at the end."""

    rollouts: tuple[RolloutRow, ...]
    next: str | None


class RolloutDetails(RolloutRow):
    """A rollout, its plan, how many devices have which outcome, and what the gates said, the newest last."""

    plan: Plan
    devices: dict[str, int]
    verdicts: tuple[dict[str, Any], ...]

    @classmethod
    def described(cls, detail: Detail) -> Self:
        """All that is known of a rollout."""
        verdicts = tuple(json.loads(row.document) | {"at": row.at, "stage": row.stage} for row in detail.verdicts)
        return cls(
            **_members(detail.rollout), plan=detail.rollout.plan, devices=detail.tally._asdict(), verdicts=verdicts
        )


class RolloutDevice(Message):
    """A device that a rollout has reached; times are seconds since 1970."""

    device_id: str
    name: str | None
    last_tables: str | None = Field(description="What it sent last; `v2` is bundle 2.")
    exposed_at: float = Field(description="When it was heard of first after the rollout led it to the new bundle.")
    outcome: Outcome | None
    settled_at: float | None = Field(description="When it was confirmed, or failed; null: it is pending.")
    proofs: int = Field(description="Frames of it that the new classifier had answered by then.")

    @classmethod
    def of(cls, row: ReachedDevice) -> Self:
        """The row of a device."""
        return cls(
            device_id=row.public_id, **{name: getattr(row, name) for name in cls.model_fields if name != "device_id"}
        )


class RolloutDevices(Message):
    """A page of devices; `next` is where the following one begins (`after`), null at the end."""

    devices: tuple[RolloutDevice, ...]
    next: int | None


class _Call:
    """A call about one rollout: what it is about, and which version of it was seen."""

    def __init__(self, request: Request, response: Response, rollout: RolloutId, seen: IfMatch = None) -> None:
        self.request, self.response, self.rollout = request, response, rollout
        self.seen = _version(seen)


class _Steer:
    """Does to a rollout what a call says."""

    def __init__(self, steering: Steering) -> None:
        self._steering = steering

    async def __call__(self, call: _Call, to: Command) -> RolloutRow:
        action = call.request.url.path.rpartition("/")[2]
        witness = audited(call.request, f"rollout.{action}", call.rollout)
        return _tagged(call.response, RolloutRow.of(await self._steering.change(call.rollout, to, call.seen, witness)))


def rollouts_router(steering: Steering) -> APIRouter:
    """Start rollouts, and look at them."""
    router = endpoints()

    @router.post(
        "/v1/rollouts",
        dependencies=[requires(Role.TRAINER)],
        status_code=201,
        response_description="Started.",
        responses=problems(*COMMAND_PROBLEMS, ProblemCode.NOT_FOUND, *ASSIGN_PROBLEMS),
    )
    async def start_rollout(
        request: Request, response: Response, wanted: Annotated[StartRequest, Depends(command(StartRequest))]
    ) -> RolloutRow:
        """Begin to lead a family to a published bundle, stage by stage; all but drafts need the role operator."""
        if wanted.supersede or not wanted.draft:
            caller_of(request).require(Role.OPERATOR)
        remark(request, family=wanted.family, counter=wanted.counter)
        witness = audited(request, "rollout.start", wanted.family)
        started = await steering.start(
            wanted.family,
            wanted.counter,
            wanted.plan or standard(),
            caller_of(request).name,
            wanted.note,
            witness,
            supersede=wanted.supersede,
            is_held=wanted.draft,
        )
        return _tagged(response, RolloutRow.of(started))

    @router.get(
        "/v1/rollouts",
        dependencies=[requires(Role.VIEWER)],
        response_description="The page.",
        responses=problems(ProblemCode.NOT_READY),
    )
    async def list_rollouts(
        family: Annotated[Family | None, Query(description="of this family")] = None,
        after: Annotated[str | None, Query(description="an earlier page's `next`", pattern="^[a-z2-7]{8}$")] = None,
        limit: Annotated[int, Query(description="how many", ge=1, le=PAGE_MAX)] = PAGE_MAX,
    ) -> RolloutPage:
        """A page of rollouts, the newest first."""
        page = await steering.page(family, after, limit)
        rows = tuple(map(RolloutRow.of, page))
        return RolloutPage(rollouts=rows, next=rows[-1].id if len(rows) == limit else None)

    @router.get(
        "/v1/rollouts/{rollout}",
        dependencies=[requires(Role.VIEWER)],
        response_description="The rollout.",
        responses=problems(ProblemCode.NOT_FOUND, ProblemCode.NOT_READY),
    )
    async def get_rollout(rollout: RolloutId, response: Response) -> RolloutDetails:
        """One rollout: its plan, its devices, and every verdict of its gates with the numbers."""
        return _tagged(response, RolloutDetails.described(await steering.find(rollout)))

    return router


def reached_router(steering: Steering) -> APIRouter:
    """Look at the devices of a rollout."""
    router = endpoints()

    @router.get(
        "/v1/rollouts/{rollout}/devices",
        dependencies=[requires(Role.VIEWER)],
        response_description="The page.",
        responses=problems(ProblemCode.NOT_FOUND, ProblemCode.NOT_READY),
    )
    async def list_reached_devices(
        rollout: RolloutId,
        outcome: Annotated[Outcome | None, Query(description="with this outcome")] = None,
        after: Annotated[int | None, Query(description="an earlier page's `next`", ge=1, le=ROW_ID_MAX)] = None,
        limit: Annotated[int, Query(description="how many", ge=1, le=listing.PAGE_MAX)] = listing.PAGE_MAX,
    ) -> RolloutDevices:
        """A page of the devices that a rollout has reached: since when, and what became of it on each."""
        found, following = await steering.reached(rollout, outcome, after, limit)
        return RolloutDevices(devices=tuple(map(RolloutDevice.of, found)), next=following)

    return router


def steering_router(steering: Steering) -> APIRouter:
    """Letting a rollout go on, or not."""
    router, steer = endpoints("/v1/rollouts/{rollout}"), _Steer(steering)

    @router.post("/pause", **_OPTIONS)
    async def pause_rollout(
        call: Annotated[_Call, Depends()], _wanted: Annotated[NoRequest, Depends(command(NoRequest))]
    ) -> RolloutRow:
        """Let no more devices in; those that are keep the new bundle."""
        return await steer(call, lambda _plan, standing, now: paused(standing, now))

    @router.post("/resume", **_OPTIONS)
    async def resume_rollout(
        call: Annotated[_Call, Depends()], wanted: Annotated[ResumeRequest, Depends(command(ResumeRequest))]
    ) -> RolloutRow:
        """Go on with the stage from its beginning, or go back to an earlier one."""
        return await steer(call, lambda plan, standing, now: resumed(plan, standing, wanted.stage, now))

    @router.post("/promote", **_OPTIONS)
    async def promote_rollout(
        call: Annotated[_Call, Depends()], wanted: Annotated[PromoteRequest, Depends(command(PromoteRequest))]
    ) -> RolloutRow:
        """Go on to the next stage, or to the end, whatever the gates say."""
        return await steer(
            call, lambda plan, standing, now: promoted(plan, standing, is_whole=wanted.to_the_end, now=now)
        )

    @router.post("/abort", **_OPTIONS)
    async def abort_rollout(
        call: Annotated[_Call, Depends()], _wanted: Annotated[NoRequest, Depends(command(NoRequest))]
    ) -> RolloutRow:
        """End it now: every exposed device gets its old bundle back, and nobody waits until it has it."""
        return await steer(call, lambda _plan, standing, now: aborted(standing, now))

    @router.post("/rollback", **_OPTIONS)
    async def roll_rollout_back(
        call: Annotated[_Call, Depends()], _wanted: Annotated[NoRequest, Depends(command(NoRequest))]
    ) -> RolloutRow:
        """Give every exposed device its old bundle back, and wait until those that are online have it."""
        return await steer(call, lambda _plan, standing, now: rolled_back(standing, now))

    return router


def _members(rollout: Rollout) -> dict[str, Any]:
    row, stages = rollout.row, rollout.plan.stages
    members = {name: getattr(row, name) for name in RolloutRow.model_fields if name not in _OF_STAGES}
    newest = stages[: row.stage + 1][-1:]
    return members | {
        "stage": row.stage if row.stage >= 0 else None,
        "stages": len(stages),
        "percent": sum(stage.percent for stage in newest),
        "tags": tuple(tag for stage in newest for tag in stage.tags),
    }


def _tagged(response: Response, row: _R) -> _R:
    response.headers["etag"] = f'"{row.version}"'
    return row


def _version(if_match: str | None) -> int | None:
    """The version that an If-Match header names; None: any."""
    if if_match is None or if_match.strip() == "*":
        return None
    found = _ETAG.fullmatch(if_match.strip())
    if found is None:
        raise PeerError('If-Match: the ETag of a rollout is its version in quotes, such as "3"')
    return int(found[1])
