"""Trainings: ask for one, look at them, cancel one; and for the trainer's service: when to train, what came of it."""

from typing import Annotated, Self

from fastapi import APIRouter, Depends, Path, Query
from pydantic import ConfigDict, Field, StringConstraints
from starlette.requests import Request

from cloud_server.api.http.endpoint import endpoints
from cloud_server.api.http.json_body import COMMAND_MAX_SECONDS, JsonBody, command
from cloud_server.api.http.openapi import problems
from cloud_server.api.operator.call_log import remark
from cloud_server.api.operator.commands import COMMAND_PROBLEMS, Message
from cloud_server.api.operator.operator_auth import audited, caller_of, requires
from cloud_server.operators.roles import Role
from cloud_server.storage.rows.training_runs import RunRow
from cloud_server.trainings.document import DOCUMENT_MAX_BYTES, Name, RunDocument
from cloud_server.trainings.runs import PAGE_MAX, Runs
from cloud_server.trainings.signals import Signals, Told
from cloud_server.trainings.standing import (
    BY_WORKERS,
    LEASE_MAX_SECONDS,
    LEASE_MIN_SECONDS,
    Outcome,
    State,
    Trigger,
)
from shared.bundle import Family
from shared.errors import PeerError
from shared.wire import ProblemCode

RunId = Annotated[str, Path(description="the run's name", pattern="^[a-z2-7]{8}$")]
Worker = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Seconds = Annotated[
    float,
    Field(
        ge=LEASE_MIN_SECONDS,
        le=LEASE_MAX_SECONDS,
        allow_inf_nan=False,
        description="How long the worker has the run, unless it tells before.",
    ),
]
_OF_ONE = problems(*COMMAND_PROBLEMS, ProblemCode.NOT_FOUND, ProblemCode.CONFLICT)


class AskRequest(Message):
    """Which family is to be trained anew, and why."""

    family: Family
    reason: str | None = Field(default=None, max_length=500)


class CancelRequest(Message):
    """Nothing more is to be said."""


class TakeRequest(Message):
    """Who wants to train a family, why, and for how long it is not overdue."""

    family: Family
    trigger: Trigger
    worker: Worker
    seconds: Seconds


class TellRequest(Message):
    """How far a worker is."""

    worker: Worker
    seconds: Seconds
    stage: Name | None = None
    share: float | None = Field(
        default=None, ge=0, le=1, allow_inf_nan=False, description="How much of the stage is done, from 0 to 1."
    )


class EndRequest(Message):
    """What came of a run."""

    worker: Worker
    outcome: Outcome
    document: RunDocument = RunDocument()


