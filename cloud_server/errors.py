"""What the server can refuse, beside what `shared` names; every `code` is one of `shared.wire.ProblemCode`."""

import math
from pathlib import Path
from typing import ClassVar

from shared.errors import DctwireError, PeerError
from shared.wire import SEQUENCE_STEP_MAX, ProblemCode


class TokenError(PeerError):
    """No session token, or one that no device holds."""

    code: ClassVar[str] = ProblemCode.INVALID_TOKEN


class OperatorTokenError(PeerError):
    """No operator token, or one that lets nobody in. Of an unknown one nothing more is said."""

    code: ClassVar[str] = ProblemCode.INVALID_OPERATOR_TOKEN


class EndedOperatorTokenError(OperatorTokenError):
    """A token that let somebody in once is expired, revoked, or of an operator who is disabled.

    Says which, and what helps: only who holds the whole token gets to know.
    """

    code: ClassVar[str] = ProblemCode.ENDED_OPERATOR_TOKEN


class LoginError(OperatorTokenError):
    """What somebody would log in to the console with lets nobody in; which part of it is wrong is not said."""


class WeakPasswordError(PeerError):
    """A password that is too easy to guess; says what is missing."""


class RoleError(PeerError):
    """The operator is known, and may not do this.

    Args:
        name: the operator.
        role: the operator's.
        needed: what it takes.
    """

    code: ClassVar[str] = ProblemCode.ROLE_NEEDED

    def __init__(self, name: str, role: str, needed: str) -> None:
        above = "" if needed == "admin" else ", or one above it"
        super().__init__(f"this needs the role {needed}{above}; {name} is {role}")
        self.name, self.role, self.needed = name, role, needed


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


class ChangedError(PeerError):
    """Something was changed since the one who asks looked at it."""

    code: ClassVar[str] = ProblemCode.CHANGED


class NotListedError(PeerError):
    """It is published, and its family's signed targets do not list it, so that nobody vouches for it any more."""

    code: ClassVar[str] = ProblemCode.NOT_LISTED

    def __init__(self, name: str) -> None:
        super().__init__(
            f"the signed targets do not list {name} any more, so nobody vouches for it; list it anew: "
            "dctwire publish FOLDER --keys KEYS"
        )


class BelowFloorError(PeerError):
    """A bundle would be assigned whose counter is below its family's floor, so that no device would take it anew."""

    code: ClassVar[str] = ProblemCode.BELOW_FLOOR


class SequenceError(PeerError):
    """A frame cannot have this number; its device goes on counting from above `highest_sequence`."""

    def __init__(self, detail: str, highest_sequence: int) -> None:
        super().__init__(f"{detail}; go on above {highest_sequence}")
        self.highest_sequence = highest_sequence


class SequenceTakenError(SequenceError):
    """The number of a frame is that of another frame of its device, or may have been."""

    code: ClassVar[str] = ProblemCode.SEQUENCE_TAKEN

    def __init__(self, sequence: int, highest_sequence: int) -> None:
        fault = f"the number {sequence} is that of another frame, or so old that its answer is deleted"
        super().__init__(fault, highest_sequence)


class SequenceTooHighError(SequenceError):
    """The number of a frame is so far above all others of its device that nobody got there by counting."""

    code: ClassVar[str] = ProblemCode.SEQUENCE_TOO_HIGH

    def __init__(self, sequence: int, highest_sequence: int) -> None:
        fault = f"the number {sequence} is more than {SEQUENCE_STEP_MAX} above all others of the device"
        super().__init__(fault, highest_sequence)


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
    """Models are still being loaded, or the family has none yet; `retry_after_seconds` where it is known."""

    def __init__(self, detail: str, retry_after_seconds: int = UnavailableError.retry_after_seconds) -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds


class OnlineKeyMissingError(UnavailableError):
    """This process has no key of an online role that the newest root names; others may have one.

    Args:
        cause: why a file that is there cannot be used, or nothing.

    Attributes:
        name: what the key's file would be called, without the ending.
    """

    retry_after_seconds: int = 10

    def __init__(self, role: str, keyid: str, folder: Path, cause: str = "") -> None:
        super().__init__(
            f"the {role} key is not the one that the newest root names: {folder} has no key {keyid[:8]}"
            f"{cause and f' ({cause})'}. Copy it there from where it was made; no restart is needed"
        )
        self.name = f"{role}-{keyid[:8]}"


class StorageError(UnavailableError):
    """The database or the blob store does not answer; nothing of the request was acknowledged."""


class ClassifierOverdueError(UnavailableError):
    """The classifier that the frame needs does not come to an end with others, or did not with this one."""

    code: ClassVar[ProblemCode] = ProblemCode.CLASSIFIER_OVERDUE
    retry_after_seconds: int = 10


class LoadOverdueError(DctwireError):
    """A job in the loader's thread did not come to an end in time; it was given up, and perhaps its thread with it."""


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


class GuessingError(UnavailableError):
    """So many wrong secrets came from an address that another one is not looked at, before `wait_seconds`."""

    code: ClassVar[ProblemCode] = ProblemCode.QUOTA_EXCEEDED
    WRONG: ClassVar[str] = "secrets"

    def __init__(self, wait_seconds: int) -> None:
        super().__init__(
            f"too many wrong {self.WRONG} came from this address; check what you send, and try again later"
        )
        self.retry_after_seconds = wait_seconds


class GuessedClaimsError(GuessingError):
    """Too many wrong claim codes."""

    WRONG = "claim codes"


class GuessedOperatorTokensError(GuessingError):
    """Too many wrong operator tokens."""

    WRONG = "operator tokens"


class GuessedLoginsError(GuessingError):
    """Too many wrong passwords or one-time codes, from an address or for a name."""

    WRONG = "names, passwords or codes"

    def __init__(self, wait_seconds: int) -> None:
        super().__init__(wait_seconds)
        self.wait_seconds = wait_seconds


class CodesTooOftenError(UnavailableError):
    """The operator has asked for more one-time codes than anybody logs in with."""

    code: ClassVar[ProblemCode] = ProblemCode.QUOTA_EXCEEDED

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__("an operator gets ten one-time codes a minute; the last one is good still, if it was not used")
        self.retry_after_seconds = retry_after_seconds


class ToldTooOftenError(UnavailableError):
    """The device has told more of itself than it may."""

    code: ClassVar[ProblemCode] = ProblemCode.QUOTA_EXCEEDED

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__("a device tells something once in ten seconds, and 20 times at once")
        self.retry_after_seconds = retry_after_seconds


class BrokenAuditError(DctwireError):
    """The audit is not as it was written.

    Args:
        seq: the first row that is wrong.
        fault: what is wrong with it.
    """

    code: ClassVar[str] = "audit-broken"

    def __init__(self, seq: int, fault: str) -> None:
        super().__init__(f"row {seq} of the audit {fault}")
        self.seq, self.fault = seq, fault


class DatabaseReplacedError(DctwireError):
    """The database is another state than the one this process has written to: what it holds in memory is not true."""

    def __init__(self) -> None:
        super().__init__(
            "the database was restored, or lost what was written last, while this server ran; what it has in memory is "
            "of the other state, so it ends. Start it again"
        )


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
