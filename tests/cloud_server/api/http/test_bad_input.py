"""Whatever is sent, the answer is a documented problem, is counted, and harms nobody else."""

import io
import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from shared.jpeg import Stream
from shared.wire import BATCH_MEDIA_TYPE, PROBLEM_MEDIA_TYPE, ProblemCode, Retry
from tests.cloud_server.harness.devices import Device
from tests.cloud_server.harness.frames import frame, picture, tables
from tests.cloud_server.harness.metrics import grown
from tests.cloud_server.harness.problems import assert_problem
from tests.cloud_server.harness.server import ServerHarness, server_in_thread

pytestmark = pytest.mark.stateless


def progressive_in_part() -> bytes:
    """A progressive JPEG of the right size without its last scan."""
    out = io.BytesIO()
    Image.fromarray(picture(0)).save(out, "JPEG", progressive=True, subsampling=2)
    return out.getvalue()[: out.getvalue().rindex(b"\xff\xda")] + b"\xff\xd9"


def arithmetic() -> bytes:
    """A JPEG of the right size that says that it is coded arithmetically."""
    return frame(tables(50), stream=Stream.INTERCHANGE).replace(b"\xff\xc0", b"\xff\xc9")


def without_scan_tail() -> bytes:
    """A frame whose scan ends in the middle, with EOI put back."""
    whole = frame(tables(50))
    return whole[:-30] + b"\xff\xd9"


def four_colours() -> bytes:
    """What a printer is sent."""
    out = io.BytesIO()
    Image.fromarray(picture(0)).convert("CMYK").save(out, "JPEG")
    return out.getvalue()


def huge_claim() -> bytes:
    """A frame that says it has 65535 x 65535 pixels."""
    whole = bytearray(frame(tables(50), stream=Stream.INTERCHANGE))
    at = whole.index(b"\xff\xc0") + 5
    whole[at : at + 4] = b"\xff\xff\xff\xff"
    return bytes(whole)


BAD_FRAMES: dict[str, tuple[Callable[[], bytes], int, ProblemCode, Retry]] = {
    "not a JPEG": (lambda: b"GIF89a and more", 415, ProblemCode.NOT_A_JPEG, Retry.NO),
    "empty": (lambda: b"", 415, ProblemCode.NOT_A_JPEG, Retry.NO),
    "arithmetic": (arithmetic, 415, ProblemCode.UNSUPPORTED_JPEG, Retry.NO),
    "progressive in part": (progressive_in_part, 422, ProblemCode.CORRUPT_JPEG, Retry.NO),
    "CMYK": (four_colours, 415, ProblemCode.UNSUPPORTED_JPEG, Retry.NO),
    "cut short": (lambda: frame(tables(50))[:-20], 422, ProblemCode.CORRUPT_JPEG, Retry.NO),
    "cut scan": (without_scan_tail, 422, ProblemCode.CORRUPT_JPEG, Retry.NO),
    "cut headers": (lambda: frame(tables(50))[:20], 422, ProblemCode.CORRUPT_JPEG, Retry.NO),
    "over limit": (huge_claim, 422, ProblemCode.OVER_LIMIT, Retry.NO),
    "wrong size": (lambda: frame(tables(50), side=64), 422, ProblemCode.WRONG_SIZE, Retry.NO),
    "unknown tables": (lambda: frame(tables(33)), 422, ProblemCode.UNKNOWN_TABLES, Retry.WITH_TABLES),
    "too large": (lambda: bytes(9 << 20), 413, ProblemCode.TOO_LARGE, Retry.NO),
}


@pytest.mark.parametrize("case", BAD_FRAMES)
def test_a_bad_frame_gets_its_problem_and_is_counted_and_the_next_good_one_its_answer(
    harness: ServerHarness, device: Device, case: str
) -> None:
    make, status, code, retry = BAD_FRAMES[case]
    before = harness.scrape()
    answer = device.post(make(), sequence=0)
    assert_problem(answer, status, code)
    assert answer.json()["retry"] == retry
    after, was_read = harness.scrape(), code is not ProblemCode.TOO_LARGE
    assert grown(before, after, "dctwire_rejected_frames_total", reason=code) == was_read
    assert grown(before, after, "dctwire_rejected_frames_total") == was_read
    assert grown(before, after, "dctwire_refused_requests_total", reason=code) == (not was_read)
    assert device.post(frame(tables(50)), sequence=0).status_code == 200


