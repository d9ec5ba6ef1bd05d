"""`POST /v1/frames` and `POST /v1/frames:batch`: JPEGs in, labels out.

An ASGI application of its own, in front of the device plane's: it does what succeeds. Whatever is refused it hands on,
to the operations that the device plane has for these paths; those are documented there, and answer every error alike.
"""

import json
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from cloud_server.api.device.admission import Admission
from cloud_server.api.device.device_auth import Identity
from cloud_server.api.http.bodies import header, read_body, require_media_type
from cloud_server.api.http.exchange import Exchange, exchange_of
from cloud_server.api.http.problems import problem_of
from cloud_server.errors import UnavailableError
from cloud_server.feedback.frame_id import SEQUENCE_MAX
from cloud_server.feedback.payload import payload_of
from cloud_server.feedback.results import StoredResult
from cloud_server.fleet.devices import Device
from cloud_server.inference.frames import Frame
from cloud_server.inference.ingest import Ingest
from cloud_server.inference.waiting import Answer
from cloud_server.metrics import Metrics, Stage
from shared.errors import DctwireError, PeerError
from shared.wire import BATCH_MEDIA_TYPE, Batch, Problem

JSON = "application/json"
FRAMES, BATCHES = "/v1/frames", "/v1/frames:batch"
_REFUSAL = "refusal"
_JSON_HEADER = (b"content-type", JSON.encode())
_encode = json.JSONEncoder(separators=(",", ":"), default=Problem.model_dump).encode


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes = b""

    async def send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": self.body})


class FrameUploads:
    """The two uploads, in front of `rest`: the device plane, with `refused_uploads` in it."""

    def __init__(
        self, rest: ASGIApp, ingest: Ingest, identity: Identity, admission: Admission, metrics: Metrics
    ) -> None:
        self._rest = rest
        self._ingest = ingest
        self._identity = identity
        self._admission = admission
        self._metrics = metrics
        self._uploads = {FRAMES: self._frame, BATCHES: self._batch}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer an upload, or let the rest of the device plane answer."""
        upload = self._uploads.get(scope["path"]) if scope["method"] == "POST" else None
        if upload is None:
            await self._rest(scope, receive, send)
            return
        exchange = exchange_of(scope)
        try:
            reply = await exchange.while_connected(upload(Request(scope, receive), exchange))
        except Exception as error:  # noqa: BLE001 - answered as every error is
            scope["state"][_REFUSAL] = error
            await self._rest(scope, receive, send)
        else:
            self._metrics.observe(Stage.TOTAL, perf_counter() - exchange.started)
            await reply.send(send)

    async def _frame(self, request: Request, exchange: Exchange) -> _Reply:
        exchange.route = "frames"
        device = await self._identity.authenticate(request)
        sequence = _sequence(request)
        require_media_type(request, "image/jpeg", "application/octet-stream")
        wait_seconds = self._admission.admit(request, device)
        limits = self._admission.bodies
        data = await read_body(request, limits.frame_max_bytes, limits.max_seconds)
        exchange.frames = 1
        self._admission.charge(device, 1)
        answers = await self._ingest.answer(device, (Frame(sequence, data),), wait_seconds)
        (outcome,) = answers.outcomes
        if not isinstance(outcome, StoredResult):
            raise _refusal(outcome)
        exchange.payload = payload_of(device.family, outcome.tables, data, data, answers.scan_bytes)
        if _is_minimal(request):
            return self._empty(device)
        return self._json(device, _result(outcome, device))

    async def _batch(self, request: Request, exchange: Exchange) -> _Reply:
        exchange.route = "batch"
        device = await self._identity.authenticate(request)
        require_media_type(request, BATCH_MEDIA_TYPE)
        wait_seconds = self._admission.admit(request, device)
        limits = self._admission.bodies
        body = await read_body(request, limits.batch_max_bytes, limits.max_seconds)
        batch = Batch.from_bytes(body)
        exchange.frames = len(batch.items)
        self._admission.charge(device, len(batch.items))
        exchange.hold(len(batch.prefix) * len(batch.items))
        frames = [
            Frame(item.sequence, data, batch.prefix) for item, data in zip(batch.items, batch.frames(), strict=True)
        ]
        answers = await self._ingest.answer(device, frames, wait_seconds)
        stored = [outcome for outcome in answers.outcomes if isinstance(outcome, StoredResult)]
        if stored:
            scans_bytes = sum(len(item.scan) for item in batch.items)
            exchange.payload = payload_of(device.family, stored[0].tables, batch.prefix, body, scans_bytes)
        problems = {
            item.sequence: problem_of(_refusal(outcome))
            for item, outcome in zip(batch.items, answers.outcomes, strict=True)
            if not isinstance(outcome, StoredResult)
        }
        for problem in problems.values():
            self._metrics.count_rejected_frames(problem.code, 1)
        if _is_minimal(request):
            return self._json(device, {"problems": problems}) if problems else self._empty(device)
        results = [
            _result(outcome, device) if isinstance(outcome, StoredResult) else {"problem": problems[item.sequence]}
            for item, outcome in zip(batch.items, answers.outcomes, strict=True)
        ]
        return self._json(device, {"results": results})

    def _empty(self, device: Device) -> _Reply:
        return _Reply(204, [self._identity.header(device)])

    def _json(self, device: Device, value: object) -> _Reply:
        body = _encode(value).encode()
        length = (b"content-length", b"%d" % len(body))
        return _Reply(200, [self._identity.header(device), _JSON_HEADER, length], body)


def refused_uploads() -> APIRouter:
    """The uploads as the device plane's framework knows them: documented, and answered where they are refused."""
    router = APIRouter()

    @router.post(FRAMES)
    async def post_frame(request: Request) -> Response:
        """Classify one JPEG. `DW-Sequence` is the device's number for it; the same number gets the same answer."""
        raise request.scope["state"][_REFUSAL]

    @router.post(BATCHES)
    async def post_batch(request: Request) -> Response:
        """Classify up to 256 frames that share their headers; each gets its own result or problem, in order."""
        raise request.scope["state"][_REFUSAL]

    return router


def _sequence(request: Request) -> int:
    text = header(request, b"dw-sequence")
    if not (text.isascii() and text.isdigit() and len(text) <= 19 and int(text) <= SEQUENCE_MAX):
        raise PeerError(f"send DW-Sequence: a whole number from 0 to {SEQUENCE_MAX}, not {text[:32]!r}")
    return int(text)


def _is_minimal(request: Request) -> bool:
    return "return=minimal" in header(request, b"prefer").replace(" ", "").lower()


def _refusal(outcome: Answer | DctwireError) -> PeerError | UnavailableError:
    assert isinstance(outcome, PeerError | UnavailableError)
    return outcome


def _result(result: StoredResult, device: Device) -> dict[str, Any]:
    return {
        "id": f"{device.public_id}.{result.sequence}",
        "label": result.label,
        "confidence": result.confidence,
        "model": result.model,
        "match": result.match,
    }
