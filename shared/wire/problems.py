"""Problem codes (RFC 9457): the closed list of what can be wrong, its HTTP status, and what a device does next."""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from shared.plain_text import escaped
from shared.wire.sequences import SEQUENCE_MAX

PROBLEM_MEDIA_TYPE = "application/problem+json"


class Retry(StrEnum):
    """What a device does next with a request that was refused."""

    NO = "no"  # drop it: the same request would be refused again
    LATER = "later"  # keep it, and send it again unchanged
    WITH_TABLES = "with-tables"  # send the frame again under the same number, as a JPEG with its tables inside
    RENUMBER = "renumber"  # number this frame and all that wait anew, from above `highest_sequence`, and send them


class ProblemCode(StrEnum):
    """Every `code` a problem document can carry; `status`, `summary` (its title) and `retry` belong to the code."""

    BAD_REQUEST = "bad-request"
    INVALID_TOKEN = "invalid-token"  # noqa: S105 - a code, not a secret
    INVALID_CLAIM = "invalid-claim"
    INVALID_OPERATOR_TOKEN = "invalid-operator-token"  # noqa: S105 - a code, not a secret
    ENDED_OPERATOR_TOKEN = "ended-operator-token"  # noqa: S105 - a code, not a secret
    ROLE_NEEDED = "role-needed"
    NOT_FOUND = "not-found"
    NO_ASSIGNMENT = "no-assignment"
    METHOD_NOT_ALLOWED = "method-not-allowed"
    CONFLICT = "conflict"
    NOT_LISTED = "not-listed"
    BELOW_FLOOR = "below-floor"
    SEQUENCE_TAKEN = "sequence-taken"
    SEQUENCE_TOO_HIGH = "sequence-too-high"
    CHANGED = "changed"
    TOO_LARGE = "too-large"
    NOT_A_JPEG = "not-a-jpeg"
    UNSUPPORTED_JPEG = "unsupported-jpeg"
    UNSUPPORTED_MEDIA_TYPE = "unsupported-media-type"
    UNSUPPORTED_CODING = "unsupported-coding"
    MISDIRECTED = "misdirected"
    CORRUPT_JPEG = "corrupt-jpeg"
    OVER_LIMIT = "over-limit"
    WRONG_SIZE = "wrong-size"
    UNKNOWN_TABLES = "unknown-tables"
    INVALID_TABLES = "invalid-tables"
    INVALID_BATCH = "invalid-batch"
    INVALID_BUNDLE = "invalid-bundle"
    UNSUPPORTED_BUNDLE = "unsupported-bundle"
    SELFTEST_FAILED = "selftest-failed"
    UNTRUSTED = "untrusted"
    QUOTA_EXCEEDED = "quota-exceeded"
    CLASSIFIER_FAULT = "classifier-fault"
    CLASSIFIER_OVERDUE = "classifier-overdue"
    NOT_READY = "not-ready"
    QUEUE_FULL = "queue-full"
    TIMED_OUT = "timed-out"

    @property
    def status(self) -> int:
        """HTTP status."""
        return _SPECS[self][0]

    @property
    def summary(self) -> str:
        """One line for a person, the same for every occurrence."""
        return _SPECS[self][1]

    @property
    def retry(self) -> Retry:
        """What a device does next."""
        return _SPECS[self][2]


