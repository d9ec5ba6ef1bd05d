"""`/v2/...`: the Open Inference Protocol, so that its clients work here as they do with Triton or KServe.

The model is the device's family, its versions are the bundles' counters. A frame's tables choose the classifier, as
they do everywhere; a version in the path is a promise that is kept or refused, never a choice. Answers are not stored.
"""

import asyncio
from collections.abc import Callable, Sequence
from importlib.metadata import version as version_of

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from cloud_server.api.device.admission import Admission
from cloud_server.api.device.device_auth import Identity
from cloud_server.api.device.open_inference import (
    BINARY,
    InferRequest,
    ModelReady,
    ServerLive,
    ServerMetadata,
    ServerReady,
    build_answer,
    model_metadata,
    parse_request,
)
from cloud_server.api.http.bodies import JSON, header, read_body, require_media_type
from cloud_server.api.http.exchange import exchange_of
from cloud_server.api.ops.plane import Health
from cloud_server.errors import ConflictError, MediaTypeError, NotFoundError
from cloud_server.fleet.devices import Device
from cloud_server.inference.ingest import Ingest
from shared.errors import DctwireError, PeerError
from shared.wire import FrameResult

PARSE_INLINE_BYTES = 32 << 10
_LENGTH_HEADER = "inference-header-content-length"
Versions = Callable[[str], Sequence[int]]
"""The counters of a family's bundles, oldest first."""


class OpenInference:
    """What the protocol's routes do."""

    def __init__(self, ingest: Ingest, identity: Identity, admission: Admission, versions: Versions) -> None:
        self._ingest = ingest
        self._identity = identity
        self._admission = admission
        self._versions = versions

    async def versions(self, request: Request, name: str, version: str | None) -> tuple[Device, list[int]]:
        """Who asks, and the versions of this name, or the one that is named.

        Raises:
            TokenError: it is not known who asks.
            NotFoundError: it is not the device's own family, or has no such version.
        """
        exchange_of(request.scope).route = "infer"
        device = await self._identity.authenticate(request)
        known = list(self._versions(device.family)) if name == device.family else []
        named = [counter for counter in known if version in (None, str(counter))]
        if not named:
            raise NotFoundError(
                f"there is no model {name[:64]!r}, version {(version or 'any')[:16]!r}, for this device"
            )
        return device, named

    async def infer(self, request: Request, name: str, version: str | None) -> Response:
        """Classify the frames of a request, all or none."""
        device, _ = await self.versions(request, name, version)
        require_media_type(request, JSON, BINARY)
        if coding := header(request, b"content-encoding"):
            raise MediaTypeError(f"send the body as it is, not as {coding[:32]!r}")
        json_bytes = _header_length(request)
        wait_seconds = self._admission.admit(request, device)
        limits = self._admission.bodies
        body = await read_body(request, limits.batch_max_bytes, limits.max_seconds)
        exchange = exchange_of(request.scope)
        exchange.hold(len(body))  # once more, for the frames in it
        wanted = await _parsed(body, json_bytes)
        exchange.frames = len(wanted.frames)
        self._admission.charge(device, len(wanted.frames))
        outcomes = await self._ingest.classify(device, wanted.frames, wait_seconds)
        results = _all_or_none(outcomes)
        if version is not None:
            _keep_the_promise(f"{name}/{version}", results)
        answer = build_answer(name, wanted, results)
        headers = self._identity.headers(device)
        if answer.json_bytes is None:
            return Response(answer.body, 200, headers, JSON)
        return Response(answer.body, 200, headers | {_LENGTH_HEADER: str(answer.json_bytes)}, BINARY)


def inference_router(open_inference: OpenInference, health: Health) -> APIRouter:
    """The protocol's routes."""
    router = APIRouter(prefix="/v2")

    @router.get("")
    async def get_server() -> Response:
        """Who answers; no token needed."""
        return _json(ServerMetadata(name="dctwire", version=version_of("dctwire"), extensions=["binary_tensor_data"]))

    @router.get("/health/live")
    async def get_live() -> Response:
        """The server answers; no token needed."""
        return _json(ServerLive(live=True))

    @router.get("/health/ready")
    async def get_ready() -> Response:
        """Frames are welcome; no token needed."""
        health.require_ready()
        return _json(ServerReady(ready=True))

    @router.get("/models/{name}")
    @router.get("/models/{name}/versions/{version}")
    async def get_model(request: Request, name: str, version: str | None = None) -> Response:
        """What the model takes and gives, and its versions."""
        return _json(model_metadata(name, (await open_inference.versions(request, name, version))[1]))

    @router.get("/models/{name}/ready")
    @router.get("/models/{name}/versions/{version}/ready")
    async def get_model_ready(request: Request, name: str, version: str | None = None) -> Response:
        """The model takes frames: what is published is loaded when it is needed."""
        await open_inference.versions(request, name, version)
        health.require_ready()
        return _json(ModelReady(name=name, ready=True))

    @router.post("/models/{name}/infer")
    @router.post("/models/{name}/versions/{version}/infer")
    async def infer(request: Request, name: str, version: str | None = None) -> Response:
        """Classify frames; one that is refused refuses the request, which the protocol cannot answer in part."""
        work = open_inference.infer(request, name, version)
        return await exchange_of(request.scope).while_connected(work)

    return router


def _json(model: BaseModel) -> Response:
    return Response(model.model_dump_json(), media_type=JSON)


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
