"""What each of a server's replies means for the frame."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sensor_client import device_channel
from sensor_client.clock import SystemClock
from sensor_client.device_channel import DeviceChannel, retry_after_seconds
from sensor_client.errors import NumberTakenError, TablesWantedError, UnauthorisedError
from sensor_client.http_line import HttpLine
from shared.errors import ChannelError, RefusedError
from shared.trust import NotPublishedError
from shared.wire import Batch, BatchItem, ProblemCode, Retry
from tests.sensor_client.device_plane import CLAIM, DEVICE_ID, SECRET, TOKEN, Answer, DevicePlane, problem

BATCH = Batch(b"prefix", (BatchItem(4, 1000, b"four"), BatchItem(6, 1010, b"six")))


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[DevicePlane]:
    with DevicePlane(tuf=tmp_path) as plane:
        yield plane


@pytest.fixture
def line(plane: DevicePlane) -> Iterator[HttpLine]:
    with HttpLine(plane.url, SystemClock()) as line:
        yield line


def make_channel(line: HttpLine, seen: list[int], *, token: str = TOKEN, wants_results: bool = False) -> DeviceChannel:
    return DeviceChannel(
        line=line,
        device_id=DEVICE_ID,
        token=token,
        clock=SystemClock(),
        assignment_seen=seen.append,
        wants_results=wants_results,
    )


@pytest.fixture
def seen() -> list[int]:
    return []


@pytest.fixture
def channel(line: HttpLine, seen: list[int]) -> DeviceChannel:
    return make_channel(line, seen)


@pytest.fixture
def curious(line: HttpLine, seen: list[int]) -> DeviceChannel:
    return make_channel(line, seen, wants_results=True)


def test_a_frame_is_posted_as_it_is_under_its_number(plane: DevicePlane, channel: DeviceChannel) -> None:
    assert channel.send_frame(12, b"\xff\xd8jpeg") is None

    [request] = plane.requests
    assert (request.method, request.path, request.body) == ("POST", "/v1/frames", b"\xff\xd8jpeg")
    assert request.headers["content-type"] == "image/jpeg"
    assert request.headers["dw-sequence"] == "12"
    assert request.headers["prefer"] == "return=minimal"


def test_a_result_is_told_where_it_was_asked_for(curious: DeviceChannel) -> None:
    result = curious.send_frame(3, b"jpeg")

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
    plane: DevicePlane, channel: DeviceChannel, seen: list[int]
) -> None:
    plane.assign(5, "signs", 1)
    plane.judge = lambda sequence, body: ProblemCode.NOT_A_JPEG

    with pytest.raises(RefusedError):
        channel.send_frame(1, b"?")

    assert seen == [5]


@pytest.mark.parametrize("value", ["", "-1", "1e3", "x", "٣", "9" * 40])
def test_an_assignment_header_that_is_no_number_is_passed_over(
    plane: DevicePlane, channel: DeviceChannel, seen: list[int], value: str
) -> None:
    plane.scripted.append(("/v1/frames", Answer(204, {"DW-Assignment": value.encode().decode("latin-1")})))

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
    (tmp_path / "metadata").mkdir()
    (tmp_path / "metadata" / "1.root.json").write_bytes(b"{}")

    assert b"".join(channel.fetch("metadata/1.root.json")) == b"{}"
    with pytest.raises(NotPublishedError):
        list(channel.fetch("metadata/2.root.json"))


ERROR_BY_RETRY: dict[Retry, type[Exception]] = {
    Retry.NO: RefusedError,
    Retry.LATER: ChannelError,
    Retry.WITH_TABLES: TablesWantedError,
    Retry.RENUMBER: NumberTakenError,
}


@pytest.mark.parametrize("code", [code for code in ProblemCode if code.status not in (401,)])
def test_what_a_problem_says_of_retrying_decides_alone_and_in_a_batch(
    plane: DevicePlane, channel: DeviceChannel, code: ProblemCode
) -> None:
    plane.judge = lambda sequence, body: code

    with pytest.raises(ERROR_BY_RETRY[code.retry]) as caught:
        channel.send_frame(1, b"jpeg")
    faults = [caught.value, *channel.send_batch(BATCH).faults.values()]

    assert {type(fault) for fault in faults} == {ERROR_BY_RETRY[code.retry]}
    refusals = [fault for fault in faults if isinstance(fault, RefusedError)]
    assert {(fault.status, fault.code) for fault in refusals} <= {(code.status, code)}


def test_a_number_that_is_taken_without_the_highest_one_is_tried_again_later(
    plane: DevicePlane, channel: DeviceChannel
) -> None:
    plane.scripted.append(("/v1/frames", problem(ProblemCode.SEQUENCE_TAKEN)))

    with pytest.raises(ChannelError):
        channel.send_frame(1, b"jpeg")


def test_a_token_that_is_not_valid_stops_the_device(line: HttpLine, seen: list[int]) -> None:
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


@pytest.mark.parametrize("status", [200, 301, 302, 400, 401, 403, 404, 407, 418, 429, 500, 502, 503])
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


def test_a_proxys_body_limit_is_for_good(plane: DevicePlane, channel: DeviceChannel) -> None:
    plane.scripted.append(("/v1/frames", Answer(413, {"Content-Type": "text/html"}, PORTAL)))

    with pytest.raises(RefusedError, match="too-large"):
        channel.send_frame(1, b"jpeg")


def test_a_reply_about_another_frame_acknowledges_nothing(plane: DevicePlane, curious: DeviceChannel) -> None:
    body = b'{"id":"dev1.2","label":"A","confidence":0.5,"model":"signs/1","match":"exact"}'
    plane.scripted.append(("/v1/frames", Answer(200, {"Content-Type": "application/json"}, body)))

    with pytest.raises(ChannelError, match=r"frame 1 is about dev1\.2"):
        curious.send_frame(1, b"jpeg")


def test_a_problem_document_that_is_none_is_a_channel_error(plane: DevicePlane, channel: DeviceChannel) -> None:
    plane.scripted.append(("/v1/frames", Answer(422, {"Content-Type": "application/problem+json"}, b"{}")))

    with pytest.raises(ChannelError):
        channel.send_frame(1, b"jpeg")


def test_fewer_results_than_frames_acknowledge_nothing(plane: DevicePlane, curious: DeviceChannel) -> None:
    plane.scripted.append(("/v1/frames:batch", Answer(200, {"Content-Type": "application/json"}, b'{"results":[]}')))

    with pytest.raises(ChannelError, match="0 results for 2 frames"):
        curious.send_batch(BATCH)


def test_a_claim_code_becomes_an_identity(line: HttpLine) -> None:
    enrolment = device_channel.enrol(line, CLAIM, SECRET, now=0.0)

    assert (enrolment.device_id, enrolment.token, enrolment.family) == (DEVICE_ID, TOKEN, "signs")


def test_a_wrong_claim_code_is_refused(line: HttpLine) -> None:
    with pytest.raises(UnauthorisedError, match="invalid-claim"):
        device_channel.enrol(line, "wrong", SECRET, now=0.0)


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
