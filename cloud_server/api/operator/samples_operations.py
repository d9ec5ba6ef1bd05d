"""Kept frames and review in the operator plane's OpenAPI document."""

from typing import Any

from cloud_server.api.http.bodies import COMMAND_MAX_BYTES
from cloud_server.api.http.openapi import TEXT, Answer, Content, Operation, Operations, Parameter
from cloud_server.api.operator.samples import JPEG, ROW_ID_MAX, Review, Reviewed
from cloud_server.feedback.reasons import Reason
from cloud_server.feedback.samples import PAGE_MAX, Page, Sample
from shared.wire import ProblemCode

_FRAME_ID = Parameter("frame_id", "<device id>.<sequence>", TEXT, "path")
_FOUND_OR_NOT = (ProblemCode.NOT_FOUND, ProblemCode.NOT_READY)


def _filter(name: str, description: str, schema: dict[str, Any]) -> Parameter:
    return Parameter(name, description, schema, "query")


SAMPLES_OPERATIONS: Operations = {
    ("GET", "/v1/samples"): Operation(
        "A page of kept frames, newest first.",
        {200: Answer("The page; its `next` as `before` gives older ones.", Content("samples", Page))},
        [ProblemCode.NOT_READY],
        [
            _filter("family", "of this family", {"type": "string", "pattern": "^[a-z0-9][a-z0-9-]{0,62}$"}),
            _filter("reason", "kept for this reason", {"enum": [reason.value for reason in Reason]}),
            _filter("labelled", "whose label is known, or is not", {"type": "boolean"}),
            _filter("since", "seconds since 1970", {"type": "number", "minimum": 0, "maximum": 1e11}),
            _filter("until", "seconds since 1970", {"type": "number", "minimum": 0, "maximum": 1e11}),
            _filter("before", "an earlier page's `next`", {"type": "integer", "minimum": 1, "maximum": ROW_ID_MAX}),
            _filter("limit", "how many", {"type": "integer", "minimum": 1, "maximum": PAGE_MAX}),
        ],
    ),
    ("GET", "/v1/samples/{frame_id}"): Operation(
        "What was answered, why the frame was kept, and what it really showed, where that is known.",
        {200: Answer("The frame's record.", Content("the sample", Sample))},
        _FOUND_OR_NOT,
        [_FRAME_ID],
    ),
    ("GET", "/v1/samples/{frame_id}/jpeg"): Operation(
        "A kept frame as an ordinary JPEG file.",
        {200: Answer("The file.", Content("a JPEG", {"type": "string", "format": "binary"}, JPEG))},
        _FOUND_OR_NOT,
        [_FRAME_ID],
    ),
    ("PUT", "/v1/frames/{frame_id}/label"): Operation(
        "Say what any answered frame really showed, kept or not; it stands above what devices say.",
        {200: Answer("Noted.", Content("what came of it", Reviewed))},
        (*_FOUND_OR_NOT, ProblemCode.TOO_LARGE, ProblemCode.UNSUPPORTED_MEDIA_TYPE),
        [_FRAME_ID],
        [Content("the label", Review, max_bytes=COMMAND_MAX_BYTES)],
    ),
}
