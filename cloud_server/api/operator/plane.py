"""The operator plane (:8001, loopback by default): publish, assign, hand out claim codes, look.

Every route says which role it needs.
A body must say that it is JSON: a page in the operator's browser cannot send that here without asking first.
"""

from dataclasses import dataclass
from functools import partial

from fastapi import APIRouter, FastAPI
from starlette.types import Scope

from cloud_server.api.http.endpoint import serve
from cloud_server.api.http.problems import Problems
from cloud_server.api.operator.audit import audit_router
from cloud_server.api.operator.blobs import blobs_router
from cloud_server.api.operator.call_log import CallLog
from cloud_server.api.operator.devices import devices_router, fleet_router, holds_router, marks_router, names_router
from cloud_server.api.operator.diagnostics import device_diagnostics_router
from cloud_server.api.operator.events import events_router, webhooks_router
from cloud_server.api.operator.fleet import assignments_router, claims_router
from cloud_server.api.operator.logins import logins_router
from cloud_server.api.operator.operator_auth import guard
from cloud_server.api.operator.operators import operators_router, tokens_router
from cloud_server.api.operator.published import bundles_router, fallbacks_router
from cloud_server.api.operator.released import released_router
from cloud_server.api.operator.replicas import replicas_router
from cloud_server.api.operator.report import report_router
from cloud_server.api.operator.rollouts import reached_router, rollouts_router, steering_router
from cloud_server.api.operator.runs import runs_router, workers_router
from cloud_server.api.operator.samples import reviews_router, samples_router
from cloud_server.api.operator.settings import settings_router
from cloud_server.api.operator.trust import floor_router, lists_router, root_router
from cloud_server.api.tuf import tuf_router
from cloud_server.events.delivering import Webhooks
from cloud_server.events.telling import Events
from cloud_server.feedback.labels import Labels
from cloud_server.feedback.samples import Samples
from cloud_server.fleet.assignments import Assignments
from cloud_server.fleet.devices import Devices
from cloud_server.fleet.diagnostics import Diagnostics
from cloud_server.fleet.listing import Listing
from cloud_server.fleet.replicas import Replicas
from cloud_server.inference.model_cache import ModelCache
from cloud_server.metrics import Metrics
from cloud_server.operators.accounts import Operators
from cloud_server.operators.administration import Administration
from cloud_server.operators.audit import Audit
from cloud_server.operators.logins import Logins
from cloud_server.registry.assigning import Assigning
from cloud_server.registry.catalogue import Catalogue
from cloud_server.registry.configuring import Configuring
from cloud_server.registry.publishing import Publishing
from cloud_server.registry.releasing import Releasing
from cloud_server.registry.report import Reports
from cloud_server.registry.signed_files import SignedFiles
from cloud_server.registry.tuf_files import TufFiles
from cloud_server.rollout.steering import Steering
from cloud_server.storage.blobs import Blobs
from cloud_server.trainings.runs import Runs
from cloud_server.trainings.signals import Signals
from shared.wire import Plane

TITLE = Plane.OPERATOR.value


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorLimits:
    """How large a blob may be, and how long it may pause while it arrives."""

    blob_max_bytes: int
    blob_idle_seconds: float


@dataclass(frozen=True, slots=True)
class Trainings:
    """The record of trainings, and what says when to train."""

    runs: Runs
    signals: Signals


def _count_refusal(metrics: Metrics, _scope: Scope, reason: str) -> dict[str, str]:
    metrics.count_refused_call("operator", reason)
    return {}


def _of_devices(listing: Listing, diagnostics: Diagnostics) -> tuple[APIRouter, ...]:
    return devices_router(listing), names_router(listing), device_diagnostics_router(diagnostics)


def _of_operators(administration: Administration, logins: Logins) -> tuple[APIRouter, ...]:
    return operators_router(administration), tokens_router(administration), logins_router(logins)


def _of_answers(samples: Samples, labels: Labels, reports: Reports) -> tuple[APIRouter, ...]:
    return samples_router(samples), reviews_router(labels), report_router(reports)


def _of_rollouts(steering: Steering) -> tuple[APIRouter, ...]:
    return rollouts_router(steering), reached_router(steering), steering_router(steering)


def _of_trainings(trainings: Trainings) -> tuple[APIRouter, ...]:
    return runs_router(trainings.runs), workers_router(trainings.runs, trainings.signals)


def _of_what_happened(audit: Audit, events: Events, webhooks: Webhooks) -> tuple[APIRouter, ...]:
    return audit_router(audit), events_router(events), webhooks_router(webhooks)


def operator_plane(
    *,
    catalogue: Catalogue,
    signed_files: SignedFiles,
    publishing: Publishing,
    releasing: Releasing,
    configuring: Configuring,
    models: ModelCache,
    blobs: Blobs,
    devices: Devices,
    listing: Listing,
    diagnostics: Diagnostics,
    assignments: Assignments,
    assigning: Assigning,
    steering: Steering,
    trainings: Trainings,
    tuf_files: TufFiles,
    samples: Samples,
    labels: Labels,
    reports: Reports,
    operators: Operators,
    administration: Administration,
    logins: Logins,
    audit: Audit,
    events: Events,
    webhooks: Webhooks,
    replicas: Replicas,
    metrics: Metrics,
    limits: OperatorLimits,
) -> FastAPI:
    """The application behind the operator listener."""
    app = FastAPI(title=TITLE, openapi_url=None, redirect_slashes=False)
    app.add_middleware(CallLog)
    Problems(TITLE, partial(_count_refusal, metrics)).install(app)
    routers = (
        root_router(signed_files),
        lists_router(signed_files, publishing),
        floor_router(publishing),
        bundles_router(catalogue, publishing, signed_files, models, assignments),
        fallbacks_router(catalogue, publishing, signed_files, models),
        released_router(releasing),
        settings_router(configuring),
        blobs_router(blobs, limits.blob_max_bytes, limits.blob_idle_seconds),
        claims_router(devices),
        assignments_router(steering, publishing),
        *_of_rollouts(steering),
        *_of_trainings(trainings),
        *_of_devices(listing, diagnostics),
        fleet_router(listing, assignments),
        marks_router(devices, listing),
        holds_router(devices, listing, assignments, assigning),
        *_of_answers(samples, labels, reports),
        *_of_operators(administration, logins),
        *_of_what_happened(audit, events, webhooks),
        replicas_router(replicas),
        tuf_router(tuf_files),
    )
    serve(app, routers, limits)
    guard(app, operators, audit)
    return app
