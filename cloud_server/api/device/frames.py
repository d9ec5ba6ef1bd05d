"""`POST /v1/frames`: a JPEG in, a label out."""

from starlette.requests import Request

from cloud_server.api.device.device_auth import (
    ANSWERED,
    ASSIGNMENT,
    REFUSED,
    TOKEN_NEEDED,
    TOKEN_PROBLEMS,
    answered_header,
    name_frame,
)
from cloud_server.api.device.upload_headers import (
    COMPANION_OF,
    KIND,
    PREFER,
    SEQUENCE,
    TIMEOUT,
    TOP,
    companion_of,
    is_minimal,
    sequence_of,
    timeout_seconds,
    top_of,
)
from cloud_server.api.device.uploads import (
    FRAME_PROBLEMS,
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
from cloud_server.api.http.reply import Reply
from cloud_server.feedback.payload import payload_of
from cloud_server.inference.frames import Frame
from cloud_server.storage.rows.results import StoredResult
from shared.wire import Answered, FrameResult, ProblemCode

NUMBER_PROBLEMS = (ProblemCode.SEQUENCE_TAKEN, ProblemCode.SEQUENCE_TOO_HIGH)
_MEDIA_TYPES = ("image/jpeg", "application/octet-stream")


class FrameUpload:
    """The upload of a single frame."""

    path = "/v1/frames"

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self.operation = _operation(intake.limits)

    async def answer(self, request: Request, exchange: Exchange) -> Reply:
        """Classify one JPEG. `DW-Sequence` is the device's number for it; sent again, it gets the same answer."""
        exchange.route = "frames"
        intake = self._intake
        device = await intake.auth(request)
        sequence = sequence_of(request)
        name_frame(request, device, sequence)
        companion = companion_of(request, sequence)
        top = top_of(request)
        require_media_type(request, *_MEDIA_TYPES)
        wait_seconds = intake.admission.admit(device, timeout_seconds(request))
        data = await read_body(request, intake.limits.frame_max_bytes, intake.limits.max_seconds)
        exchange.frames = 1
        intake.admission.charge(device, 1)
        answers = await intake.ingest.answer(device, (Frame(sequence, data, None, top, companion),), wait_seconds)
        (outcome,) = answers.outcomes
        if not isinstance(outcome, StoredResult):
            await intake.note_refusals(device, answers.outcomes)
            raise refusal_of(outcome)
        frames, tables = int(companion is None), outcome.tables
        exchange.payload = payload_of(device.row_id, device.family, tables, data, data, answers.scan_bytes, frames)
        lines = intake.auth.header_lines(device)
        if is_minimal(request):
            answered = Answered.frame(device.public_id, sequence, outcome.match)
            return empty_reply(*lines, answered_header(answered))
        return json_reply(result_of(outcome, device, answers.rankings.get(0, ())[:top]), *lines)


def _operation(limits: BodyLimits) -> Schema:
    """The upload in the OpenAPI document."""
    jpeg = binary(limits.frame_max_bytes)
    return {
        "summary": "Classify one JPEG.",
        "security": TOKEN_NEEDED,
        "parameters": [SEQUENCE, KIND, COMPANION_OF, PREFER, TIMEOUT, TOP],
        "requestBody": raw_body("a JPEG", limits.frame_max_bytes, dict.fromkeys(_MEDIA_TYPES, jpeg)),
        "responses": {
            "200": answer("Classified.", {JSON: FrameResult}, ASSIGNMENT),
            "204": answer("Classified; nothing more was asked for.", headers=ANSWERED),
            **problems(*TOKEN_PROBLEMS, *UPLOAD_PROBLEMS, *FRAME_PROBLEMS, *NUMBER_PROBLEMS, headers=REFUSED),
        },
    }
