"""The device plane as a device uses it: what it asks, and what became of what it sent."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from pydantic import BaseModel

from sensor_client.clock import Clock
from sensor_client.errors import ClaimRefusedError, NobodyReadItError, UnauthorisedError
from sensor_client.http_line import HttpLine, Reply
from sensor_client.replies import (
    answered_by,
    faults_of,
    of_the_frame,
    parsed,
    problem_of,
    refusal,
    require_refusal_of,
)
from sensor_client.traffic import Purpose
from shared.errors import ChannelError, RefusedError
from shared.trust import NotPublishedError
from shared.wire import (
    DIAGNOSTICS_MEDIA_TYPE,
    SETTINGS_HEADER,
    Assignment,
    AssignmentEvent,
    AssignmentOutcome,
    Batch,
    BatchProblems,
    BatchResults,
    Enrolment,
    EnrolmentRequest,
    FrameResult,
    Heartbeat,
    ItemProblem,
    Kind,
    LabelReport,
    LabelSource,
    ProblemCode,
    session_token,
)

ASSIGNMENT_HEADER = "DW-Assignment"
ETAG_LIMIT_CHARACTERS = 200


@dataclass(frozen=True)
class FrameReply:
    """A frame was taken: how it came to its classifier, and its result where the server tells it."""

    match: str
    result: FrameResult | None


@dataclass(frozen=True)
class BatchReply:
    """What became of a batch, by sequence number; a frame without a fault was taken.

    Args:
        matches: how many frames were taken, by how they came to their classifiers.
    """

    faults: Mapping[int, RefusedError | ChannelError] = field(default_factory=dict)
    results: Mapping[int, FrameResult] = field(default_factory=dict)
    matches: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class AssignmentReply:
    """The assignment and its ETag; None when none is made, or when it is still the one with the ETag given."""

    assignment: Assignment | None
    etag: str | None


class BatchChannel(Protocol):
    """What senders of batches need of `DeviceChannel`."""

    def send_batch(self, batch: Batch) -> BatchReply: ...


class Access(Protocol):
    """By what right a device asks. Any thread may call."""

    def enrolment(self) -> Enrolment:
        """The device's id and token.

        Raises:
            UnauthorisedError: it is no use to ask at present.
        """

    def refused(self, token: str) -> None:
        """The server refused this token."""

    def accepted(self, token: str) -> None:
        """The server took this token."""


class DeviceChannel:
    """One enrolled device's conversation with its server. Thread-safe.

    Frames and batches are sent without a Content-Type, which a sender may leave out (RFC 9110 8.3): their paths say
    what they are, and it would cost up to 45 bytes each time.

    Raises (all methods):
        ChannelError: the line or a busy server; nothing is known about the request's fate. Also for a reply that
            no dctwire server gives (a captive portal, a proxy's error page), and for a refusal that does not name
            what it refuses: such a reply takes no frame and no label away.
        UnauthorisedError: a ChannelError: the token is not valid now.
        TablesWantedError: the server takes this frame once its tables are put back.
        NumberTakenError: the server takes this frame under a number that no frame of the device has.
        RefusedError: the server will not take this, now or later.
    """

    def __init__(
        self,
        *,
        line: HttpLine,
        access: Access,
        clock: Clock,
        assignment_seen: Callable[[int, int], None],
        wants_results: bool = False,
    ) -> None:
        self._line = line
        self._access = access
        self._prefer = {} if wants_results else {"Prefer": "return=minimal"}
        self._clock = clock
        self._assignment_seen = assignment_seen

    def send_frame(self, sequence: int, body: bytes) -> FrameReply:
        """Post one JPEG. Sending a frame again does no harm."""
        headers = {"DW-Sequence": str(sequence), **self._prefer}
        device_id = self._access.enrolment().device_id
        try:
            reply = self._ask("POST", "/v1/frames", headers, body, Purpose.FRAMES, about=(device_id, sequence))
        except RefusedError as error:
            raise of_the_frame(error) from error
        if reply.status == 204:
            (match,) = answered_by(reply, device_id, sequence) or ("",)
            return FrameReply(match, None)
        result = parsed(FrameResult, reply)
        if result.id != f"{device_id}.{sequence}":
            raise NobodyReadItError(f"the reply to frame {sequence} is about {result.id}")
        return FrameReply(result.match, result)

    def send_batch(self, batch: Batch) -> BatchReply:
        """Post frames that share their prefix; each has its own fate, and a refusal of all says nothing of any."""
        headers = self._prefer
        device_id = self._access.enrolment().device_id
        purpose = Purpose.FRAMES if batch.kind is Kind.FRAME else Purpose.COMPANIONS
        reply = self._ask("POST", "/v1/frames:batch", headers, batch.to_bytes(), purpose)
        matches = answered_by(reply, device_id, batch.items[0].sequence, batch.items[-1].sequence)
        if not self._prefer and reply.status == 200:
            return _by_sequence(device_id, batch, parsed(BatchResults, reply))
        problems = {} if reply.status == 204 else parsed(BatchProblems, reply).problems
        if not problems.keys() <= {item.sequence for item in batch.items}:
            raise NobodyReadItError("the reply to a batch tells of frames that are not in it")
        if sum(matches.values()) + len(problems) != len(batch.items):
            raise NobodyReadItError(f"the reply to a batch does not tell of each of its {len(batch.items)} frames")
        return BatchReply(faults_of(problems), {}, matches)

    def send_label(self, sequence: int, label: str) -> None:
        """Tell what a frame shows. Telling it again does no harm."""
        report = LabelReport(label=label, source=LabelSource.AUDIT)
        device_id = self._access.enrolment().device_id
        path = f"/v1/frames/{device_id}.{sequence}/label"
        headers, body = {"Content-Type": "application/json"}, report.model_dump_json().encode()
        reply = self._ask("PUT", path, headers, body, Purpose.LABELS, about=(device_id, sequence))
        answered_by(reply, device_id, sequence)

    def send_heartbeat(self, heartbeat: Heartbeat) -> None:
        """Tell how this device is. Telling it again does no harm."""
        self._tell("/v1/heartbeat", heartbeat, Purpose.HEARTBEATS)

    def send_outcome(self, outcome: AssignmentOutcome) -> None:
        """Tell what became of an assignment's bundle. Telling it again does no harm."""
        event = AssignmentEvent.model_validate(outcome.model_dump(exclude={"seq"}))
        self._tell(f"/v1/assignments/{outcome.seq}/events", event, Purpose.UPDATES)

    def send_diagnostics(self, request: str, archive: bytes) -> None:
        """Send the archive that was asked for. Sending it again does no harm."""
        path, headers = f"/v1/diagnostics/{request}", {"Content-Type": DIAGNOSTICS_MEDIA_TYPE}
        reply = self._ask("POST", path, headers, archive, Purpose.OTHER)
        if reply.status != 204:
            raise ChannelError(f"{reply.status} to {path}: not a dctwire server's answer{reply.via}")

    def assignment(self, etag: str | None = None) -> AssignmentReply:
        """Ask which bundle this device is to run."""
        headers = {} if etag is None else {"If-None-Match": etag}
        reply = self._ask("GET", "/v1/assignment", headers, None, Purpose.UPDATES, also=(304, 404))
        if reply.status == 304:
            return AssignmentReply(None, etag)
        if reply.status == 404:
            problem = problem_of(reply)
            if problem is None or problem.code != ProblemCode.NO_ASSIGNMENT:
                raise refusal(reply, self._clock.now())
            return AssignmentReply(None, None)
        told = reply.headers.get("etag", "")
        is_sendable = 0 < len(told) <= ETAG_LIMIT_CHARACTERS and all(" " < letter < "\x7f" for letter in told)
        return AssignmentReply(parsed(Assignment, reply), told if is_sendable else None)

    def fetch(self, path: str, limit_bytes: int, seconds: float) -> Iterator[bytes]:
        """Fetch a file of the server's TUF repository by its path there, within so many bytes and seconds.

        It needs no token, and none is sent.

        Raises:
            NotPublishedError: there is none.
        """
        reply = self._line.exchange(
            "GET", f"/tuf/{path}", limit_bytes=limit_bytes, seconds=seconds, purpose=Purpose.UPDATES
        )
        if reply.status in (403, 404):
            raise NotPublishedError(path)
        if reply.status != 200:
            raise refusal(reply, self._clock.now())
        yield reply.body

    def _tell(self, path: str, message: BaseModel, purpose: Purpose) -> None:
        body = message.model_dump_json(exclude_none=True).encode()
        reply = self._ask("POST", path, {"Content-Type": "application/json"}, body, purpose)
        if reply.status != 204:
            raise ChannelError(f"{reply.status} to {path}: not a dctwire server's answer{reply.via}")

    def _ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None,
        purpose: Purpose,
        also: tuple[int, ...] = (),
        about: tuple[str, int] | None = None,
    ) -> Reply:
        token = self._access.enrolment().token
        sent = {"Authorization": f"Bearer {token}", **headers}
        reply = self._line.exchange(method, path, sent, body, purpose=purpose)
        self._notice_assignment(reply)
        if reply.status in (200, 204, *also):
            self._access.accepted(token)
            return reply
        error = refusal(reply, self._clock.now())
        if isinstance(error, UnauthorisedError):
            self._access.refused(token)
        if about is not None and isinstance(error, RefusedError):
            require_refusal_of(reply, *about)
        raise error

    def _notice_assignment(self, reply: Reply) -> None:
        seq = _number(reply, ASSIGNMENT_HEADER)
        if seq is not None:
            self._assignment_seen(seq, _number(reply, SETTINGS_HEADER) or 0)


