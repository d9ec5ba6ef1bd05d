"""`/v2/...`: the Open Inference Protocol, so that its clients work here as they do with Triton or KServe.

The model is the device's family, its versions are the bundles' counters. A frame's tables choose the classifier, as
they do everywhere; a version in the path is a promise that is kept or refused, never a choice. Answers are not stored.
"""

import asyncio
from collections.abc import Callable, Sequence
from importlib.metadata import version as version_of
from time import perf_counter
from typing import Annotated, Any

from fastapi import APIRouter, Path, Security
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from cloud_server.api.device.device_auth import ASSIGNMENT, TOKEN_PROBLEMS
from cloud_server.api.device.open_inference import (
    BINARY,
    PATH_PREFIX,
    InferBody,
    InferenceProblem,
    InferRequest,
    InferResponse,
    ModelMetadata,
    ModelReady,
    ServerLive,
    ServerMetadata,
    ServerReady,
    build_answer,
    model_metadata,
    parse_request,
)
from cloud_server.api.device.upload_headers import TIMEOUT, timeout_seconds
from cloud_server.api.device.uploads import FRAME_PROBLEMS, UPLOAD_PROBLEMS, Intake
from cloud_server.api.http.bodies import header, read_body, require_media_type
from cloud_server.api.http.endpoint import endpoints, metered_as
from cloud_server.api.http.exchange import exchange_of
from cloud_server.api.http.openapi import (
    JSON,
    Responses,
    Schema,
    answer,
    binary,
    header_parameter,
    problems,
    raw_body,
)
from cloud_server.errors import ConflictError, NotFoundError
from cloud_server.fleet.devices import Device
from cloud_server.health import Health
from cloud_server.metrics import Stage
from shared.errors import DctwireError, PeerError
from shared.wire import FrameResult, Problem, ProblemCode

PARSE_INLINE_BYTES = 32 << 10
_LENGTH_HEADER = "inference-header-content-length"
_JSON_BYTES = header_parameter(
    "Inference-Header-Content-Length", "how many bytes of the body are JSON; the rest is binary tensor data"
)
_MODEL_PROBLEMS = (*TOKEN_PROBLEMS, ProblemCode.NOT_FOUND)
_INFER_PROBLEMS = (*_MODEL_PROBLEMS, *UPLOAD_PROBLEMS, *FRAME_PROBLEMS, ProblemCode.CONFLICT)
_Name = Annotated[str, Path(description="the device's family")]
_Version = Annotated[str, Path(description="a bundle's counter; every frame must be answered by it")]
Versions = Callable[[str], Sequence[int]]
"""The counters of a family's bundles, oldest first."""


class OpenInference:
    """What the protocol's routes do."""

    def __init__(self, intake: Intake, versions: Versions) -> None:
        self._intake = intake
        self._versions = versions

    def versions(self, device: Device, name: str, version: str | None) -> list[int]:
        """The versions of this name, or the one that is named.

        Raises:
            NotFoundError: it is not the device's own family, or has no such version.
        """
        known = list(self._versions(device.family)) if name == device.family else []
        named = [counter for counter in known if version in (None, str(counter))]
        if not named:
            raise NotFoundError(
                f"there is no model {name[:64]!r}, version {(version or 'any')[:16]!r}, for this device"
            )
        return named

    async def infer(self, request: Request, device: Device, name: str, version: str | None = None) -> Response:
        """Classify the frames of a request, all or none; stop when the client disconnects."""
        exchange = exchange_of(request.scope)
        answered = await exchange.while_connected(self._infer(request, device, name, version))
        self._intake.metrics.observe(Stage.TOTAL, perf_counter() - exchange.started)
        return answered

    async def _infer(self, request: Request, device: Device, name: str, version: str | None) -> Response:
        self.versions(device, name, version)
        intake = self._intake
        require_media_type(request, JSON, BINARY)
        json_bytes = _header_length(request)
        wait_seconds = intake.admission.admit(device, timeout_seconds(request))
        body = await read_body(request, intake.limits.batch_max_bytes, intake.limits.max_seconds)
        exchange = exchange_of(request.scope)
        exchange.hold(len(body))  # once more, for the frames in it
        wanted = await _parsed(body, json_bytes)
        exchange.frames = len(wanted.frames)
        intake.admission.charge(device, len(wanted.frames))
        outcomes = await intake.ingest.classify(device, wanted.frames, wait_seconds)
        results = _all_or_none(outcomes)
        if version is not None:
            _keep_the_promise(f"{name}/{version}", results)
        built = build_answer(name, wanted, results)
        headers = intake.auth.headers(device)
        if built.json_bytes is None:
            return Response(built.body, 200, headers, JSON)
        return Response(built.body, 200, headers | {_LENGTH_HEADER: str(built.json_bytes)}, BINARY)


def inference_problem(scope: Scope, problem: Problem) -> Problem:
    """The form of problems: under /v2 with the member that the protocol's clients read."""
    if scope["path"].startswith(PATH_PREFIX):
        return InferenceProblem(**problem.model_dump(), error=problem.detail)
    return problem


