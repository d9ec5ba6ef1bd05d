"""The Open Inference Protocol in the device plane's OpenAPI document."""

from cloud_server.api.device.open_inference import (
    BINARY,
    InferBody,
    InferenceProblem,
    InferResponse,
    ModelMetadata,
    ModelReady,
    ServerLive,
    ServerMetadata,
    ServerReady,
)
from cloud_server.api.device.parameters import ASSIGNMENT, FRAME_PROBLEMS, TIMEOUT, UPLOAD_PROBLEMS
from cloud_server.api.http.bodies import JSON
from cloud_server.api.http.openapi import TEXT, Answer, Content, Operation, Operations, Parameter, Schema
from shared.wire import ProblemCode

_NAME = Parameter("name", "the device's family", TEXT, "path")
_VERSION = Parameter("version", "a bundle's counter; every frame must be answered by it", TEXT, "path")
_JSON_BYTES = Parameter(
    "Inference-Header-Content-Length", "how many bytes of the body are JSON; the rest is binary tensor data", TEXT
)
_SERVER: Operations = {
    ("GET", "/v2"): Operation(
        "Who answers.", {200: Answer("The server.", Content("metadata", ServerMetadata))}, problem=InferenceProblem
    ),
    ("GET", "/v2/health/live"): Operation(
        "Whether the server answers.", {200: Answer("Yes.", Content("live", ServerLive))}, problem=InferenceProblem
    ),
    ("GET", "/v2/health/ready"): Operation(
        "Whether frames are welcome.",
        {200: Answer("Yes.", Content("ready", ServerReady))},
        [ProblemCode.NOT_READY],
        problem=InferenceProblem,
    ),
}


def inference_operations(body_max_bytes: int) -> Operations:
    """Every operation under /v2, those of models with and without a version."""
    model, one = "/v2/models/{name}", "/v2/models/{name}/versions/{version}"
    return {**_SERVER, **_model(model, [_NAME], body_max_bytes), **_model(one, [_NAME, _VERSION], body_max_bytes)}


def _model(path: str, parameters: list[Parameter], body_max_bytes: int) -> Operations:
    binary: Schema = {"type": "string", "format": "binary", "maxLength": body_max_bytes}
    metadata = Operation(
        "What the model takes and gives.",
        {200: Answer("The model.", Content("metadata", ModelMetadata))},
        (ProblemCode.NOT_FOUND, ProblemCode.NOT_READY),
        parameters,
        needs_token=True,
        problem=InferenceProblem,
    )
    ready = Operation(
        "Whether the model takes frames.",
        {200: Answer("Yes.", Content("ready", ModelReady))},
        (ProblemCode.NOT_FOUND, ProblemCode.NOT_READY),
        parameters,
        needs_token=True,
        problem=InferenceProblem,
    )
    infer = Operation(
        "Classify frames, all or none.",
        {
            200: Answer(
                "Classified.",
                Content("outputs", InferResponse),
                ASSIGNMENT,
                also=Content("outputs in JSON with binary tensor data behind it", binary, BINARY),
            )
        },
        (*UPLOAD_PROBLEMS, *FRAME_PROBLEMS, ProblemCode.NOT_FOUND, ProblemCode.CONFLICT),
        [*parameters, TIMEOUT, _JSON_BYTES],
        [
            Content("the request", InferBody, JSON, body_max_bytes),
            Content("or with binary tensor data behind it", binary, BINARY, body_max_bytes),
        ],
        needs_token=True,
        problem=InferenceProblem,
    )
    return {("GET", path): metadata, ("GET", f"{path}/ready"): ready, ("POST", f"{path}/infer"): infer}
