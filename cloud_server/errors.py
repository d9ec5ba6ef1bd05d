"""What the server can refuse, beside what `shared` names; every `code` is one of `shared.wire.ProblemCode`."""

import math
from typing import ClassVar

from shared.errors import DctwireError, PeerError
from shared.wire import ProblemCode


class TokenError(PeerError):
    """No session token, or one that no device holds."""

    code: ClassVar[str] = ProblemCode.INVALID_TOKEN


class ClaimError(PeerError):
    """The claim code is wrong, expired, or used with another secret; which of the three is not said."""

    code: ClassVar[str] = ProblemCode.INVALID_CLAIM


class NotFoundError(PeerError):
    """There is no such thing, or it belongs to another device."""

    code: ClassVar[str] = ProblemCode.NOT_FOUND


class NoNewerRootError(NotFoundError):
    """The root has no such version: how TUF's clients find out that they have the newest one."""


class NoAssignmentError(PeerError):
    """The device's family has no assignment yet."""

    code: ClassVar[str] = ProblemCode.NO_ASSIGNMENT


class ConflictError(PeerError):
    """The request contradicts what is stored."""

    code: ClassVar[str] = ProblemCode.CONFLICT


class SequenceTakenError(PeerError):
    """The number of a frame is that of another frame of its device; the device counts anew above `highest_sequence`."""

    code: ClassVar[str] = ProblemCode.SEQUENCE_TAKEN

    def __init__(self, sequence: int, highest_sequence: int) -> None:
        super().__init__(
            f"another frame of this device was answered under the number {sequence}; go on above {highest_sequence}"
        )
        self.highest_sequence = highest_sequence


class BodyTooLargeError(PeerError):
    """The body is longer than this resource takes."""

    code: ClassVar[str] = ProblemCode.TOO_LARGE

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"at most {limit_bytes} bytes are taken here")
        self.limit_bytes = limit_bytes


class MediaTypeError(PeerError):
    """The Content-Type is not one this resource takes."""

    code: ClassVar[str] = ProblemCode.UNSUPPORTED_MEDIA_TYPE


class CodingError(PeerError):
    """The body was compressed for its way here, or the like: nobody undoes that."""

    code: ClassVar[str] = ProblemCode.UNSUPPORTED_CODING

    def __init__(self, coding: str) -> None:
        super().__init__(f"send the body as it is: Content-Encoding identity, or none, not {coding[:32]!r}")


class WrongSizeError(PeerError):
    """A decodable frame whose geometry is not the classifier's."""

    code: ClassVar[str] = ProblemCode.WRONG_SIZE


class ClassifierError(PeerError):
    """The ONNX file or its labels do not do what the bundle says."""

    code: ClassVar[str] = ProblemCode.INVALID_BUNDLE


class ClassifierFaultError(DctwireError):
    """A classifier gave a frame no answer that could be one: a fault of ours, which the same frame would meet again."""

    code: ClassVar[str] = ProblemCode.CLASSIFIER_FAULT


class UnavailableError(DctwireError):
    """We cannot do it now; the same request may succeed after `retry_after_seconds`."""

    code: ClassVar[ProblemCode] = ProblemCode.NOT_READY
    retry_after_seconds: int = 2


Refusal = PeerError | UnavailableError | ClassifierFaultError
"""Every error that has a problem code."""


class NotReadyError(UnavailableError):
    """Models are still being loaded, or the family has none yet."""


class StorageError(UnavailableError):
    """The database or the blob store does not answer; nothing of the request was acknowledged."""


class QueueFullError(UnavailableError):
    """More frames wait than the queue may hold."""

    code: ClassVar[ProblemCode] = ProblemCode.QUEUE_FULL
    retry_after_seconds: int = 1


class TimedOutError(UnavailableError):
    """The frame waited longer than it may."""

    code: ClassVar[ProblemCode] = ProblemCode.TIMED_OUT
    retry_after_seconds: int = 1


class QuotaError(UnavailableError):
    """The device has posted more frames than it may; `wait_seconds` from now the same request can be taken."""

    code: ClassVar[ProblemCode] = ProblemCode.QUOTA_EXCEEDED

    def __init__(self, frames_per_second: float, burst_frames: int, wait_seconds: float) -> None:
        super().__init__(f"at most {frames_per_second:g} frames a second, {burst_frames} at once")
        self.wait_seconds = wait_seconds
        self.retry_after_seconds = math.ceil(wait_seconds)


class GuessedTokensError(UnavailableError):
    """So many unknown tokens come that another one is not looked up."""

    code: ClassVar[ProblemCode] = ProblemCode.QUOTA_EXCEEDED
    retry_after_seconds: int = 1

    def __init__(self) -> None:
        super().__init__("too many unknown tokens are sent; try again")


class GuessedClaimsError(UnavailableError):
    """So many wrong claim codes came from an address that another code is not looked at, before `wait_seconds`."""

    code: ClassVar[ProblemCode] = ProblemCode.QUOTA_EXCEEDED

    def __init__(self, wait_seconds: int) -> None:
        super().__init__("too many wrong claim codes came from this address; check the code, and try again later")
        self.retry_after_seconds = wait_seconds


class ConstraintError(DctwireError):
    """The database's rules forbid a change: a key is taken, or a row that is referred to is not there."""

    def __init__(self) -> None:
        super().__init__("the database's rules forbid this change")


class SchemaError(DctwireError):
    """The database's tables are not this program's, and not older ones of it either."""


class DatabaseUrlError(DctwireError):
    """The setting is no PostgreSQL URL."""

    def __init__(self) -> None:
        super().__init__("DCTWIRE_SERVER_DATABASE_URL must look like postgresql://USER:PASSWORD@HOST:5432/DATABASE")


class ListenError(DctwireError):
    """A plane cannot listen where its settings say.

    Args:
        plane: as its settings are named: device, operator, ops.
        cause: the system's words.
    """

    def __init__(self, plane: str, host: str, port: int, cause: str) -> None:
        options = ", ".join(
            f"--{plane}-{part} (DCTWIRE_SERVER_{plane.upper()}_{part.upper()})" for part in ("port", "host")
        )
        super().__init__(f"the {plane} plane cannot listen on {host}, port {port}: {cause}. Change it with {options}")
        self.plane, self.host, self.port, self.cause = plane, host, port, cause
