"""What the device plane takes and answers, for its OpenAPI document; docs/wire-format.md says the same to people."""

from pydantic import BaseModel, ConfigDict, Field

from cloud_server.api.device.inference_operations import inference_operations
from cloud_server.api.device.parameters import (
    ASSIGNMENT,
    DOCUMENT_PROBLEMS,
    FRAME_PROBLEMS,
    PREFER,
    SEQUENCE,
    TIMEOUT,
    UPLOAD_PROBLEMS,
)
from cloud_server.api.http.bodies import JSON_MAX_BYTES
from cloud_server.api.http.openapi import TEXT, Answer, Content, Operation, Operations, Parameter, Schema
from cloud_server.api.tuf_operations import TUF_OPERATIONS
from shared.wire import (
    BATCH_MEDIA_TYPE,
    Assignment,
    BatchProblems,
    BatchResults,
    Enrolment,
    FrameResult,
    LabelReport,
    ProblemCode,
)


class EnrolmentRequest(BaseModel):
    """What a device sends to join."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    claim_code: str = Field(min_length=1, max_length=64)


def device_operations(frame_max_bytes: int, batch_max_bytes: int) -> Operations:
    """Every operation of the device plane, with the server's limits."""
    return {
        **_frame_operations(frame_max_bytes, batch_max_bytes),
        **_FLEET_OPERATIONS,
        **inference_operations(batch_max_bytes),
        **TUF_OPERATIONS,
    }


def _frame_operations(frame_max_bytes: int, batch_max_bytes: int) -> Operations:
    jpeg: Schema = {"type": "string", "format": "binary", "maxLength": frame_max_bytes}
    batch: Schema = {"type": "string", "format": "binary", "maxLength": batch_max_bytes}
    return {
        ("POST", "/v1/frames"): Operation(
            "Classify one JPEG.",
            {
                200: Answer("Classified.", Content("the result", FrameResult), ASSIGNMENT),
                204: Answer("Classified; nothing more was asked for.", headers=ASSIGNMENT),
            },
            (*UPLOAD_PROBLEMS, *FRAME_PROBLEMS),
            (SEQUENCE, PREFER, TIMEOUT),
            [
                Content("a JPEG", jpeg, "image/jpeg", frame_max_bytes),
                Content("or one that does not say so", jpeg, "application/octet-stream", frame_max_bytes),
            ],
            needs_token=True,
        ),
        ("POST", "/v1/frames:batch"): Operation(
            "Classify up to 256 frames that share their headers; each gets its own result or problem, in order.",
            {
                200: Answer(
                    "Read; with Prefer: return=minimal the problems only.",
                    Content("results, or problems", (BatchResults, BatchProblems)),
                    ASSIGNMENT,
                ),
                204: Answer("All classified; nothing more was asked for.", headers=ASSIGNMENT),
            },
            (*UPLOAD_PROBLEMS, ProblemCode.INVALID_BATCH),
            (PREFER, TIMEOUT),
            [Content("a batch", batch, BATCH_MEDIA_TYPE, batch_max_bytes)],
            needs_token=True,
        ),
    }


_FLEET_OPERATIONS: Operations = {
    ("POST", "/v1/devices"): Operation(
        "Turn a claim code into a device id and a session token, shown this once.",
        {201: Answer("Enrolled.", Content("the token", Enrolment))},
        (ProblemCode.INVALID_CLAIM, *DOCUMENT_PROBLEMS),
        bodies=[Content("the claim code", EnrolmentRequest, max_bytes=JSON_MAX_BYTES)],
    ),
    ("GET", "/v1/assignment"): Operation(
        "The bundle that the device should run.",
        {
            200: Answer("The newest.", Content("the assignment", Assignment), ASSIGNMENT | {"ETag": "its number"}),
            304: Answer("Still the one in If-None-Match.", headers=ASSIGNMENT | {"ETag": "its number"}),
        },
        (ProblemCode.NO_ASSIGNMENT, ProblemCode.NOT_READY),
        [Parameter("If-None-Match", "the ETag that the device has", TEXT)],
        needs_token=True,
    ),
    ("PUT", "/v1/frames/{frame_id}/label"): Operation(
        "Say what one of the device's own answered frames really showed; the same again changes nothing.",
        {204: Answer("Noted.", headers=ASSIGNMENT)},
        (ProblemCode.NOT_FOUND, ProblemCode.QUOTA_EXCEEDED, *DOCUMENT_PROBLEMS),
        [Parameter("frame_id", "the id that its result named: <device id>.<sequence>", TEXT, "path")],
        [Content("the label", LabelReport, max_bytes=JSON_MAX_BYTES)],
        needs_token=True,
    ),
}
