"""The operator plane (:8001, loopback by default): publish, assign, hand out claim codes, look.

A body must say that it is JSON: a page in the operator's browser cannot send that here without asking first.
"""

from dataclasses import dataclass

from fastapi import Depends, FastAPI

from cloud_server.api.http.endpoint import serve
from cloud_server.api.http.problems import Problems
from cloud_server.api.operator.blobs import blobs_router
from cloud_server.api.operator.call_log import CallLog
from cloud_server.api.operator.fleet import assignments_router, claims_router, devices_router
from cloud_server.api.operator.operator_auth import require_own_host
from cloud_server.api.operator.published import bundles_router, fallbacks_router, targets_router
from cloud_server.api.operator.report import report_router
from cloud_server.api.operator.samples import samples_router
from cloud_server.api.tuf import tuf_router
from cloud_server.feedback.labels import Labels
from cloud_server.feedback.samples import Samples
from cloud_server.fleet.assignments import Assignments
from cloud_server.fleet.devices import Devices
from cloud_server.inference.model_cache import ModelCache
from cloud_server.registry.assigning import Assigning
from cloud_server.registry.catalogue import Catalogue
from cloud_server.registry.publishing import Publishing
from cloud_server.registry.report import Reports
from cloud_server.registry.signed_files import SignedFiles
from cloud_server.registry.tuf_files import TufFiles
from cloud_server.storage.blobs import Blobs
from shared.wire import Plane

TITLE = Plane.OPERATOR.value


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorLimits:
    """How large a blob may be, how long it may pause while it arrives, and by which further names we are called."""

    blob_max_bytes: int
    blob_idle_seconds: float
    host_names: str


def operator_plane(
    *,
    catalogue: Catalogue,
    signed_files: SignedFiles,
    publishing: Publishing,
    models: ModelCache,
    blobs: Blobs,
    devices: Devices,
    assignments: Assignments,
    assigning: Assigning,
    tuf_files: TufFiles,
    samples: Samples,
    labels: Labels,
    reports: Reports,
    limits: OperatorLimits,
) -> FastAPI:
    """The application behind the operator listener."""
    app = FastAPI(
        title=TITLE,
        openapi_url=None,
        redirect_slashes=False,
        dependencies=[Depends(require_own_host(limits.host_names))],
    )
    app.add_middleware(CallLog)
    Problems(TITLE).install(app)
    routers = (
        targets_router(signed_files),
        bundles_router(catalogue, publishing, models, assignments),
        fallbacks_router(catalogue, publishing, models),
        blobs_router(blobs, limits.blob_max_bytes, limits.blob_idle_seconds),
        claims_router(devices),
        assignments_router(assigning),
        devices_router(devices, assignments),
        samples_router(samples, labels),
        report_router(reports),
        tuf_router(tuf_files),
    )
    serve(app, routers)
    return app