class Run(Message):
    """A training; times are seconds since 1970."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    family: str
    trigger: Trigger
    reason: str | None
    asked_by: str = Field(description="The operator who asked for it, or whose token began it.")
    created_at: float
    state: State
    worker: str | None
    lease_until: float | None = Field(description="Until when the worker is not overdue; others may take it then.")
    attempts: int = Field(description="How often a worker began with it.")
    started_at: float | None
    stage: str | None
    share: float | None
    told_at: float | None
    ended_at: float | None
    outcome: Outcome | None
    counter: int | None = Field(description="The bundle that came of it.")
    rollout: str | None = Field(description="The rollout that leads to it.")
    data_until: float | None

    @classmethod
    def of(cls, row: RunRow) -> Self:
        """As its row says."""
        return cls.model_validate(row)


class RunInFull(Run):
    """A training with what its worker told of it; null before it has ended, and where it was cancelled."""

    document: RunDocument | None

    @classmethod
    def of(cls, row: RunRow) -> Self:
        """As its row says."""
        document = None if row.document is None else RunDocument.read(row.document)
        return cls.model_validate(row._asdict() | {"document": document})


class RunPage(Message):
    """A page of trainings; `next` is where the following one begins (`after`), null at the end."""

    runs: tuple[Run, ...]
    next: str | None


class DriftingSignal(Message):
    """A signal of the assigned bundle that drifts."""

    model_config = ConfigDict(from_attributes=True)

    signal: str
    since: float
    score: float | None


class EstimateGap(Message):
    """The accuracy of the assigned bundle, as confidences tell it and as the random audit of a week does."""

    model_config = ConfigDict(from_attributes=True)

    estimated: float
    labelled_low: float
    labelled_high: float
    parts: bool = Field(description="Whether labels contradict the estimate.")


class AssignedBundle(Message):
    """What the family runs."""

    model_config = ConfigDict(from_attributes=True)

    counter: int
    bundle: str
    classifier_sha256: str


class TrainingSignals(Message):
    """What says whether it is time to train a family anew; times are seconds since 1970."""

    model_config = ConfigDict(from_attributes=True)

    family: str
    at: float = Field(
        description="When this was read; a run that pulls its data after it may end with this `data_until`."
    )
    labels_total: int = Field(description="Kept frames with a label that there are to learn from.")
    labels_since: int = Field(
        description="Of them, those new since the `data_until` of the last run with a result (failed ones have none): "
        "frames kept since, and labels that reviewers gave since."
    )
    drift: tuple[DriftingSignal, ...]
    estimate_gap: EstimateGap | None = Field(description="Null: it is not known, or too few frames were audited.")
    assigned: AssignedBundle | None
    open_run: Run | None = Field(description="The run that waits or is under way.")
    last_run: Run | None = Field(description="The run that ended last.")
    failures: int = Field(description="How many runs failed in a row, up to now.")
    devices_out: tuple[str, ...] = Field(
        description="Devices of which nothing may be learned: forgotten, in quarantine, or revoked."
    )

    @classmethod
    def of(cls, told: Told) -> Self:
        """As it was gathered."""
        return cls.model_validate(told)


def runs_router(runs: Runs) -> APIRouter:
    """Ask for trainings, look at them, and cancel one."""
    router = endpoints()

    @router.post(
        "/v1/runs",
        dependencies=[requires(Role.OPERATOR)],
        status_code=201,
        response_description="It waits for a trainer.",
        responses=_OF_ONE,
    )
    async def ask_for_run(request: Request, wanted: Annotated[AskRequest, Depends(command(AskRequest))]) -> Run:
        """Have a family trained anew."""
        remark(request, family=wanted.family)
        witness = audited(request, "run.ask", wanted.family)
        return Run.of(await runs.ask(wanted.family, wanted.reason, caller_of(request).name, witness))

    @router.get(
        "/v1/runs",
        dependencies=[requires(Role.VIEWER)],
        response_description="The page.",
        responses=problems(ProblemCode.NOT_READY),
    )
    async def list_runs(
        family: Annotated[Family | None, Query(description="of this family")] = None,
        after: Annotated[str | None, Query(description="an earlier page's `next`", pattern="^[a-z2-7]{8}$")] = None,
        limit: Annotated[int, Query(description="how many", ge=1, le=PAGE_MAX)] = PAGE_MAX,
    ) -> RunPage:
        """A page of trainings, the newest first."""
        rows = tuple(map(Run.of, await runs.page(family, after, limit)))
        return RunPage(runs=rows, next=rows[-1].id if len(rows) == limit else None)

    @router.get(
        "/v1/runs/{run}",
        dependencies=[requires(Role.VIEWER)],
        response_description="The training.",
        responses=problems(ProblemCode.NOT_FOUND, ProblemCode.NOT_READY),
    )
    async def get_run(run: RunId) -> RunInFull:
        """One training: every verdict of its gates, its figures, its cost."""
        return RunInFull.of(await runs.find(run))

    @router.post(
        "/v1/runs/{run}/cancel",
        dependencies=[requires(Role.OPERATOR)],
        response_description="It has ended.",
        responses=_OF_ONE,
    )
    async def cancel_run(
        request: Request, run: RunId, _wanted: Annotated[CancelRequest, Depends(command(CancelRequest))]
    ) -> Run:
        """End a training that waits or is under way; its trainer is told so at its next word."""
        return Run.of(await runs.cancel(run, audited(request, "run.cancel", run)))

    return router


def workers_router(runs: Runs, signals: Signals) -> APIRouter:
    """What the trainer's service asks and tells."""
    router, may_train = endpoints(), [requires(Role.TRAINER)]

    @router.get(
        "/v1/training-signals",
        dependencies=may_train,
        response_description="What is known.",
        responses=problems(ProblemCode.NOT_FOUND, ProblemCode.NOT_READY),
    )
    async def get_training_signals(family: Annotated[Family, Query(description="of this family")]) -> TrainingSignals:
        """What says whether it is time to train a family anew."""
        return TrainingSignals.of(await signals.of(family))

    @router.post("/v1/runs/take", dependencies=may_train, response_description="The worker has it.", responses=_OF_ONE)
    async def take_run(request: Request, wanted: Annotated[TakeRequest, Depends(command(TakeRequest))]) -> Run:
        """Have the family's run that waits, that is the worker's own, or whose worker is overdue; else a new one."""
        remark(request, family=wanted.family)
        witness = audited(request, "run.take", wanted.family)
        by = caller_of(request).name
        return Run.of(await runs.take(wanted.family, wanted.trigger, wanted.worker, wanted.seconds, by, witness))

    @router.post("/v1/runs/{run}/tell", dependencies=may_train, response_description="It is noted.", responses=_OF_ONE)
    async def tell_of_run(run: RunId, wanted: Annotated[TellRequest, Depends(command(TellRequest))]) -> Run:
        """Say how far a run is, and have it for longer."""
        return Run.of(await runs.tell(run, wanted.worker, wanted.seconds, wanted.stage, wanted.share))

    @router.post("/v1/runs/{run}/end", dependencies=may_train, response_description="It has ended.", responses=_OF_ONE)
    async def end_run(request: Request, run: RunId, wanted: Annotated[EndRequest, Depends(_ending())]) -> Run:
        """Say what came of a run; safe to repeat."""
        if wanted.outcome not in BY_WORKERS:
            raise PeerError(f"outcome: a worker ends a run as one of {', '.join(BY_WORKERS)}")
        witness = audited(request, f"run.{wanted.outcome.value}", run)
        return Run.of(await runs.end(run, wanted.worker, wanted.outcome, wanted.document, witness))

    return router


def _ending() -> JsonBody[EndRequest]:
    return JsonBody(EndRequest, COMMAND_MAX_SECONDS, DOCUMENT_MAX_BYTES, must_be_declared=True)
