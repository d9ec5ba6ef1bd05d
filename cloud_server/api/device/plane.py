"""The device plane (:8000): what cameras talk to. Every answer but enrolment's and TUF's needs a session token."""

from fastapi import FastAPI
from starlette.types import ASGIApp, Scope

from cloud_server.api.device.batches import BatchUpload
from cloud_server.api.device.device_auth import DeviceAuth
from cloud_server.api.device.fleet import assignment_router, enrolment_router
from cloud_server.api.device.frames import FrameUpload
from cloud_server.api.device.inference_v2 import (
    OpenInference,
    Versions,
    inference_problem,
    models_router,
    server_router,
)
from cloud_server.api.device.labels import labels_router
from cloud_server.api.device.uploads import BodyLimits, Intake, Uploads, count_refusal
from cloud_server.api.http.endpoint import serve
from cloud_server.api.http.exchange import exchange_of
from cloud_server.api.http.problems import Problems
from cloud_server.api.tuf import tuf_router
from cloud_server.feedback.labels import Labels
from cloud_server.fleet.assignments import Assignments
from cloud_server.fleet.devices import Devices
from cloud_server.health import Health
from cloud_server.inference.admission import Admission
from cloud_server.inference.ingest import Ingest
from cloud_server.metrics import Metrics
from cloud_server.registry.tuf_files import TufFiles
from shared.wire import Plane

TITLE = Plane.DEVICE.value


def device_plane(
    *,
    ingest: Ingest,
    devices: Devices,
    assignments: Assignments,
    labels: Labels,
    tuf_files: TufFiles,
    metrics: Metrics,
    admission: Admission,
    limits: BodyLimits,
    versions: Versions,
    health: Health,
) -> ASGIApp:
    """The application behind the device listener."""
    app = FastAPI(title=TITLE, openapi_url=None, redirect_slashes=False)
    auth = DeviceAuth(devices, assignments)
    intake = Intake(auth=auth, admission=admission, limits=limits, ingest=ingest, metrics=metrics)

    def on_refusal(scope: Scope, reason: str) -> dict[str, str]:
        count_refusal(metrics, exchange_of(scope), reason)
        return auth.refusal_headers(scope)

    problems = Problems(TITLE, on_refusal, inference_problem)
    problems.install(app)
    uploads = (FrameUpload(intake), BatchUpload(intake))
    routers = (
        enrolment_router(devices, limits.max_seconds),
        assignment_router(devices, assignments, auth),
        labels_router(labels, auth, admission, limits.max_seconds),
        server_router(health),
        models_router(OpenInference(intake, versions), intake, health),
        tuf_router(tuf_files),
    )
    serve(app, routers, {upload.path: {"post": upload.operation} for upload in uploads})
    return Uploads(app, uploads, problems, metrics)
