"""`POST /v1/frames:batch`: many frames with one prefix in, a label or a problem for each of them out."""

from collections.abc import Sequence

from starlette.requests import Request

from cloud_server.api.device.device_auth import ASSIGNMENT, TOKEN_NEEDED, TOKEN_PROBLEMS
from cloud_server.api.device.upload_headers import PREFER, TIMEOUT, TOP, is_minimal, timeout_seconds, top_of
from cloud_server.api.device.uploads import (
    UPLOAD_PROBLEMS,
    BodyLimits,
    Intake,
    empty_reply,
    json_reply,
    refusal_of,
    result_of,
)
from cloud_server.api.http.bodies import read_body, require_media_type
from cloud_server.api.http.exchange import Exchange
from cloud_server.api.http.openapi import JSON, Schema, answer, binary, problems, raw_body
from cloud_server.api.http.problems import problem_of
from cloud_server.api.http.reply import Reply
from cloud_server.feedback.payload import payload_of
from cloud_server.fleet.devices import Device
from cloud_server.inference.frames import Frame
from cloud_server.inference.ingest import Answers
from cloud_server.metrics import Payload
from cloud_server.storage.rows.results import StoredResult
from shared.wire import BATCH_MEDIA_TYPE, Batch, BatchProblems, BatchResults, Problem, ProblemCode


class BatchUpload:
    """The upload of a batch."""

    path = "/v1/frames:batch"

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self.operation = _operation(intake.limits)

    async def answer(self, request: Request, exchange: Exchange) -> Reply:
        """Classify up to 256 frames that share their prefix; each gets its own result or problem, in order."""
        exchange.route = "batch"
        intake = self._intake
        device = await intake.auth(request)
        require_media_type(request, BATCH_MEDIA_TYPE)
        top = top_of(request)
        wait_seconds = intake.admission.admit(device, timeout_seconds(request))
        body = await read_body(request, intake.limits.batch_max_bytes, intake.limits.max_seconds)
        batch = Batch.from_bytes(body)
        exchange.frames = len(batch.items)
        intake.admission.charge(device, len(batch.items))
        exchange.hold(len(batch.prefix) * len(batch.items))  # each frame is unfolded to prefix and scan
        answers = await intake.ingest.answer(device, _frames(batch, top), wait_seconds)
        exchange.payload = _payload(device, batch, body, answers)
        return self._reply(request, device, batch, answers, top)

    def _reply(self, request: Request, device: Device, batch: Batch, answers: Answers, top: int) -> Reply:
        problems_by_sequence = _problems(batch, answers)
        for problem in problems_by_sequence.values():
            self._intake.metrics.count_rejected_frames(problem.code, 1)
        assignment = self._intake.auth.header(device)
        if not is_minimal(request):
            results = [
                result_of(outcome, device, answers.rankings.get(index, ())[:top])
                if isinstance(outcome, StoredResult)
                else {"problem": problems_by_sequence[item.sequence]}
                for index, (item, outcome) in enumerate(zip(batch.items, answers.outcomes, strict=True))
            ]
            return json_reply({"results": results}, assignment)
        if problems_by_sequence:
            return json_reply({"problems": problems_by_sequence}, assignment)
        return empty_reply(assignment)


def _frames(batch: Batch, top: int) -> Sequence[Frame]:
    return [
        Frame(item.sequence, data, batch.prefix, top) for item, data in zip(batch.items, batch.frames(), strict=True)
    ]


def _payload(device: Device, batch: Batch, body: bytes, answers: Answers) -> Payload | None:
    """What the body was made of; None when no frame of it was answered."""
    answered = [outcome for outcome in answers.outcomes if isinstance(outcome, StoredResult)]
    if not answered:
        return None
    scans_bytes = sum(len(item.scan) for item in batch.items)
    return payload_of(device.family, answered[0].tables, batch.prefix, body, scans_bytes, len(answered))


def _problems(batch: Batch, answers: Answers) -> dict[int, Problem]:
    """The problems of frames that were refused, by their sequence."""
    return {
        item.sequence: problem_of(refusal_of(outcome))
        for item, outcome in zip(batch.items, answers.outcomes, strict=True)
        if not isinstance(outcome, StoredResult)
    }


def _operation(limits: BodyLimits) -> Schema:
    """The upload in the OpenAPI document."""
    return {
        "summary": "Classify up to 256 frames that share their prefix; each gets its own result or problem, in order.",
        "security": TOKEN_NEEDED,
        "parameters": [PREFER, TIMEOUT, TOP],
        "requestBody": raw_body("a batch", limits.batch_max_bytes, {BATCH_MEDIA_TYPE: binary(limits.batch_max_bytes)}),
        "responses": {
            "200": answer(
                "Read; with Prefer: return=minimal the problems only.",
                {JSON: (BatchResults, BatchProblems)},
                ASSIGNMENT,
            ),
            "204": answer("All classified; nothing more was asked for.", headers=ASSIGNMENT),
            **problems(*TOKEN_PROBLEMS, *UPLOAD_PROBLEMS, ProblemCode.INVALID_BATCH),
        },
    }
