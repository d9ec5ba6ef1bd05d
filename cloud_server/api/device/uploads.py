"""The uploads of frames, in front of the device plane's framework: what succeeds never enters it.

An ASGI application of its own. What it refuses is answered as the framework's routes answer it, by the same Problems.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Protocol

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from cloud_server.api.device.device_auth import DeviceAuth
from cloud_server.api.http.exchange import Exchange, exchange_of
from cloud_server.api.http.openapi import JSON, Schema
from cloud_server.api.http.problems import DISCONNECTED, SLOW_BODY, Problems
from cloud_server.api.http.reply import HeaderLine, Reply
from cloud_server.errors import Refusal, SequenceError, SequenceTakenError
from cloud_server.fleet.clones import Clones
from cloud_server.fleet.devices import Device
from cloud_server.inference.admission import Admission
from cloud_server.inference.ingest import Ingest
from cloud_server.inference.pending import Ranking
from cloud_server.inference.waiting import Answer
from cloud_server.metrics import Metrics, Stage
from cloud_server.rollout.counting import Counting
from cloud_server.storage.rows.results import StoredResult
from shared.errors import DctwireError, PeerError
from shared.wire import Problem, ProblemCode

UPLOAD_PROBLEMS = (
    ProblemCode.TOO_LARGE,
    ProblemCode.UNSUPPORTED_MEDIA_TYPE,
    ProblemCode.UNSUPPORTED_CODING,
    ProblemCode.QUOTA_EXCEEDED,
    ProblemCode.NOT_READY,
    ProblemCode.QUEUE_FULL,
    ProblemCode.TIMED_OUT,
)
FRAME_PROBLEMS = (
    ProblemCode.NOT_A_JPEG,
    ProblemCode.UNSUPPORTED_JPEG,
    ProblemCode.CORRUPT_JPEG,
    ProblemCode.OVER_LIMIT,
    ProblemCode.WRONG_SIZE,
    ProblemCode.UNKNOWN_TABLES,
    ProblemCode.INVALID_TABLES,
    ProblemCode.CLASSIFIER_FAULT,
    ProblemCode.CLASSIFIER_OVERDUE,
)
UPLOAD_ROUTES = ("frames", "batch", "infer")
_JSON_HEADER = (b"content-type", JSON.encode())
_encode = json.JSONEncoder(separators=(",", ":"), default=Problem.model_dump).encode


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyLimits:
    """How large an upload's body may be, and how long it may take to arrive."""

    frame_max_bytes: int
    batch_max_bytes: int
    max_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """What every upload needs: who asks, whether it is let in, within which limits, and who answers."""

    auth: DeviceAuth
    admission: Admission
    limits: BodyLimits
    ingest: Ingest
    clones: Clones
    metrics: Metrics
    rollout_counts: Counting

    async def note_refusals(self, device: Device, outcomes: Sequence[object]) -> None:
        """Count the frames of a request that are refused for what they are, and notice numbers of other frames."""
        refusals = [outcome for outcome in outcomes if isinstance(outcome, PeerError)]
        if refusals:
            self.rollout_counts.count_refused(device, sum(not isinstance(each, SequenceError) for each in refusals))
        if any(isinstance(each, SequenceTakenError) for each in refusals):
            await self.clones.note_conflict(device)


class Upload(Protocol):
    """One of the uploads: where it is, what it answers, and its OpenAPI operation."""

    path: str
    operation: Schema

    async def answer(self, request: Request, exchange: Exchange) -> Reply:
        """Answer it; raises what a problem is made of."""
        ...


class Uploads:
    """The uploads, in front of `rest`: everything else on the device plane."""

    def __init__(self, rest: ASGIApp, uploads: Iterable[Upload], problems: Problems, metrics: Metrics) -> None:
        self._rest = rest
        self._uploads = {upload.path: upload for upload in uploads}
        self._problems = problems
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer an upload, or let the rest of the device plane answer."""
        upload = self._uploads.get(scope["path"])
        if upload is None:
            await self._rest(scope, receive, send)
            return
        answer = upload.answer if scope["method"] == "POST" else _refuse_method
        exchange = exchange_of(scope)
        try:
            reply = await exchange.while_connected(answer(Request(scope, receive), exchange))
        except Exception as error:  # noqa: BLE001 - answered as every error is
            scope["route"] = upload  # whose path is in the log line
            await self._problems.respond(scope, error)(scope, receive, send)
        else:
            self._metrics.observe(Stage.TOTAL, perf_counter() - exchange.started)
            await reply.send(send)


async def _refuse_method(_request: Request, _exchange: Exchange) -> Reply:
    raise HTTPException(405, headers={"allow": "POST"})


def count_refusal(metrics: Metrics, exchange: Exchange, reason: str) -> None:
    """Count a refused upload once: by its frames where they were read, as one request where they were not.

    What is no upload counts as a call to the device plane.
    """
    if exchange.route not in UPLOAD_ROUTES:
        metrics.count_refused_call("device", reason)
    elif exchange.frames and reason not in (DISCONNECTED, SLOW_BODY):
        metrics.count_rejected_frames(reason, exchange.frames)
    else:
        metrics.count_refused_request(reason)


def json_reply(value: object, *headers: HeaderLine) -> Reply:
    """An answer with JSON; problem documents may be in it."""
    body = _encode(value).encode()
    return Reply(200, [*headers, _JSON_HEADER, (b"content-length", b"%d" % len(body))], body)


def empty_reply(*headers: HeaderLine) -> Reply:
    """An answer to who wants none."""
    return Reply(204, list(headers))


def refusal_of(outcome: Answer | DctwireError) -> Refusal:
    """The error that a frame was answered with."""
    assert isinstance(outcome, Refusal)
    return outcome


def result_of(result: StoredResult, device: Device, ranking: Ranking = ()) -> dict[str, Any]:
    """A frame's result, as `shared.wire.FrameResult` has it."""
    named = [{"label": label, "confidence": confidence} for label, confidence in ranking]
    return {
        "id": f"{device.public_id}.{result.sequence}",
        "label": result.label,
        "confidence": result.confidence,
        "model": result.model,
        "match": result.match,
    } | ({"top": named} if named else {})