_SPECS: dict[ProblemCode, tuple[int, str, Retry]] = {
    ProblemCode.BAD_REQUEST: (400, "The request is not understood", Retry.NO),
    ProblemCode.INVALID_TOKEN: (401, "The session token is missing or not valid", Retry.NO),
    ProblemCode.INVALID_CLAIM: (401, "The claim code is wrong, used or expired", Retry.NO),
    ProblemCode.INVALID_OPERATOR_TOKEN: (401, "The operator's token is missing or not valid", Retry.NO),
    ProblemCode.ENDED_OPERATOR_TOKEN: (401, "The operator's token lets nobody in any more", Retry.NO),
    ProblemCode.ROLE_NEEDED: (403, "The operator's role does not allow this", Retry.NO),
    ProblemCode.NOT_FOUND: (404, "There is nothing here", Retry.NO),
    ProblemCode.NO_ASSIGNMENT: (404, "No tables are assigned to this device yet", Retry.LATER),
    ProblemCode.METHOD_NOT_ALLOWED: (405, "This resource does not take that method", Retry.NO),
    ProblemCode.CONFLICT: (409, "The request contradicts what is stored", Retry.NO),
    ProblemCode.NOT_LISTED: (409, "The bundle is not in its family's signed list", Retry.NO),
    ProblemCode.BELOW_FLOOR: (409, "A bundle would be assigned that is below its family's floor", Retry.NO),
    ProblemCode.SEQUENCE_TAKEN: (409, "Another frame of this device has this number", Retry.RENUMBER),
    ProblemCode.SEQUENCE_TOO_HIGH: (409, "The number is too far above the device's others", Retry.RENUMBER),
    ProblemCode.CHANGED: (412, "It is not as it was seen any more", Retry.NO),
    ProblemCode.TOO_LARGE: (413, "The body is larger than the limit", Retry.NO),
    ProblemCode.NOT_A_JPEG: (415, "The body is not a JPEG", Retry.NO),
    ProblemCode.UNSUPPORTED_JPEG: (415, "This kind of JPEG is not supported", Retry.NO),
    ProblemCode.UNSUPPORTED_MEDIA_TYPE: (415, "This media type is not taken here", Retry.NO),
    ProblemCode.UNSUPPORTED_CODING: (415, "This content coding is not taken here", Retry.NO),
    ProblemCode.MISDIRECTED: (421, "The server is not called that", Retry.LATER),
    ProblemCode.CORRUPT_JPEG: (422, "The JPEG is damaged", Retry.NO),
    ProblemCode.OVER_LIMIT: (422, "The JPEG is over a limit", Retry.NO),
    ProblemCode.WRONG_SIZE: (422, "The frame does not have the classifier's size", Retry.NO),
    ProblemCode.UNKNOWN_TABLES: (
        422,
        "No tables with this id are known; send the frame with its tables",
        Retry.WITH_TABLES,
    ),
    ProblemCode.INVALID_TABLES: (422, "The JPEG's tables are not valid", Retry.NO),
    ProblemCode.INVALID_BATCH: (422, "The batch is not well formed", Retry.NO),
    ProblemCode.INVALID_BUNDLE: (422, "The bundle is not valid", Retry.NO),
    ProblemCode.UNSUPPORTED_BUNDLE: (422, "The bundle asks for what this version cannot do", Retry.NO),
    ProblemCode.SELFTEST_FAILED: (422, "The bundle's self-test fails", Retry.NO),
    ProblemCode.UNTRUSTED: (422, "The signed metadata does not verify", Retry.NO),
    ProblemCode.QUOTA_EXCEEDED: (429, "The device posts more than it may", Retry.LATER),
    ProblemCode.CLASSIFIER_FAULT: (500, "The classifier gave this frame no usable answer", Retry.NO),
    ProblemCode.CLASSIFIER_OVERDUE: (503, "The classifier does not answer", Retry.LATER),
    ProblemCode.NOT_READY: (503, "The server is not ready", Retry.LATER),
    ProblemCode.QUEUE_FULL: (503, "The server has too much to do", Retry.LATER),
    ProblemCode.TIMED_OUT: (504, "The frame waited too long", Retry.LATER),
}


class Problem(BaseModel):
    """A problem document. `retry` tells a device what to do with the frame, `instance` names the request.

    A problem inside an answer (a batch's bad frame) names no instance, and then has no such member. `highest_sequence`
    comes with `retry` "renumber" alone: the highest number that a frame of the device has.
    """

    model_config = ConfigDict(defer_build=True, frozen=True, extra="ignore")

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    retry: Retry
    instance: str | None = None
    highest_sequence: Annotated[int, Field(ge=0, le=SEQUENCE_MAX)] | None = None

    @classmethod
    def of(
        cls, code: ProblemCode, detail: str, instance: str | None = None, highest_sequence: int | None = None
    ) -> "Problem":
        """The problem document of one occurrence."""
        return cls(
            title=code.summary,
            status=code.status,
            detail=escaped(detail),
            code=code,
            retry=code.retry,
            instance=instance,
            highest_sequence=highest_sequence,
        )

    @model_serializer(mode="wrap")
    def _without_absent_members(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in serialise(self).items() if value is not None}
