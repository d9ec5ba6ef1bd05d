"""`POST /v1/frames` and `POST /v1/frames:batch`: JPEGs in, labels out."""

import json
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from cloud_server.api.bodies import read_body, require_media_type
from cloud_server.api.exchange import exchange_of
from cloud_server.api.identity import Identity
from cloud_server.api.problems import problem_of
from cloud_server.errors import UnavailableError
from cloud_server.feedback.frame_id import SEQUENCE_MAX
from cloud_server.feedback.payload import payload_of
from cloud_server.fleet.devices import Device
from cloud_server.inference.ingest import Answered, Frame, Ingest
from cloud_server.metrics import Metrics, Stage
from shared.errors import DctwireError, PeerError
from shared.wire import BATCH_MEDIA_TYPE, Batch, Problem

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """What a request body may weigh (bytes) and how long it may take (seconds)."""

    frame_max_bytes: int
    batch_max_bytes: int
    max_seconds: float


def frames_router(ingest: Ingest, identity: Identity, metrics: Metrics, limits: BodyLimits) -> APIRouter:
    """The two uploads."""
    router = APIRouter()

    @router.post("/v1/frames", openapi_extra=_body("image/jpeg"))
    async def post_frame(request: Request) -> Response:
        """Classify one JPEG. `DW-Sequence` is the device's number for it; the same number gets the same answer."""
        exchange = exchange_of(request.scope)
        exchange.route = "frames"
        device = identity.authenticate(request)
        sequence = _sequence(request)
        require_media_type(request, "image/jpeg", "application/octet-stream")
        data = await read_body(request, limits.frame_max_bytes, limits.max_seconds)
        (outcome,) = await ingest.answer(device, [Frame(sequence, data)])
        if not isinstance(outcome, Answered):
            raise outcome
        exchange.payload = payload_of(device.family, outcome.result.tables, data, data, outcome.scan_bytes)
        metrics.observe(Stage.TOTAL, perf_counter() - exchange.started)
        if _is_minimal(request):
            return Response(status_code=204, headers=identity.headers(device))
        return Response(_json(_result(outcome, device)), 200, identity.headers(device), JSON)

    @router.post("/v1/frames:batch", openapi_extra=_body(BATCH_MEDIA_TYPE))
    async def post_batch(request: Request) -> Response:
        """Classify up to 256 frames that share their headers; each gets its own result or problem, in order."""
        exchange = exchange_of(request.scope)
        exchange.route = "batch"
        device = identity.authenticate(request)
        require_media_type(request, BATCH_MEDIA_TYPE)
        body = await read_body(request, limits.batch_max_bytes, limits.max_seconds)
        batch = Batch.from_bytes(body)
        frames = [Frame(item.sequence, data) for item, data in zip(batch.items, batch.frames(), strict=True)]
        outcomes = await ingest.answer(device, frames)
        answered = [outcome for outcome in outcomes if isinstance(outcome, Answered)]
        if answered:
            scans_bytes = sum(len(item.scan) for item in batch.items)
            tables = answered[0].result.tables
            exchange.payload = payload_of(device.family, tables, batch.prefix, body, scans_bytes)
        metrics.observe(Stage.TOTAL, perf_counter() - exchange.started)
        problems = {
            frame.sequence: _problem(outcome)
            for frame, outcome in zip(frames, outcomes, strict=True)
            if not isinstance(outcome, Answered)
        }
        for problem in problems.values():
            metrics.count_rejection(problem.code)
        if _is_minimal(request):
            return _minimal(problems, identity.headers(device))
        results = [
            _result(outcome, device) if isinstance(outcome, Answered) else {"problem": problems[frame.sequence]}
            for frame, outcome in zip(frames, outcomes, strict=True)
        ]
        return Response(_json({"results": results}), 200, identity.headers(device), JSON)

    return router


def _sequence(request: Request) -> int:
    text = request.headers.get("dw-sequence", "")
    if not (text.isascii() and text.isdigit() and len(text) <= 19 and int(text) <= SEQUENCE_MAX):
        raise PeerError(f"send DW-Sequence: a whole number from 0 to {SEQUENCE_MAX}, not {text[:32]!r}")
    return int(text)


def _is_minimal(request: Request) -> bool:
    return "return=minimal" in request.headers.get("prefer", "").replace(" ", "").lower()


def _minimal(problems: dict[int, Problem], headers: dict[str, str]) -> Response:
    if not problems:
        return Response(status_code=204, headers=headers)
    return Response(_json({"problems": problems}), 200, headers, JSON)


def _result(answered: Answered, device: Device) -> dict[str, Any]:
    result = answered.result
    return {
        "id": f"{device.public_id}.{result.sequence}",
        "label": result.label,
        "confidence": result.confidence,
        "model": result.model,
        "match": result.match,
    }


def _problem(error: DctwireError) -> Problem:
    assert isinstance(error, PeerError | UnavailableError)
    return problem_of(error)


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), default=Problem.model_dump).encode()


def _body(media_type: str) -> dict[str, Any]:
    content = {media_type: {"schema": {"type": "string", "format": "binary"}}}
    return {"requestBody": {"required": True, "content": content}}
