"""The device plane (:8000): what cameras talk to. Every answer but enrolment's and TUF's needs a session token."""

from email.utils import formatdate

from fastapi import APIRouter, FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from cloud_server.api.device.admission import Admission, BodyLimits
from cloud_server.api.device.device_auth import Identity
from cloud_server.api.device.frames import JSON, FrameUploads, refused_uploads
from cloud_server.api.device.inference_v2 import OpenInference, Versions, inference_router
from cloud_server.api.device.operations import EnrolmentRequest, device_operations
from cloud_server.api.http.bodies import read_json
from cloud_server.api.http.exchange import Exchange, exchange_of
from cloud_server.api.http.openapi import add_document
from cloud_server.api.http.problems import install_problems
from cloud_server.api.ops.plane import Health
from cloud_server.api.tuf_files import TufFiles, tuf_router
from cloud_server.errors import NotFoundError
from cloud_server.feedback.frame_id import FrameId
from cloud_server.feedback.labels import Labels
from cloud_server.fleet.assignments import Assignments
from cloud_server.fleet.devices import Devices
from cloud_server.inference.ingest import Ingest
from cloud_server.metrics import Metrics
from shared.wire import LabelReport

_UPLOAD_ROUTES = ("frames", "batch", "infer")
_BROKEN_OFF = ("disconnected", "slow-body")


def device_plane(
    ingest: Ingest,
    devices: Devices,
    assignments: Assignments,
    labels: Labels,
    tuf_files: TufFiles,
    metrics: Metrics,
    admission: Admission,
    versions: Versions,
    health: Health,
) -> ASGIApp:
    """The application behind the device listener."""
    app = FastAPI(title="dctwire device plane", openapi_url=None, redirect_slashes=False)
    identity = Identity(devices, assignments)

    def refused(request: Request, reason: str) -> dict[str, str]:
        _count_refusal(metrics, exchange_of(request.scope), reason)
        return identity.refusal_headers(request)

    install_problems(app, refused)
    limits = admission.bodies
    app.include_router(refused_uploads())
    app.include_router(_fleet_router(devices, assignments, identity, limits))
    app.include_router(_labels_router(labels, identity, admission))
    app.include_router(inference_router(OpenInference(ingest, identity, admission, versions), health))
    app.include_router(tuf_router(tuf_files))
    add_document(app, device_operations(limits.frame_max_bytes, limits.batch_max_bytes))
    return FrameUploads(app, ingest, identity, admission, metrics)


def _count_refusal(metrics: Metrics, exchange: Exchange, reason: str) -> None:
    """Count a refused upload once: by its frames where they were read, as one request where they were not."""
    if exchange.route not in _UPLOAD_ROUTES:
        return
    if exchange.frames and reason not in _BROKEN_OFF:
        metrics.count_rejected_frames(reason, exchange.frames)
    else:
        metrics.count_refused_request(reason)


def _fleet_router(devices: Devices, assignments: Assignments, identity: Identity, limits: BodyLimits) -> APIRouter:
    router = APIRouter()

    @router.post("/v1/devices")
    async def enrol(request: Request) -> Response:
        """Turn a claim code into a device id and a session token, shown this once."""
        exchange_of(request.scope).route = "devices"
        wanted = await read_json(request, EnrolmentRequest, limits.max_seconds)
        enrolment = await devices.enrol(wanted.claim_code)
        return Response(enrolment.model_dump_json(), 201, media_type=JSON)

    @router.get("/v1/assignment")
    async def get_assignment(request: Request) -> Response:
        """The bundle the device should run; 304 while its number is the one in If-None-Match."""
        exchange_of(request.scope).route = "assignment"
        device = await identity.authenticate(request)
        devices.touch(device)
        assignment = assignments.current(device)
        etag = f'"{assignment.seq}"'
        headers = identity.headers(device) | {"etag": etag, "date": formatdate(usegmt=True)}
        if etag in request.headers.get("if-none-match", "").replace(" ", "").split(","):
            return Response(status_code=304, headers=headers)
        return Response(assignment.model_dump_json(), 200, headers, JSON)

    return router


def _labels_router(labels: Labels, identity: Identity, admission: Admission) -> APIRouter:
    router = APIRouter()

    @router.put("/v1/frames/{frame_id}/label")
    async def put_label(request: Request, frame_id: str) -> Response:
        """Say what one of the device's own answered frames really showed; the same again changes nothing.

        A label is taken off the device's quota like a frame.
        """
        exchange_of(request.scope).route = "label"
        device = await identity.authenticate(request)
        admission.charge(device, 1)
        report = await read_json(request, LabelReport, admission.bodies.max_seconds)
        frame = FrameId.parse(frame_id)
        if frame.device != device.public_id:
            raise NotFoundError(f"{frame} is no frame of this device")
        await labels.put(frame, device.row_id, device.family, report)
        return Response(status_code=204, headers=identity.headers(device))

    return router