def _number(reply: Reply, header: str) -> int | None:
    value = reply.headers.get(header.lower(), "")
    return int(value) if value.isascii() and value.isdecimal() and len(value) < 19 else None


def enrol(line: HttpLine, wanted: EnrolmentRequest, now: float) -> Enrolment:
    """Turn a claim code into a device id and a token; asking again with the same secret gives the same ones.

    Raises:
        ClaimRefusedError: the code is wrong, expired, or was used by another.
        RefusedError, ChannelError: as for DeviceChannel; also for a token that does not follow from code and secret.
    """
    body = wanted.model_dump_json().encode()
    reply = line.exchange("POST", "/v1/devices", {"Content-Type": "application/json"}, body)
    problem = problem_of(reply)
    if reply.status == 401 and problem is not None:
        raise ClaimRefusedError(401, problem.code, problem.detail)
    if reply.status not in (200, 201):
        raise refusal(reply, now)
    enrolment = parsed(Enrolment, reply)
    if enrolment.token != session_token(wanted.secret, wanted.claim_code):
        raise ChannelError(f"the token is not that of this claim code and secret: not this server's answer{reply.via}")
    return enrolment


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


def _by_sequence(device_id: str, batch: Batch, reply: BatchResults) -> BatchReply:
    if len(reply.results) != len(batch.items):
        raise NobodyReadItError(f"{len(reply.results)} results for {len(batch.items)} frames")
    pairs = [(item.sequence, result) for item, result in zip(batch.items, reply.results, strict=True)]
    results = {sequence: item for sequence, item in pairs if isinstance(item, FrameResult)}
    problems = {sequence: item.problem for sequence, item in pairs if isinstance(item, ItemProblem)}
    for sequence, result in results.items():
        if result.id != f"{device_id}.{sequence}":
            raise NobodyReadItError(f"the result of frame {sequence} is about {result.id}")
    return BatchReply(faults_of(problems), results, Counter(result.match.value for result in results.values()))
