"""What the operator plane takes and answers, for its OpenAPI document."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from cloud_server.api.http.bodies import COMMAND_MAX_BYTES
from cloud_server.api.http.openapi import TEXT, Answer, Content, Operation, Operations, Parameter
from cloud_server.api.operator.published import PublishFallbackRequest, PublishRequest
from cloud_server.api.operator.rows import BundleList, DeviceList, FallbackList
from cloud_server.api.operator.samples_operations import SAMPLES_OPERATIONS
from cloud_server.api.tuf_operations import TUF_OPERATIONS
from shared.wire import Assignment, ProblemCode

Family = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
_COMMAND_PROBLEMS = (ProblemCode.TOO_LARGE, ProblemCode.UNSUPPORTED_MEDIA_TYPE, ProblemCode.NOT_READY)
_PUBLISH_PROBLEMS = (
    *_COMMAND_PROBLEMS,
    ProblemCode.CONFLICT,
    ProblemCode.INVALID_BUNDLE,
    ProblemCode.INVALID_TABLES,
    ProblemCode.SELFTEST_FAILED,
    ProblemCode.UNTRUSTED,
)


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AssignRequest(_Message):
    """Which bundle a family should run."""

    family: Family
    counter: Annotated[int, Field(ge=1, le=2**31 - 1)]


class ClaimRequest(_Message):
    """The family a device may join."""

    family: Family


class Claim(_Message):
    """A claim code, shown this once; `expires_at` in seconds since 1970."""

    claim_code: str
    family: str
    expires_at: float


class PublishedBundle(_Message):
    """A bundle's place: `target` is its path in TUF."""

    family: str
    counter: int
    target: str


class PublishedFallback(_Message):
    """A fallback's place: `target` is its path in TUF."""

    family: str
    name: str
    target: str


def operator_operations(blob_max_bytes: int) -> Operations:
    """Every operation of the operator plane, with the server's limits."""
    blob = {"type": "string", "format": "binary", "maxLength": blob_max_bytes}
    put_blob = Operation(
        "Upload a file under its SHA-256; one that is there already stays.",
        {201: Answer("Stored."), 204: Answer("It is there already.")},
        (ProblemCode.TOO_LARGE, ProblemCode.CONFLICT, ProblemCode.NOT_FOUND, ProblemCode.NOT_READY),
        [Parameter("sha256", "64 lower-case hex digits", TEXT, "path")],
        [Content("the file", blob, "application/octet-stream", blob_max_bytes)],
    )
    return {("PUT", "/v1/blobs/{sha256}"): put_blob, **_PUBLISHED, **_FLEET, **SAMPLES_OPERATIONS, **TUF_OPERATIONS}


_PUBLISHED: Operations = {
    ("GET", "/v1/tuf/targets"): Operation(
        "The current targets metadata; add what you publish to it, sign it, and send it along.",
        {200: Answer("The metadata.", Content("TUF targets", {"type": "object"}))},
        [ProblemCode.NOT_READY],
    ),
    ("POST", "/v1/bundles"): Operation(
        "Publish a bundle whose blobs are uploaded; the same again changes nothing.",
        {201: Answer("Published.", Content("its place", PublishedBundle))},
        _PUBLISH_PROBLEMS,
        bodies=[Content("bundle and metadata", PublishRequest, max_bytes=COMMAND_MAX_BYTES)],
    ),
    ("GET", "/v1/bundles"): Operation(
        "Every bundle, where its classifier is, and whether it is assigned.",
        {200: Answer("All of them.", Content("bundles", BundleList))},
    ),
    ("POST", "/v1/fallbacks"): Operation(
        "Publish a fallback whose blobs are uploaded: its family's newest answers frames of unknown tables.",
        {201: Answer("Published.", Content("its place", PublishedFallback))},
        _PUBLISH_PROBLEMS,
        bodies=[Content("fallback and metadata", PublishFallbackRequest, max_bytes=COMMAND_MAX_BYTES)],
    ),
    ("GET", "/v1/fallbacks"): Operation(
        "Every fallback, and where its classifier is; a family's last one serves.",
        {200: Answer("All of them.", Content("fallbacks", FallbackList))},
    ),
}
_FLEET: Operations = {
    ("POST", "/v1/claims"): Operation(
        "A single-use claim code, valid for a day; it is shown this once.",
        {201: Answer("Made.", Content("the code", Claim))},
        _COMMAND_PROBLEMS,
        bodies=[Content("the family", ClaimRequest, max_bytes=COMMAND_MAX_BYTES)],
    ),
    ("POST", "/v1/assignments"): Operation(
        "Point a family at one of its published bundles; pointing it where it points already changes nothing.",
        {201: Answer("Assigned.", Content("the assignment", Assignment))},
        (*_COMMAND_PROBLEMS, ProblemCode.NOT_FOUND, ProblemCode.CONFLICT),
        bodies=[Content("the bundle", AssignRequest, max_bytes=COMMAND_MAX_BYTES)],
    ),
    ("GET", "/v1/devices"): Operation(
        "Every device, when it was last here and with which tables.",
        {200: Answer("All of them.", Content("devices", DeviceList))},
    ),
}