def test_good_frames_in_flight_beside_bad_ones_are_all_answered(harness: ServerHarness) -> None:
    bad = [make() for make, *_ in BAD_FRAMES.values()]
    outcomes: list[int] = []

    def post_all(frames: list[bytes]) -> None:
        device = harness.enrol("digits")
        outcomes.extend(device.post(data).status_code for data in frames)

    good = [frame(tables(50), seed) for seed in range(30)]
    threads = [threading.Thread(target=post_all, args=(frames,)) for frames in (good, bad, good, bad * 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count(200) == 2 * len(good)
    assert not [status for status in outcomes if status >= 500]


@pytest.mark.parametrize(
    "authorization", [None, "Bearer", "Bearer wrong", "Basic abc", "Bearer " + "x" * 22, "Bearer é"]
)
def test_a_wrong_token_is_refused(harness: ServerHarness, authorization: str | None) -> None:
    headers = {"dw-sequence": "0"}
    client = harness.client("device")
    before = harness.scrape().value("dctwire_refused_requests_total", reason="invalid-token")
    raw = [(name.encode(), value.encode("utf-8")) for name, value in headers.items()]
    if authorization is not None:
        raw.append((b"authorization", authorization.encode("utf-8")))
    answer = client.post("/v1/frames", content=frame(tables(50)), headers=raw)
    assert_problem(answer, 401, ProblemCode.INVALID_TOKEN)
    assert "dw-assignment" not in answer.headers
    assert harness.scrape().value("dctwire_refused_requests_total", reason="invalid-token") == before + 1


@pytest.mark.parametrize("sequence", ["", "-1", "1.5", "x", "9223372036854775808", "1" * 40, "٣", "0x1"])
def test_a_sequence_that_is_no_number_is_refused(device: Device, sequence: str) -> None:
    headers = [(b"dw-sequence", sequence.encode())]
    answer = device.http.post("/v1/frames", content=frame(tables(50)), headers=headers)
    assert_problem(answer, 400, ProblemCode.BAD_REQUEST)


def test_the_largest_sequence_is_read_and_is_too_high(device: Device) -> None:
    answer = device.post(frame(tables(50)), sequence=2**63 - 1)
    assert (answer.status_code, answer.json()["code"]) == (409, ProblemCode.SEQUENCE_TOO_HIGH)
    assert answer.headers["dw-answered"].endswith(".9223372036854775807 refused")


def test_a_body_of_another_kind_is_refused(device: Device) -> None:
    answer = device.http.post(
        "/v1/frames", content=b"{}", headers={"dw-sequence": "0", "content-type": "application/json"}
    )
    assert_problem(answer, 415, ProblemCode.UNSUPPORTED_MEDIA_TYPE)


@pytest.mark.parametrize("body", [b"", b"DWB", b"DWB1", b"DWB1\x00\x00", b"DWB2" + bytes(20), b"DWB1" + b"\xff" * 50])
def test_a_bad_batch_is_refused_whole(harness: ServerHarness, device: Device, body: bytes) -> None:
    before = harness.scrape().value("dctwire_refused_requests_total", reason="invalid-batch")
    answer = device.http.post("/v1/frames:batch", content=body, headers={"content-type": BATCH_MEDIA_TYPE})
    assert_problem(answer, 422, ProblemCode.INVALID_BATCH)
    assert harness.scrape().value("dctwire_refused_requests_total", reason="invalid-batch") == before + 1


@pytest.mark.parametrize("plane", ["device", "operator", "ops"])
def test_unknown_paths_and_methods_are_problems_too(harness: ServerHarness, plane: str) -> None:
    client = harness.client(plane)
    assert_problem(client.get("/nothing/here"), 404, ProblemCode.NOT_FOUND)
    path = {"device": "/v1/frames", "operator": "/v1/claims", "ops": "/metrics"}[plane]
    answer = client.delete(path)
    assert_problem(answer, 405, ProblemCode.METHOD_NOT_ALLOWED)
    assert answer.headers["allow"]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"claim_code": 5}', b'{"claim_code": "x", "more": 1}', b"\xff\xfe"]
)
def test_an_enrolment_that_is_no_json_of_ours_is_refused(harness: ServerHarness, body: bytes) -> None:
    answer = harness.client("device").post("/v1/devices", content=body)
    assert_problem(answer, 400, ProblemCode.BAD_REQUEST)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_mutation_of_a_frame_causes_a_server_error(device: Device, data: st.DataObject) -> None:
    stream = data.draw(st.sampled_from([Stream.ABBREVIATED, Stream.INTERCHANGE]))
    jpeg = bytearray(frame(tables(50), 1, stream))
    for _ in range(data.draw(st.integers(1, 4))):
        jpeg[data.draw(st.integers(0, len(jpeg) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(jpeg)))
    answer = device.post(bytes(jpeg[:cut]) if data.draw(st.booleans()) else bytes(jpeg))
    assert answer.status_code == 200 or answer.headers["content-type"] == PROBLEM_MEDIA_TYPE
    assert answer.status_code < 500


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=200))
def test_no_batch_causes_a_server_error(device: Device, body: bytes) -> None:
    answer = device.http.post("/v1/frames:batch", content=b"DWB1" + body, headers={"content-type": BATCH_MEDIA_TYPE})
    assert answer.status_code < 500


