"""The device plane as a device uses it: what it asks, and what each reply means for the frame."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from sensor_client.clock import Clock
from sensor_client.errors import NumberTakenError, TablesWantedError, UnauthorisedError
from sensor_client.http_line import HttpLine, Reply
from shared.errors import ChannelError, RefusedError
from shared.trust import NotPublishedError
from shared.wire import (
    BATCH_MEDIA_TYPE,
    PROBLEM_MEDIA_TYPE,
    Assignment,
    Batch,
    BatchProblems,
    BatchResults,
    Enrolment,
    EnrolmentRequest,
    FrameResult,
    ItemProblem,
    LabelReport,
    LabelSource,
    Problem,
    ProblemCode,
    Retry,
)

ASSIGNMENT_HEADER = "DW-Assignment"

_M = TypeVar("_M", bound=BaseModel)


@dataclass(frozen=True)
class BatchReply:
    """What became of a batch, by sequence number; a frame without a fault was taken."""

    faults: Mapping[int, RefusedError | ChannelError] = field(default_factory=dict)
    results: Mapping[int, FrameResult] = field(default_factory=dict)


@dataclass(frozen=True)
class AssignmentReply:
    """The assignment and its ETag; None when none is made, or when it is still the one with the ETag given."""

    assignment: Assignment | None
    etag: str | None


class DeviceChannel:
    """One enrolled device's conversation with its server. Thread-safe.

    Raises (all methods):
        ChannelError: the line or a busy server; nothing is known about the request's fate. Also for a reply that
            no dctwire server gives (a captive portal, a proxy's error page): such a reply takes no frame away.
        UnauthorisedError: the token is not valid.
        TablesWantedError: the server takes this frame once its tables are put back.
        NumberTakenError: the server takes this frame under a number that no frame of the device has.
        RefusedError: the server will not take this, now or later.
    """

    def __init__(
        self,
        *,
        line: HttpLine,
        device_id: str,
        token: str,
        clock: Clock,
        assignment_seen: Callable[[int], None],
        wants_results: bool = False,
    ) -> None:
        self._line = line
        self._device_id = device_id
        self._authorization = {"Authorization": f"Bearer {token}"}
        self._prefer = {} if wants_results else {"Prefer": "return=minimal"}
        self._clock = clock
        self._assignment_seen = assignment_seen

    def send_frame(self, sequence: int, body: bytes) -> FrameResult | None:
        """Post one JPEG and return its result where the server tells it. Sending a frame again does no harm."""
        headers = {"Content-Type": "image/jpeg", "DW-Sequence": str(sequence), **self._prefer}
        reply = self._ask("POST", "/v1/frames", headers, body)
        if reply.status == 204:
            return None
        result = _parsed(FrameResult, reply)
        if result.id != f"{self._device_id}.{sequence}":
            raise ChannelError(f"the reply to frame {sequence} is about {result.id}")
        return result

    def send_batch(self, batch: Batch) -> BatchReply:
        """Post frames that share their prefix; each is taken or refused on its own."""
        headers = {"Content-Type": BATCH_MEDIA_TYPE, **self._prefer}
        reply = self._ask("POST", "/v1/frames:batch", headers, batch.to_bytes())
        if reply.status == 204:
            return BatchReply()
        if self._prefer:
            return BatchReply(faults=_faults(_parsed(BatchProblems, reply).problems))
        return _by_sequence(batch, _parsed(BatchResults, reply))

    def send_label(self, sequence: int, label: str) -> None:
        """Tell what a frame shows. Telling it again does no harm."""
        report = LabelReport(label=label, source=LabelSource.AUDIT)
        path = f"/v1/frames/{self._device_id}.{sequence}/label"
        reply = self._ask("PUT", path, {"Content-Type": "application/json"}, report.model_dump_json().encode())
        if reply.status != 204:
            raise ChannelError(f"{reply.status} to a label: not a dctwire server's answer{reply.via}")

    def assignment(self, etag: str | None = None) -> AssignmentReply:
        """Ask which bundle this device is to run."""
        headers = {} if etag is None else {"If-None-Match": etag}
        reply = self._ask("GET", "/v1/assignment", headers, None, also=(304, 404))
        if reply.status == 304:
            return AssignmentReply(None, etag)
        if reply.status == 404:
            problem = _problem(reply)
            if problem is None or problem.code != ProblemCode.NO_ASSIGNMENT:
                raise refusal(reply, self._clock.now())
            return AssignmentReply(None, None)
        return AssignmentReply(_parsed(Assignment, reply), reply.headers.get("etag"))

    def fetch(self, path: str) -> Iterator[bytes]:
        """Fetch a file of the server's TUF repository by its path there.

        Raises:
            NotPublishedError: there is none.
        """
        reply = self._ask("GET", f"/tuf/{path}", {}, None, also=(403, 404))
        if reply.status != 200:
            raise NotPublishedError(path)
        yield reply.body

    def _ask(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None, also: tuple[int, ...] = ()
    ) -> Reply:
        reply = self._line.exchange(method, path, {**self._authorization, **headers}, body)
        self._notice_assignment(reply)
        if reply.status not in (200, 204, *also):
            raise refusal(reply, self._clock.now())
        return reply

    def _notice_assignment(self, reply: Reply) -> None:
        value = reply.headers.get(ASSIGNMENT_HEADER.lower(), "")
        if value.isascii() and value.isdecimal() and len(value) < 19:
            self._assignment_seen(int(value))


def enrol(line: HttpLine, claim_code: str, secret: str, now: float) -> Enrolment:
    """Turn a claim code into a device id and a token; asking again with the same secret gives the same ones.

    Raises:
        UnauthorisedError: the code is wrong, used or expired.
        RefusedError, ChannelError: as for DeviceChannel.
    """
    wanted = EnrolmentRequest.model_construct(claim_code=claim_code, secret=secret)  # the server judges what was typed
    body = wanted.model_dump_json().encode()
    reply = line.exchange("POST", "/v1/devices", {"Content-Type": "application/json"}, body)
    if reply.status not in (200, 201):
        raise refusal(reply, now)
    return _parsed(Enrolment, reply)


def fetch_before_enrolling(line: HttpLine, path: str) -> Iterator[bytes]:
    """Fetch a file of the server's TUF repository, which needs no token.

    Raises:
        NotPublishedError: there is none.
        ChannelError: as for DeviceChannel.
    """
    reply = line.exchange("GET", f"/tuf/{path}")
    if reply.status in (403, 404):
        raise NotPublishedError(path)
    if reply.status != 200:
        raise ChannelError(f"{reply.status} to {path}")
    yield reply.body


def refusal(reply: Reply, now: float) -> RefusedError | ChannelError:
    """The error that a reply without success stands for, to be raised."""
    problem = _problem(reply)
    wait = retry_after_seconds(reply.headers.get("retry-after"), now)
    if problem is None and reply.status == 413:  # a proxy's body limit speaks no problem+json, but means it
        return RefusedError(413, ProblemCode.TOO_LARGE, "a proxy refused the body's size")
    if problem is None:
        fault = f"{reply.status} without a problem document: not a dctwire server's answer{reply.via}"
        return ChannelError(fault, wait)
    if reply.status == 401:
        return UnauthorisedError(401, problem.code, problem.detail)
    return _fault(problem, wait)


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


def _by_sequence(batch: Batch, reply: BatchResults) -> BatchReply:
    if len(reply.results) != len(batch.items):
        raise ChannelError(f"{len(reply.results)} results for {len(batch.items)} frames")
    pairs = [(item.sequence, result) for item, result in zip(batch.items, reply.results, strict=True)]
    return BatchReply(
        faults=_faults({sequence: item.problem for sequence, item in pairs if isinstance(item, ItemProblem)}),
        results={sequence: item for sequence, item in pairs if isinstance(item, FrameResult)},
    )


def _faults(problems: Mapping[int, Problem]) -> dict[int, RefusedError | ChannelError]:
    return {sequence: _fault(problem) for sequence, problem in problems.items()}


def _fault(problem: Problem, wait_seconds: float | None = None) -> RefusedError | ChannelError:
    match problem.retry:
        case Retry.NO:
            return RefusedError(problem.status, problem.code, problem.detail)
        case Retry.WITH_TABLES:
            return TablesWantedError(problem.status, problem.code, problem.detail)
        case Retry.RENUMBER if problem.highest_sequence is not None:
            return NumberTakenError(problem.status, problem.code, problem.detail, problem.highest_sequence)
        case Retry.LATER | Retry.RENUMBER:
            return ChannelError(f"{problem.status} {problem.code}: {problem.detail}", wait_seconds)


def _problem(reply: Reply) -> Problem | None:
    if not reply.headers.get("content-type", "").startswith(PROBLEM_MEDIA_TYPE):
        return None
    try:
        return Problem.model_validate_json(reply.body)
    except ValidationError:
        return None


def _parsed(model: type[_M], reply: Reply) -> _M:
    try:
        return model.model_validate_json(reply.body)
    except ValidationError as error:
        fault = error.errors()[0]["msg"]
        raise ChannelError(f"{reply.status}: not a dctwire server's answer ({fault}){reply.via}") from error