def server_router(health: Health) -> APIRouter:
    """The protocol's routes about the server; none needs a token."""
    router = endpoints(PATH_PREFIX)

    @router.get("", response_description="The server.", responses=_problems())
    async def get_server() -> ServerMetadata:
        """Who answers."""
        return ServerMetadata(name="dctwire", version=version_of("dctwire"), extensions=["binary_tensor_data"])

    @router.get("/health/live", response_description="Yes.", responses=_problems())
    async def get_live() -> ServerLive:
        """Whether the server answers."""
        return ServerLive(live=True)

    @router.get("/health/ready", response_description="Yes.", responses=_problems(ProblemCode.NOT_READY))
    async def get_ready() -> ServerReady:
        """Whether frames are welcome."""
        health.require_ready()
        return ServerReady(ready=True)

    return router


def models_router(inference: OpenInference, intake: Intake, health: Health) -> APIRouter:
    """The protocol's routes about a model, and about one version of it."""
    router = endpoints(f"{PATH_PREFIX}/models/{{name}}")
    asks = Annotated[Device, Security(intake.auth)]
    metered: Any = {"dependencies": [metered_as("infer")]}
    model: Any = {"response_description": "The model.", "responses": _problems(*_MODEL_PROBLEMS), **metered}
    ready: Any = {"response_description": "Yes.", "responses": _problems(*_MODEL_PROBLEMS), **metered}
    infer: Any = {**_infer_options(intake.limits.batch_max_bytes), **metered}

    @router.get("", **model)
    async def get_model(device: asks, name: _Name) -> ModelMetadata:
        """What the model takes and gives, and its versions."""
        return model_metadata(name, inference.versions(device, name, None))

    @router.get("/versions/{version}", **model)
    async def get_version(device: asks, name: _Name, version: _Version) -> ModelMetadata:
        """What one version of the model takes and gives."""
        return model_metadata(name, inference.versions(device, name, version))

    @router.get("/ready", **ready)
    async def get_model_ready(device: asks, name: _Name) -> ModelReady:
        """Whether the model takes frames. What is published is loaded when it is needed."""
        inference.versions(device, name, None)
        health.require_ready()
        return ModelReady(name=name, ready=True)

    @router.get("/versions/{version}/ready", **ready)
    async def get_version_ready(device: asks, name: _Name, version: _Version) -> ModelReady:
        """Whether one version of the model takes frames. What is published is loaded when it is needed."""
        inference.versions(device, name, version)
        health.require_ready()
        return ModelReady(name=name, ready=True)

    @router.post("/infer", **infer)
    async def infer_by_model(request: Request, device: asks, name: _Name) -> Response:
        """Classify frames, all or none: the protocol cannot answer a request in part."""
        return await inference.infer(request, device, name)

    @router.post("/versions/{version}/infer", **infer)
    async def infer_by_version(request: Request, device: asks, name: _Name, version: _Version) -> Response:
        """Classify frames, all or none, if each of them is answered by this version."""
        return await inference.infer(request, device, name, version)

    return router


def _problems(*codes: ProblemCode) -> Responses:
    return problems(*codes, form=InferenceProblem)


def _infer_options(body_max_bytes: int) -> Schema:
    """What FastAPI cannot know of an inference: its body and its answer are JSON, or JSON with bytes behind it."""
    content = {JSON: InferBody, BINARY: binary(body_max_bytes)}
    answered = answer("Classified.", {JSON: InferResponse, BINARY: binary()}, ASSIGNMENT)
    return {
        "response_class": Response,
        "responses": _problems(*_INFER_PROBLEMS) | {200: answered},
        "openapi_extra": {
            "parameters": [TIMEOUT, _JSON_BYTES],
            "requestBody": raw_body("the request's JSON, binary tensor data behind it", body_max_bytes, content),
        },
    }


def _header_length(request: Request) -> int | None:
    text = header(request, _LENGTH_HEADER.encode())
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        raise PeerError(f"send Inference-Header-Content-Length as bytes, not {text[:32]!r}")
    return int(text)


async def _parsed(body: bytes, json_bytes: int | None) -> InferRequest:
    if len(body) <= PARSE_INLINE_BYTES:
        return parse_request(body, json_bytes)
    return await asyncio.to_thread(parse_request, body, json_bytes)


def _all_or_none(outcomes: Sequence[FrameResult | DctwireError]) -> list[FrameResult]:
    """The results, if there is one for each frame; else the first error that sending again cannot mend, or the first.

    Raises:
        DctwireError: a frame's, with its index.
    """
    errors = [(index, each) for index, each in enumerate(outcomes) if isinstance(each, DctwireError)]
    if errors:
        index, error = min(errors, key=lambda pair: not isinstance(pair[1], PeerError))
        error.args = (f"frame {index}: {error}",)
        raise error
    return [each for each in outcomes if isinstance(each, FrameResult)]


def _keep_the_promise(model: str, results: Sequence[FrameResult]) -> None:
    for index, result in enumerate(results):
        if result.model != model:
            raise ConflictError(f"frame {index}: its tables choose {result.model}, not {model}")
