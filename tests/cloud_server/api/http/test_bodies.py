"""Headers and bodies as every plane reads them: what changes nothing, what is refused, and what the refusal says."""

import gzip
import json

import httpx
import pytest
from starlette.requests import Request

from cloud_server.api.http.bodies import header, header_list
from shared.errors import PeerError
from shared.wire import BATCH_MEDIA_TYPE, ProblemCode
from tests.cloud_server.harness.devices import Device, joining
from tests.cloud_server.harness.frames import batch_with_scans, frame, tables
from tests.cloud_server.harness.problems import assert_problem
from tests.cloud_server.harness.server import ServerHarness

pytestmark = pytest.mark.stateless

BODIES = {
    "a frame": ("device", "POST", "/v1/frames", "image/jpeg", frame(tables(50))),
    "a batch": ("device", "POST", "/v1/frames:batch", BATCH_MEDIA_TYPE, batch_with_scans(50, range(2)).to_bytes()),
    "a label": ("device", "PUT", "/v1/frames/{own}.1/label", "application/json", b'{"label": "a", "source": "human"}'),
    "an enrolment": (
        "device",
        "POST",
        "/v1/devices",
        "application/json",
        json.dumps(joining("AAAA-BBBB-CCCC")).encode(),
    ),
    "an inference": ("device", "POST", "/v2/models/digits/infer", "application/json", b'{"inputs": []}'),
    "a claim": ("operator", "POST", "/v1/claims", "application/json", b'{"family": "digits"}'),
    "a blob": ("operator", "PUT", f"/v1/blobs/{'0' * 64}", "application/octet-stream", b"blob"),
}


def send(harness: ServerHarness, device: Device, case: str, *headers: tuple[str, str]) -> httpx.Response:
    """Send one of the bodies with further headers."""
    plane, method, path, media_type, body = BODIES[case]
    path = path.replace("{own}", device.device_id)
    token = harness.admin_token if plane == "operator" else device.token
    own = [("content-type", media_type), ("dw-sequence", "1"), ("authorization", f"Bearer {token}")]
    return harness.client(plane).request(method, path, content=body, headers=[*own, *headers])


@pytest.mark.parametrize("coding", ["gzip", "br", "x-gzip", "identity, deflate", "GZIP", '"identity"'])
@pytest.mark.parametrize("case", BODIES)
def test_a_coded_body_is_refused_and_the_refusal_names_what_is_taken(
    harness: ServerHarness, device: Device, case: str, coding: str
) -> None:
    answer = send(harness, device, case, ("content-encoding", coding))
    assert (answer.status_code, answer.json()["code"]) == (415, ProblemCode.UNSUPPORTED_CODING)
    assert answer.headers["accept-encoding"] == "identity"
    assert "Content-Encoding" in answer.json()["detail"]


@pytest.mark.parametrize("codings", [("identity",), ("Identity",), ("",), (", identity,",), ("identity", "identity")])
@pytest.mark.parametrize("case", BODIES)
def test_a_body_that_says_that_it_is_sent_as_it_is_is_read(
    harness: ServerHarness, device: Device, case: str, codings: tuple[str, ...]
) -> None:
    answer = send(harness, device, case, *(("content-encoding", coding) for coding in codings))
    assert answer.status_code != 415
    assert answer.status_code == send(harness, device, case).status_code


def test_a_coding_on_a_line_of_its_own_is_seen(harness: ServerHarness, device: Device) -> None:
    answer = send(harness, device, "a frame", ("content-encoding", "identity"), ("content-encoding", "gzip"))
    assert_problem(answer, 415, ProblemCode.UNSUPPORTED_CODING)


def test_a_gzipped_frame_is_not_called_a_broken_jpeg(device: Device) -> None:
    headers = {"dw-sequence": "1", "content-encoding": "gzip"}
    answer = device.http.post("/v1/frames", content=gzip.compress(frame(tables(50))), headers=headers)
    assert answer.json()["code"] == ProblemCode.UNSUPPORTED_CODING


@pytest.mark.parametrize("space", [b"", b" ", b"\t", b" \t ", b"   "], ids=repr)
def test_space_around_a_headers_value_is_no_part_of_it(harness: ServerHarness, device: Device, space: bytes) -> None:
    for sequence, data in enumerate((frame(tables(50), 1), frame(tables(50), 2))):
        values = {
            b"DW-Sequence": b"%d" % sequence,
            b"Authorization": b"Bearer " + device.token.encode(),
            b"Content-Type": b"Image/JPEG",
            b"Content-Encoding": b"identity",
            b"Content-Length": b"%d" % len(data),
            b"DW-Timeout": b"20000",
            b"Prefer": b"return=representation",
            b"Expect": b"100-continue",
            b"Connection": b"close",
            b"Host": b"x",
        }
        lines = [name + b":" + space + value + space for name, value in values.items()]
        with harness.connect() as connection:
            connection.sendall(b"\r\n".join([b"POST /v1/frames HTTP/1.1", *lines, b"", b""]))
            assert connection.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
            connection.sendall(data)
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 "), answer
        assert json.loads(body)["id"] == f"{device.device_id}.{sequence}"


@pytest.mark.parametrize("media_type", ["IMAGE/JPEG", "image/jpeg; q=1", "image/jpeg ;x=y;z"])
def test_a_media_type_is_read_whatever_its_letters_and_parameters(device: Device, media_type: str) -> None:
    assert device.post(frame(tables(50)), headers={"content-type": media_type}).status_code == 200


SINGLE = {
    "DW-Sequence": ("1", "2"),
    "DW-Timeout": ("1000", "2000"),
    "Content-Type": ("image/jpeg", "application/octet-stream"),
    "Authorization": ("Bearer a", "Bearer b"),
}


@pytest.mark.parametrize("name", SINGLE)
def test_a_header_that_says_two_things_is_refused(harness: ServerHarness, device: Device, name: str) -> None:
    own = {"DW-Sequence": "1", "Authorization": f"Bearer {device.token}"}
    lines = [(key, value) for key, value in own.items() if key != name]
    client = harness.client("device")
    twice = [(name, value) for value in SINGLE[name]]
    answer = client.post("/v1/frames", content=frame(tables(50)), headers=[*lines, *twice])
    assert_problem(answer, 400, ProblemCode.BAD_REQUEST)
    assert name.lower() in answer.json()["detail"]


def with_lines(*values: bytes) -> Request:
    """A request with a header `x` on so many lines."""
    return Request({"type": "http", "headers": [(b"x", value) for value in values]})


def test_a_header_that_says_the_same_twice_says_it_once() -> None:
    assert header(with_lines(b"a", b"a"), b"x") == "a"
    assert header(with_lines(), b"x") == ""
    with pytest.raises(PeerError, match="x is there twice"):
        header(with_lines(b"a", b"b"), b"x")


def test_a_list_is_read_over_all_its_lines_and_not_divided_in_quotes() -> None:
    assert header_list(with_lines(b"a,b", b" c\t,", b"", b'd="e,f\\",g", h'), b"x") == [
        "a",
        "b",
        "c",
        'd="e,f\\",g"',
        "h",
    ]
    assert header_list(with_lines(), b"x") == []
