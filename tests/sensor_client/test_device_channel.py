"""What each of a server's replies means for the frame."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sensor_client import device_channel
from sensor_client.clock import SystemClock
from sensor_client.device_channel import DeviceChannel, FrameReply
from sensor_client.errors import (
    ClaimRefusedError,
    NobodyReadItError,
    NumberTakenError,
    NumberTooHighError,
    TablesWantedError,
    UnauthorisedError,
)
from sensor_client.http_line import HttpLine
from sensor_client.replies import BUSY_CODES, retry_after_seconds
from shared.errors import ChannelError, RefusedError
from shared.trust import NotPublishedError
from shared.wire import Batch, BatchItem, EnrolmentRequest, ProblemCode, Retry
from tests.sensor_client.device_plane import CLAIM, DEVICE_ID, SECRET, TOKEN, Answer, DevicePlane, problem, refusal
from tests.sensor_client.fakes import Access

BATCH = Batch(b"prefix", (BatchItem(4, 1000, b"four"), BatchItem(6, 1010, b"six")))


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[DevicePlane]:
    with DevicePlane(tuf=tmp_path) as plane:
        yield plane


@pytest.fixture
def line(plane: DevicePlane) -> Iterator[HttpLine]:
    with HttpLine(plane.url, SystemClock()) as line:
        yield line


def make_channel(
    line: HttpLine, seen: list[tuple[int, ...]], *, token: str = TOKEN, wants_results: bool = False
) -> DeviceChannel:
    return DeviceChannel(
        line=line,
        access=Access(DEVICE_ID, token),
        clock=SystemClock(),
        assignment_seen=lambda *numbers: seen.append(numbers),
        wants_results=wants_results,
    )


@pytest.fixture
def seen() -> list[int]:
    return []


@pytest.fixture
def channel(line: HttpLine, seen: list[tuple[int, ...]]) -> DeviceChannel:
    return make_channel(line, seen)


@pytest.fixture
def curious(line: HttpLine, seen: list[tuple[int, ...]]) -> DeviceChannel:
    return make_channel(line, seen, wants_results=True)


def test_a_frame_is_posted_as_it_is_under_its_number(plane: DevicePlane, channel: DeviceChannel) -> None:
    assert channel.send_frame(12, b"\xff\xd8jpeg") == FrameReply("exact", None)

    [request] = plane.requests
    assert (request.method, request.path, request.body) == ("POST", "/v1/frames", b"\xff\xd8jpeg")
    assert "content-type" not in request.headers
    assert request.headers["dw-sequence"] == "12"
    assert request.headers["prefer"] == "return=minimal"


def test_a_result_is_told_where_it_was_asked_for(curious: DeviceChannel) -> None:
    result = curious.send_frame(3, b"jpeg").result

    assert result is not None and (result.id, result.label, result.model) == ("dev1.3", "A", "signs/1")


def test_a_batch_carries_its_frames_and_each_has_its_own_fate(plane: DevicePlane, channel: DeviceChannel) -> None:
    plane.judge = lambda sequence, body: ProblemCode.CORRUPT_JPEG if sequence == 6 else None

    reply = channel.send_batch(BATCH)

    assert plane.frames == {4: b"prefixfour\xff\xd9"}
    assert list(reply.faults) == [6]
    fault = reply.faults[6]
    assert isinstance(fault, RefusedError) and fault.code == "corrupt-jpeg"


def test_a_batch_without_problems_is_answered_without_a_body(channel: DeviceChannel) -> None:
    assert channel.send_batch(BATCH).faults == {}


def test_the_results_of_a_batch_are_told_by_number(plane: DevicePlane, curious: DeviceChannel) -> None:
    plane.judge = lambda sequence, body: ProblemCode.CORRUPT_JPEG if sequence == 4 else None

    reply = curious.send_batch(BATCH)

    assert list(reply.faults) == [4] and list(reply.results) == [6]


def test_a_label_is_put_beside_its_frame(plane: DevicePlane, channel: DeviceChannel) -> None:
    channel.send_frame(9, b"jpeg")

    channel.send_label(9, "stop")

    assert plane.labels == {9: {"label": "stop", "source": "audit"}}


def test_every_reply_tells_of_the_assignment_also_one_that_refuses(
    plane: DevicePlane, channel: DeviceChannel, seen: list[tuple[int, ...]]
) -> None:
    plane.assign(5, "signs", 1)
    plane.judge = lambda sequence, body: ProblemCode.NOT_A_JPEG

    with pytest.raises(RefusedError):
        channel.send_frame(1, b"?")

    assert seen == [(5, 0)]


@pytest.mark.parametrize("value", ["", "-1", "1e3", "x", "٣", "9" * 40])
def test_an_assignment_header_that_is_no_number_is_passed_over(
    plane: DevicePlane, channel: DeviceChannel, seen: list[tuple[int, ...]], value: str
) -> None:
    plane.scripted.append(
        ("/v1/frames", Answer(204, {"DW-Assignment": value.encode().decode("latin-1"), "DW-Answered": "dev1.1 exact"}))
    )

    channel.send_frame(1, b"jpeg")

    assert seen == []


def test_an_assignment_is_fetched_once_and_confirmed_by_its_etag(plane: DevicePlane, channel: DeviceChannel) -> None:
    plane.assign(7, "signs", 3)

    first = channel.assignment()
    second = channel.assignment(first.etag)

    assert first.assignment is not None and first.assignment.target == "signs/3.json"
    assert (second.assignment, second.etag) == (None, first.etag)


def test_no_assignment_yet_is_an_answer_not_an_error(channel: DeviceChannel) -> None:
    reply = channel.assignment()

    assert (reply.assignment, reply.etag) == (None, None)


def test_another_404_to_an_assignment_is_no_answer(plane: DevicePlane, channel: DeviceChannel) -> None:
    plane.scripted.append(("/v1/assignment", Answer(404, {"Content-Type": "text/html"}, b"<h1>Not Found</h1>")))

    with pytest.raises(ChannelError, match="not a dctwire server"):
        channel.assignment()


def test_a_file_of_the_repository_is_fetched_and_a_missing_one_has_its_own_error(
    plane: DevicePlane, channel: DeviceChannel, tmp_path: Path
) -> None:
    (tmp_path / "signs").mkdir()
    (tmp_path / "signs" / "1.targets.json").write_bytes(b"{}")

    assert b"".join(channel.fetch("signs/1.targets.json", 1000, 10.0)) == b"{}"
    with pytest.raises(NotPublishedError):
        list(channel.fetch("signs/2.targets.json", 1000, 10.0))
    assert not any("authorization" in request.headers for request in plane.requests)


ERROR_BY_RETRY: dict[Retry, type[Exception]] = {
    Retry.NO: RefusedError,
    Retry.LATER: ChannelError,
    Retry.WITH_TABLES: TablesWantedError,
    Retry.RENUMBER: NumberTakenError,
}
ERROR_BY_CODE = {
    ProblemCode.SEQUENCE_TOO_HIGH: NumberTooHighError,
    **dict.fromkeys(BUSY_CODES, NobodyReadItError),
}


@pytest.mark.parametrize("code", [code for code in ProblemCode if code.status not in (401,)])
def test_what_a_problem_says_of_retrying_decides_alone_and_in_a_batch(
    plane: DevicePlane, channel: DeviceChannel, code: ProblemCode
) -> None:
    plane.judge = lambda sequence, body: code
    is_of_the_request = code.retry is Retry.NO and code.status in (400, 403, 404, 405, 409, 412)
    error = ERROR_BY_CODE.get(code, ERROR_BY_RETRY[code.retry])

    with pytest.raises(ChannelError if is_of_the_request else error) as caught:
        channel.send_frame(1, b"jpeg")
    in_a_batch = list(channel.send_batch(BATCH).faults.values())
    faults = in_a_batch if is_of_the_request else [caught.value, *in_a_batch]

    assert {type(fault) for fault in faults} == {error}
    refusals = [fault for fault in faults if isinstance(fault, RefusedError)]
    assert {(fault.status, fault.code) for fault in refusals} <= {(code.status, code)}


@pytest.mark.parametrize("code", [ProblemCode.SEQUENCE_TAKEN, ProblemCode.SEQUENCE_TOO_HIGH])
def test_a_number_that_cannot_be_had_is_tried_again_later_where_the_highest_one_is_not_named(
    plane: DevicePlane, channel: DeviceChannel, code: ProblemCode
) -> None:
    plane.scripted.append(("/v1/frames", refusal(code, 1)))

    with pytest.raises(ChannelError):
        channel.send_frame(1, b"jpeg")


@pytest.mark.parametrize(("value", "number"), [("3", 3), ("", 0), ("-1", 0), ("3.0", 0), ("9" * 40, 0)])
def test_a_reply_that_names_settings_is_noticed_by_their_number(
    plane: DevicePlane, channel: DeviceChannel, seen: list[tuple[int, ...]], value: str, number: int
) -> None:
    headers = {"DW-Assignment": "5", "DW-Settings": value, "DW-Answered": "dev1.1 exact"}
    plane.scripted.append(("/v1/frames", Answer(204, headers)))
    channel.send_frame(1, b"jpeg")
    assert seen == [(5, number)]


def test_a_token_that_is_not_valid_takes_no_frame_away(line: HttpLine, seen: list[tuple[int, ...]]) -> None:
    stranger = make_channel(line, seen, token="somebody-else-22-chars")

    with pytest.raises(UnauthorisedError, match="invalid-token"):
        stranger.send_frame(1, b"jpeg")


@pytest.mark.parametrize("code", [ProblemCode.QUEUE_FULL, ProblemCode.QUOTA_EXCEEDED, ProblemCode.TIMED_OUT])
def test_a_busy_server_says_how_long_to_wait(plane: DevicePlane, channel: DeviceChannel, code: ProblemCode) -> None:
    plane.scripted += [(path, problem(code, Retry_After="17")) for path in ("/v1/frames", "/v1/frames:batch")]

    with pytest.raises(ChannelError) as single:
        channel.send_frame(1, b"jpeg")
    with pytest.raises(ChannelError) as batch:
        channel.send_batch(BATCH)

    assert single.value.retry_after_seconds == batch.value.retry_after_seconds == 17


PORTAL = b"<html>Please log in</html>"


@pytest.mark.parametrize("status", [200, 301, 302, 400, 401, 403, 404, 407, 413, 418, 429, 431, 500, 502, 503, 511])
def test_a_captive_portal_or_proxy_takes_no_frame_away(plane: DevicePlane, channel: DeviceChannel, status: int) -> None:
    plane.scripted.append(("/v1/frames", Answer(status, {"Content-Type": "text/html"}, PORTAL)))

    with pytest.raises(ChannelError):
        channel.send_frame(1, b"jpeg")


def test_a_portal_that_says_200_takes_no_batch_and_no_label_away(plane: DevicePlane, channel: DeviceChannel) -> None:
    answer = Answer(200, {"Content-Type": "text/html"}, PORTAL)
    plane.scripted += [("/v1/frames:batch", answer), ("/v1/frames/dev1.4/label", answer)]

    with pytest.raises(ChannelError):
        channel.send_batch(BATCH)
    with pytest.raises(ChannelError):
        channel.send_label(4, "stop")


def test_a_reply_about_another_frame_acknowledges_nothing(plane: DevicePlane, curious: DeviceChannel) -> None:
    body = b'{"id":"dev1.2","label":"A","confidence":0.5,"model":"signs/1","match":"exact"}'
    plane.scripted.append(("/v1/frames", Answer(200, {"Content-Type": "application/json"}, body)))

    with pytest.raises(ChannelError, match=r"frame 1 is about dev1\.2"):
        curious.send_frame(1, b"jpeg")


UNNAMED = {
    "no header": {},
    "another frame": {"DW-Answered": "dev1.2 refused"},
    "another device": {"DW-Answered": "dev2.1 refused"},
    "a batch": {"DW-Answered": "dev1.1-1"},
    "answered": {"DW-Answered": "dev1.1 exact"},
    "the frame alone": {"DW-Answered": "dev1.1"},
    "twice": {"DW-Answered": "dev1.1 refused, dev1.2 refused"},
    "no form": {"DW-Answered": "dev1.1  refused"},
}


@pytest.mark.parametrize(
    "code",
    [
        ProblemCode.CORRUPT_JPEG,
        ProblemCode.UNKNOWN_TABLES,
        ProblemCode.SEQUENCE_TAKEN,
        ProblemCode.SEQUENCE_TOO_HIGH,
    ],
)
@pytest.mark.parametrize("case", UNNAMED)
def test_a_problem_that_does_not_name_the_frame_as_refused_takes_none_away(
    plane: DevicePlane, channel: DeviceChannel, code: ProblemCode, case: str
) -> None:
    answer = problem(code, highest_sequence=9 if code.retry is Retry.RENUMBER else None)
    unnamed = Answer(answer.status, {**answer.headers, **UNNAMED[case]}, answer.body)
    plane.scripted += [("/v1/frames", unnamed), ("/v1/frames/dev1.1/label", unnamed)]

    with pytest.raises(ChannelError):
        channel.send_frame(1, b"jpeg")
    with pytest.raises(ChannelError):
        channel.send_label(1, "stop")

    plane.scripted += [("/v1/frames", refusal(code, 1, 9)), ("/v1/frames/dev1.1/label", refusal(code, 1, 9))]
    with pytest.raises(RefusedError):
        channel.send_frame(1, b"jpeg")
    with pytest.raises(RefusedError):
        channel.send_label(1, "stop")


def test_a_success_that_says_refused_is_no_answer(plane: DevicePlane, channel: DeviceChannel) -> None:
    refused = Answer(204, {"DW-Answered": "dev1.1 refused"})
    plane.scripted += [("/v1/frames", refused), ("/v1/frames/dev1.1/label", refused)]

    with pytest.raises(ChannelError, match="refused without a problem"):
        channel.send_frame(1, b"jpeg")
    with pytest.raises(ChannelError, match="refused without a problem"):
        channel.send_label(1, "stop")


def test_the_problems_of_a_batch_that_is_not_named_take_no_frame_away(
    plane: DevicePlane, curious: DeviceChannel
) -> None:
    plane.judge = lambda sequence, body: ProblemCode.CORRUPT_JPEG
    answered = plane.handle
    plane.handle = lambda request: _without_name(answered(request))  # type: ignore[method-assign]

    with pytest.raises(ChannelError, match="names no frame"):
        curious.send_batch(BATCH)


def _without_name(answer: Answer) -> Answer:
    return Answer(answer.status, {"Content-Type": answer.headers["Content-Type"]}, answer.body)


def test_a_problem_document_that_is_none_is_a_channel_error(plane: DevicePlane, channel: DeviceChannel) -> None:
    plane.scripted.append(("/v1/frames", Answer(422, {"Content-Type": "application/problem+json"}, b"{}")))

    with pytest.raises(ChannelError):
        channel.send_frame(1, b"jpeg")


def test_fewer_results_than_frames_acknowledge_nothing(plane: DevicePlane, curious: DeviceChannel) -> None:
    headers = {"Content-Type": "application/json", "DW-Answered": "dev1.4-6 exact=2"}
    plane.scripted.append(("/v1/frames:batch", Answer(200, headers, b'{"results":[]}')))

    with pytest.raises(ChannelError, match="0 results for 2 frames"):
        curious.send_batch(BATCH)


def test_a_claim_code_becomes_an_identity(line: HttpLine) -> None:
    enrolment = device_channel.enrol(line, EnrolmentRequest(claim_code=CLAIM, secret=SECRET), now=0.0)

    assert (enrolment.device_id, enrolment.token, enrolment.family) == (DEVICE_ID, TOKEN, "signs")


def test_a_wrong_claim_code_is_refused(line: HttpLine) -> None:
    with pytest.raises(ClaimRefusedError, match="invalid-claim"):
        device_channel.enrol(line, EnrolmentRequest(claim_code="wrong", secret=SECRET), now=0.0)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        ("120", 120.0),
        ("Thu, 01 Jan 1970 00:01:40 GMT", 90.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("Thu, 99 Jan 1970 00:00:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float) -> None:
    assert retry_after_seconds(value, now=10.0) == seconds
