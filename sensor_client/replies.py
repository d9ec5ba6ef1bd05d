"""What a reply means: rules over its status, headers and body, without a connection."""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from sensor_client.errors import (
    BodyTooLargeError,
    NobodyReadItError,
    NumberTakenError,
    NumberTooHighError,
    TablesWantedError,
    UnauthorisedError,
)
from sensor_client.http_line import Reply
from shared.errors import ChannelError, RefusedError
from shared.wire import ANSWERED_HEADER, PROBLEM_MEDIA_TYPE, Answered, Problem, ProblemCode, Retry

FRAME_STATUSES = frozenset({413, 415, 422})
"""Those that speak of a request's content (RFC 9110 15.5.14, 15.5.16, 15.5.21)."""
GATEWAY_STATUSES = frozenset({500, 502, 504})
"""What gateways say when the server behind them failed over a request."""
BUSY_CODES = frozenset(
    {ProblemCode.NOT_READY, ProblemCode.QUEUE_FULL, ProblemCode.QUOTA_EXCEEDED, ProblemCode.MISDIRECTED}
)
"""The server has not looked at the request."""

_M = TypeVar("_M", bound=BaseModel)


def refusal(reply: Reply, now: float) -> RefusedError | ChannelError:
    """The error that a reply without success stands for, to be raised."""
    problem = problem_of(reply)
    wait = retry_after_seconds(reply.headers.get("retry-after"), now)
    if problem is None and reply.status == 413:
        return BodyTooLargeError(f"a proxy takes no body of this size{reply.via}", wait)
    if problem is None:
        fault = f"{reply.status} without a problem document: not a dctwire server's answer{reply.via}"
        return (ChannelError if reply.status in GATEWAY_STATUSES else NobodyReadItError)(fault, wait)
    if reply.status == 401:
        return UnauthorisedError(f"401 {problem.code}: {problem.detail}", wait)
    return _fault(problem, wait)


def of_the_frame(error: RefusedError) -> RefusedError | ChannelError:
    """`error` itself where it speaks of the frame; else the request is at fault, and a later one may do better.

    A header that a proxy sent twice, for example: such a refusal would be given to every frame alike, and must take
    none away, though it names each.
    """
    is_of_the_frame = error.status in FRAME_STATUSES or error.code == ProblemCode.CLASSIFIER_FAULT
    if is_of_the_frame or isinstance(error, NumberTakenError):
        return error
    return ChannelError(f"the request was refused, not the frame: {error}")


def faults_of(problems: Mapping[int, Problem]) -> dict[int, RefusedError | ChannelError]:
    """The errors of the frames of a batch that were not taken."""
    return {sequence: _fault(problem) for sequence, problem in problems.items()}


def answered_by(reply: Reply, device_id: str, first: int, last: int | None = None) -> Mapping[str, int]:
    """How many frames were answered, by match, where the reply says that it is about these.

    Args:
        last: of a batch; None for a frame, and for a label.

    Raises:
        ChannelError: it names other frames, or none: no answer of this device's server.
    """
    answered = _named(reply, device_id, first, last)
    if answered.is_refusal:
        raise ChannelError(f"{reply.status} to frame {first}, which is refused without a problem{reply.via}")
    return answered.frames


def require_refusal_of(reply: Reply, device_id: str, sequence: int) -> None:
    """Check that the reply says that it refuses this frame, or this frame's label.

    Raises:
        ChannelError: it is about another one, or does not say what it refuses: nobody may lose the frame by it.
    """
    if not _named(reply, device_id, sequence).is_refusal:
        raise ChannelError(f"{reply.status} to frame {sequence}, which it says is answered{reply.via}")


def problem_of(reply: Reply) -> Problem | None:
    """The problem document in a reply; None where there is none."""
    if not reply.headers.get("content-type", "").startswith(PROBLEM_MEDIA_TYPE):
        return None
    try:
        return Problem.model_validate_json(reply.body)
    except ValidationError:
        return None


def parsed(model: type[_M], reply: Reply) -> _M:
    """The message in a reply.

    Raises:
        ChannelError: there is none.
    """
    try:
        return model.model_validate_json(reply.body)
    except ValidationError as error:
        fault = error.errors()[0]["msg"]
        raise NobodyReadItError(f"{reply.status}: not a dctwire server's answer ({fault}){reply.via}") from error


def retry_after_seconds(value: str | None, now: float) -> float | None:
    """What Retry-After asks for (RFC 9110 10.2.3): a number of seconds or a date; None where it says neither."""
    if value is None:
        return None
    if value.isascii() and value.isdecimal():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now)
    except (ValueError, OverflowError):
        return None


def _named(reply: Reply, device_id: str, first: int, last: int | None = None) -> Answered:
    value = reply.headers.get(ANSWERED_HEADER.lower())
    answered = None if value is None else Answered.parse(value)
    if answered is None:
        raise NobodyReadItError(f"{reply.status} names no frame: not a dctwire server's answer{reply.via}")
    if (answered.device_id, answered.first, answered.last) != (device_id, first, last):
        raise NobodyReadItError(f"the reply to frame {first} is about {value}")
    return answered


def _fault(problem: Problem, wait_seconds: float | None = None) -> RefusedError | ChannelError:
    match problem.retry:
        case Retry.NO:
            return RefusedError(problem.status, problem.code, problem.detail)
        case Retry.WITH_TABLES:
            return TablesWantedError(problem.status, problem.code, problem.detail)
        case Retry.RENUMBER if problem.highest_sequence is not None:
            kind = NumberTooHighError if problem.code == ProblemCode.SEQUENCE_TOO_HIGH else NumberTakenError
            return kind(problem.status, problem.code, problem.detail, problem.highest_sequence)
        case Retry.LATER | Retry.RENUMBER:
            kind_of_wait = NobodyReadItError if problem.code in BUSY_CODES else ChannelError
            return kind_of_wait(f"{problem.status} {problem.code}: {problem.detail}", wait_seconds)
