"""What several operations of the device plane share in its OpenAPI document."""

from cloud_server.api.http.openapi import TEXT, Parameter
from cloud_server.feedback.frame_id import SEQUENCE_MAX
from shared.wire import ProblemCode

ASSIGNMENT = {"DW-Assignment": "the newest assignment's number, so that an active device never polls"}
DOCUMENT_PROBLEMS = (ProblemCode.TOO_LARGE, ProblemCode.NOT_READY)
PREFER = Parameter("Prefer", "return=minimal: 204 instead of results", TEXT)
TIMEOUT = Parameter(
    "DW-Timeout",
    "milliseconds that an answer is worth waiting for; the server's own limit holds too",
    {"type": "integer", "minimum": 1, "maximum": 999_999_999},
)
SEQUENCE = Parameter(
    "DW-Sequence",
    "the device's number for the frame; the same number gets the same answer",
    {"type": "integer", "minimum": 0, "maximum": SEQUENCE_MAX},
    is_required=True,
)
UPLOAD_PROBLEMS = (
    ProblemCode.TOO_LARGE,
    ProblemCode.UNSUPPORTED_MEDIA_TYPE,
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
)
