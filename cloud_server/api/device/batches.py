"""`POST /v1/frames:batch`: many frames with one prefix in, a label or a problem for each of them out."""

from collections import Counter
from collections.abc import Sequence

from starlette.requests import Request

from cloud_server.api.device.device_auth import ANSWERED, TOKEN_NEEDED, TOKEN_PROBLEMS, answered_header
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
from cloud_server.inference.frames import Companion, Frame
from cloud_server.inference.ingest import Answers
from cloud_server.metrics import Payload
from cloud_server.storage.rows.results import StoredResult
from shared.wire import BATCH_MEDIA_TYPE, Answered, Batch, BatchProblems, BatchResults, Kind, Problem, ProblemCode


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
        await intake.note_refusals(device, answers.outcomes)
        exchange.payload = _payload(device, batch, body, answers)
        return self._reply(request, device, batch, answers, top)

    def _reply(self, request: Request, device: Device, batch: Batch, answers: Answers, top: int) -> Reply:
        problems_by_sequence = _problems(batch, answers)
        for problem in problems_by_sequence.values():
            self._intake.metrics.count_rejected_frames(problem.code, 1)
        lines = (*self._intake.auth.header_lines(device), answered_header(_answered(device, batch, answers)))
        if not is_minimal(request):
            results = [
                result_of(outcome, device, answers.rankings.get(index, ())[:top])
                if isinstance(outcome, StoredResult)
                else {"problem": problems_by_sequence[item.sequence]}
                for index, (item, outcome) in enumerate(zip(batch.items, answers.outcomes, strict=True))
            ]
            return json_reply({"results": results}, *lines)
        if problems_by_sequence:
            return json_reply({"problems": problems_by_sequence}, *lines)
        return empty_reply(*lines)


def _frames(batch: Batch, top: int) -> Sequence[Frame]:
    return [
        Frame(item.sequence, data, batch.prefix, top, None if item.of is None else Companion(batch.kind, item.of))
        for item, data in zip(batch.items, batch.frames(), strict=True)
    ]


def _payload(device: Device, batch: Batch, body: bytes, answers: Answers) -> Payload | None:
    """What the body was made of; None when no frame of it was answered."""
    answered = [outcome for outcome in answers.outcomes if isinstance(outcome, StoredResult)]
    if not answered:
        return None
    scans_bytes = sum(len(item.scan) for item in batch.items)
    frames = len(answered) if batch.kind is Kind.FRAME else 0
    return payload_of(device.row_id, device.family, answered[0].tables, batch.prefix, body, scans_bytes, frames)


def _problems(batch: Batch, answers: Answers) -> dict[int, Problem]:
    """The problems of frames that were refused, by their sequence."""
    return {
        item.sequence: problem_of(refusal_of(outcome))
        for item, outcome in zip(batch.items, answers.outcomes, strict=True)
        if not isinstance(outcome, StoredResult)
    }


def _answered(device: Device, batch: Batch, answers: Answers) -> Answered:
    """What the answer to a batch is about."""
    frames = Counter(outcome.match for outcome in answers.outcomes if isinstance(outcome, StoredResult))
    return Answered(device.public_id, batch.items[0].sequence, batch.items[-1].sequence, frames)


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
                ANSWERED,
            ),
            "204": answer("All classified; nothing more was asked for.", headers=ANSWERED),
            **problems(*TOKEN_PROBLEMS, *UPLOAD_PROBLEMS, ProblemCode.INVALID_BATCH),
        },
    }