def read_answer(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Read one answer until the server closes."""
    raw = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = raw.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines[1:])
    return int(lines[0].split()[1]), headers, body


@pytest.mark.parametrize(
    "garbage", [b"\x00" * 100, b"HELLO\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00"]
)
def test_bytes_that_are_no_http_get_a_problem_and_the_door(harness: ServerHarness, garbage: bytes) -> None:
    with harness.connect() as connection:
        connection.sendall(garbage + b"\r\n" * 4)
        status, headers, body = read_answer(connection)
    assert (status, headers["content-type"]) == (400, PROBLEM_MEDIA_TYPE)
    assert json.loads(body)["code"] == ProblemCode.BAD_REQUEST


def test_garbage_behind_a_good_request_does_not_cost_it_its_answer(harness: ServerHarness, device: Device) -> None:
    data = frame(tables(50))
    with harness.connect() as connection:
        connection.sendall(
            b"POST /v1/frames HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nDW-Sequence: 1\r\n"
            b"Content-Length: %d\r\n\r\n%s\x00garbage\r\n\r\n" % (device.token.encode(), len(data), data)
        )
        status, headers, body = read_answer(connection)
    assert (status, headers["connection"]) == (200, "close")
    assert json.loads(body)["model"] == "digits/1"


def test_garbage_in_the_middle_of_a_body_ends_the_request(harness: ServerHarness, device: Device) -> None:
    with harness.connect() as connection:
        connection.sendall(
            b"POST /v1/frames HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nDW-Sequence: 1\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nno chunk\r\n" % device.token.encode()
        )
        status, _, body = read_answer(connection)
    assert status == 400
    assert json.loads(body)["code"] == ProblemCode.BAD_REQUEST
    assert device.post(frame(tables(50)), sequence=1).status_code == 200


ODD_REQUESTS = {
    "a path that is no ASCII": b"GET /\xff HTTP/1.1",
    "an absolute target": b"GET http://x/v1/assignment HTTP/1.1",
    "an asterisk": b"OPTIONS * HTTP/1.1",
    "a tunnel": b"CONNECT x:80 HTTP/1.1",
    "an upgrade": b"GET /v1/assignment HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket",
    "another upgrade": b"POST /v1/frames HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nDW-Sequence: 1",
    "escapes": b"GET /%ff%00 HTTP/1.1",
    "a broken query": b"GET /v1/assignment?%zz=%\x00 HTTP/1.1",
    "an old version": b"GET / HTTP/1.0",
    "a slash too many": b"POST /v1/frames/ HTTP/1.1",
    "a negative length": b"POST /v1/frames HTTP/1.1\r\nContent-Length: -5",
    "two lengths": b"POST /v1/frames HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6",
    "a length in Arabic": b"POST /v1/frames HTTP/1.1\r\nContent-Length: \xd9\xa3",
    "a coding nobody asked for": b"POST /v1/frames HTTP/1.1\r\nTransfer-Encoding: gzip",
}


@pytest.mark.parametrize("case", ODD_REQUESTS)
def test_odd_requests_get_an_answer_that_is_no_server_error(harness: ServerHarness, device: Device, case: str) -> None:
    with harness.connect() as connection:
        connection.sendall(ODD_REQUESTS[case] + b"\r\nHost: x\r\nAuthorization: Bearer " + device.token.encode())
        connection.sendall(b"\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        raw = b"".join(iter(lambda: connection.recv(65536), b""))
    assert raw == b"" or 200 <= int(raw.split()[1]) < 500
    assert device.post(frame(tables(50))).status_code == 200


def test_contradicting_lengths_are_refused(harness: ServerHarness) -> None:
    with harness.connect() as connection:
        connection.sendall(
            b"POST /v1/frames HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        )
        status, _, body = read_answer(connection)
    assert status == 400
    assert json.loads(body)["code"] == ProblemCode.BAD_REQUEST


@pytest.mark.parametrize("line", [b"x: " + b"y" * 1000 + b"\r\n", b"y" * 1000], ids=["many", "one endless"])
def test_a_flood_of_headers_is_cut_off(harness: ServerHarness, line: bytes) -> None:
    with harness.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nx-flood: ")
        for _ in range(40):
            connection.sendall(line)
        status, headers, body = read_answer(connection)
    assert (status, headers["connection"]) == (400, "close")
    assert json.loads(body)["code"] == ProblemCode.BAD_REQUEST


def test_an_oversize_body_without_a_length_is_refused_while_it_arrives(harness: ServerHarness, device: Device) -> None:
    with harness.connect() as connection:
        connection.sendall(
            b"POST /v1/frames HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nDW-Sequence: 1\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n" % device.token.encode()
        )
        for _ in range(160):
            connection.sendall(b"10000\r\n" + bytes(1 << 16) + b"\r\n")
        status, headers, body = read_answer(connection)
    assert (status, headers["connection"]) == (413, "close")
    assert json.loads(body)["code"] == ProblemCode.TOO_LARGE


def test_an_oversize_body_is_refused_before_it_is_sent(harness: ServerHarness, device: Device) -> None:
    with harness.connect() as connection:
        connection.sendall(
            b"POST /v1/frames HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nDW-Sequence: 1\r\n"
            b"Content-Length: 99999999999\r\n\r\n" % device.token.encode()
        )
        status, _, _ = read_answer(connection)
    assert status == 413


def test_a_body_in_one_byte_chunks_is_read(harness: ServerHarness, device: Device) -> None:
    data = frame(tables(50), 4)
    with harness.connect() as connection:
        connection.sendall(
            b"POST /v1/frames HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nDW-Sequence: 1\r\n"
            b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n" % device.token.encode()
        )
        for byte in data:
            connection.sendall(b"1\r\n%c\r\n" % byte)
        connection.sendall(b"0\r\n\r\n")
        status, _, body = read_answer(connection)
    assert status == 200
    assert json.loads(body)["model"] == "digits/1"


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory, bundle_folders: dict[int, Path]) -> Iterator[ServerHarness]:
    """A server that waits 0.3 s for a head, and 0.3 s for a body."""
    with server_in_thread(tmp_path_factory.mktemp("impatient"), head_max_seconds=0.3, body_max_seconds=0.3) as harness:
        harness.publish(bundle_folders[1])
        yield harness


def test_a_slow_body_loses_its_connection_and_is_counted(impatient: ServerHarness) -> None:
    device = impatient.enrol("digits")
    with impatient.connect() as connection:
        connection.sendall(
            b"POST /v1/frames HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nDW-Sequence: 1\r\n"
            b"Content-Length: 300\r\n\r\nabc" % device.token.encode()
        )
        assert device.post(frame(tables(50))).status_code == 200
        assert ends_without_an_answer(connection)
    assert impatient.scrape().value("dctwire_refused_requests_total", reason="slow-body") == 1
    assert device.post(frame(tables(50))).status_code == 200


@pytest.mark.parametrize("head", [b"", b"POST /v1/frames HTTP/1.1\r\nHost:"])
def test_a_slow_head_loses_its_connection(impatient: ServerHarness, head: bytes) -> None:
    with impatient.connect() as connection:
        connection.sendall(head)
        assert ends_without_an_answer(connection)


def ends_without_an_answer(connection: socket.socket) -> bool:
    """Wait for the end of the connection; whether nothing came before it."""
    try:
        return connection.recv(1000) == b""
    except ConnectionResetError:
        return True
