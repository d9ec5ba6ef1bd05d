"""The device plane (:8000): what cameras talk to. Every answer but enrolment's and TUF's needs a session token."""

from fastapi import FastAPI
from starlette.types import ASGIApp, Scope

from cloud_server.api.device.batches import BatchUpload
from cloud_server.api.device.device_auth import DeviceAuth
from cloud_server.api.device.diagnostics import diagnostics_router
from cloud_server.api.device.fleet import assignment_router, enrolment_router
from cloud_server.api.device.frames import FrameUpload
from cloud_server.api.device.heartbeats import heartbeats_router
from cloud_server.api.device.inference_v2 import (
    OpenInference,
    Versions,
    inference_problem,
    models_router,
    server_router,
)
from cloud_server.api.device.labels import labels_router
from cloud_server.api.device.uploads import BodyLimits, Intake, Uploads, count_refusal
from cloud_server.api.http.client_address import TrustedProxies
from cloud_server.api.http.endpoint import serve
from cloud_server.api.http.exchange import exchange_of
from cloud_server.api.http.problems import Problems
from cloud_server.api.tuf import tuf_router
from cloud_server.feedback.labels import Labels
from cloud_server.fleet.assignments import Assignments
from cloud_server.fleet.clones import Clones
from cloud_server.fleet.devices import Devices
from cloud_server.fleet.diagnostics import Diagnostics
from cloud_server.fleet.heartbeats import Heartbeats
from cloud_server.fleet.settings_in_effect import SettingsInEffect
from cloud_server.health import Health
from cloud_server.inference.admission import Admission
from cloud_server.inference.ingest import Ingest
from cloud_server.metrics import Metrics
from cloud_server.registry.tuf_files import TufFiles
from cloud_server.rollout.counting import Counting
from shared.wire import Plane

TITLE = Plane.DEVICE.value


def device_plane(
    *,
    ingest: Ingest,
    devices: Devices,
    assignments: Assignments,
    settings: SettingsInEffect,
    diagnostics: Diagnostics,
    heartbeats: Heartbeats,
    clones: Clones,
    labels: Labels,
    tuf_files: TufFiles,
    metrics: Metrics,
    rollout_counts: Counting,
    admission: Admission,
    limits: BodyLimits,
    versions: Versions,
    health: Health,
    proxies: TrustedProxies,
) -> ASGIApp:
    """The application behind the device listener."""
    app = FastAPI(title=TITLE, openapi_url=None, redirect_slashes=False)
    auth = DeviceAuth(devices, assignments, settings, diagnostics)
    intake = Intake(
        auth=auth,
        admission=admission,
        limits=limits,
        ingest=ingest,
        clones=clones,
        metrics=metrics,
        rollout_counts=rollout_counts,
    )

    def on_refusal(scope: Scope, reason: str) -> dict[str, str]:
        count_refusal(metrics, exchange_of(scope), reason)
        return auth.refusal_headers(scope)

    problems = Problems(TITLE, on_refusal, inference_problem)
    problems.install(app)
    uploads = (FrameUpload(intake), BatchUpload(intake))
    routers = (
        enrolment_router(devices, proxies, limits.max_seconds),
        assignment_router(devices, assignments, settings, diagnostics, auth),
        heartbeats_router(heartbeats, auth, limits.max_seconds),
        diagnostics_router(diagnostics, heartbeats, auth, limits.max_seconds),
        labels_router(labels, auth, admission, limits.max_seconds),
        server_router(health),
        models_router(OpenInference(intake, versions), intake, health),
        tuf_router(tuf_files),
    )
    serve(app, routers, limits, {upload.path: {"post": upload.operation} for upload in uploads})
    return Uploads(app, uploads, problems, metrics)
