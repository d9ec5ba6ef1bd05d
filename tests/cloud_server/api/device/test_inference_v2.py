"""The Open Inference Protocol over the wire: NVIDIA's own client works, and what it cannot have it is told."""

from collections.abc import Iterator

import httpx
import numpy as np
import pytest
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException

from shared.jpeg import Stream
from shared.wire import BATCH_MAX_FRAMES, ProblemCode
from tests.cloud_server.harness.classifiers import expected_label
from tests.cloud_server.harness.devices import Device
from tests.cloud_server.harness.frames import frame, picture, tables
from tests.cloud_server.harness.server import ServerHarness, gained

pytestmark = pytest.mark.stateless


@pytest.fixture
def triton(harness: ServerHarness) -> Iterator[InferenceServerClient]:
    """Their client of the device plane."""
    with InferenceServerClient(harness.addresses["device"].removeprefix("http://")) as client:
        yield client


def bearer(device: Device) -> dict[str, str]:
    """What a device says with each request; a new dictionary, for their client adds to it."""
    return {"Authorization": f"Bearer {device.token}"}


def tensor(*frames: bytes) -> InferInput:
    """The input."""
    found = InferInput("frame", [len(frames)], "BYTES")
    found.set_data_from_numpy(np.array(frames, dtype=object), binary_data=True)
    return found


def texts(array: np.ndarray | None) -> list[str]:
    """A BYTES tensor's elements."""
    assert array is not None
    return [element.decode() if isinstance(element, bytes) else element for element in array.tolist()]


def test_their_client_finds_server_and_model(triton: InferenceServerClient, device: Device) -> None:
    assert triton.is_server_live()
    assert triton.is_server_ready()
    assert triton.get_server_metadata()["extensions"] == ["binary_tensor_data"]
    assert triton.is_model_ready("digits", headers=bearer(device))
    assert triton.is_model_ready("digits", "2", headers=bearer(device))
    assert not triton.is_model_ready("digits", "9", headers=bearer(device))
    metadata = triton.get_model_metadata("digits", headers=bearer(device))
    assert {"1", "2"} <= set(metadata["versions"])
    assert metadata["inputs"] == [{"name": "frame", "datatype": "BYTES", "shape": [-1]}]
    assert [(each["name"], each["datatype"]) for each in metadata["outputs"]] == [
        ("label", "BYTES"),
        ("confidence", "FP32"),
        ("model", "BYTES"),
        ("match", "BYTES"),
    ]


def test_their_client_gets_the_answers_that_a_device_gets(triton: InferenceServerClient, device: Device) -> None:
    frames = [frame(tables(50), seed) for seed in range(5)]
    result = triton.infer("digits", [tensor(*frames)], request_id="a-7", headers=bearer(device))
    ours = [device.post(data).json() for data in frames]
    confidence = result.as_numpy("confidence")
    assert texts(result.as_numpy("label")) == [answer["label"] for answer in ours]
    assert texts(result.as_numpy("label")) == [expected_label(1, tables(50), picture(seed)) for seed in range(5)]
    assert confidence is not None
    assert confidence.tolist() == pytest.approx([answer["confidence"] for answer in ours])
    assert set(texts(result.as_numpy("model"))) == {"digits/1"}
    assert set(texts(result.as_numpy("match"))) == {"exact"}
    response = result.get_response()
    assert (response["model_name"], response["model_version"], response["id"]) == ("digits", "1", "a-7")


def test_outputs_come_as_they_are_asked_for(triton: InferenceServerClient, device: Device) -> None:
    outputs = [InferRequestedOutput("confidence", binary_data=True), InferRequestedOutput("label", binary_data=False)]
    result = triton.infer("digits", [tensor(frame(tables(50)))], outputs=outputs, headers=bearer(device))
    assert [each["name"] for each in result.get_response()["outputs"]] == ["confidence", "label"]
    assert texts(result.as_numpy("label")) == [expected_label(1, tables(50), picture(0))]
    assert result.as_numpy("model") is None


def test_a_version_is_a_promise(triton: InferenceServerClient, device: Device) -> None:
    first, second = frame(tables(50)), frame(tables(25))
    kept = triton.infer("digits", [tensor(first)], model_version="1", headers=bearer(device))
    assert kept.get_response()["model_version"] == "1"
    with pytest.raises(InferenceServerException, match="frame 1: its tables choose digits/2, not digits/1") as refused:
        triton.infer("digits", [tensor(first, second)], model_version="1", headers=bearer(device))
    assert refused.value.status() == "409"
    mixed = triton.infer("digits", [tensor(first, second)], headers=bearer(device))
    assert texts(mixed.as_numpy("model")) == ["digits/1", "digits/2"]


def test_a_bad_frame_refuses_the_request_and_is_named(
    harness: ServerHarness, triton: InferenceServerClient, device: Device
) -> None:
    before = harness.scrape()
    good = frame(tables(50))
    with pytest.raises(InferenceServerException, match="frame 1: ") as refused:
        triton.infer("digits", [tensor(good, good[:-20], good)], headers=bearer(device))
    assert refused.value.status() == "422"
    assert gained(harness, before, "dctwire_rejected_frames_total", reason=ProblemCode.CORRUPT_JPEG) == 3


def test_an_error_is_a_problem_document_that_their_clients_read(harness: ServerHarness, device: Device) -> None:
    answer = device.http.post("/v2/models/digits/infer", json={"inputs": []})
    problem = answer.json()
    assert answer.status_code == problem["status"] == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["error"] == problem["detail"]
    assert problem["code"] == ProblemCode.BAD_REQUEST
    assert harness.client("device").get("/v2/nowhere").json()["error"]
    assert "error" not in harness.client("device").get("/v1/nowhere").json()


@pytest.mark.parametrize(
    ("name", "version", "status"),
    [("digits", "9", 404), ("letters", "1", 404), ("digits", "1e0", 404), ("digits", "01", 404), ("../v1", "1", 404)],
)
def test_only_the_devices_own_model_is_there(device: Device, name: str, version: str, status: int) -> None:
    assert device.http.get(f"/v2/models/{name}/versions/{version}").status_code == status


def post(device: Device, body: bytes, **headers: str) -> httpx.Response:
    """A request as it is."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return device.http.post("/v2/models/digits/infer", content=body, headers=named)


@pytest.mark.parametrize("length", ["-1", "x", "1" * 11, "99", "0x1", "٣"])
def test_a_head_length_that_is_none_is_refused(device: Device, length: str) -> None:
    headers = [(b"inference-header-content-length", length.encode())]
    assert device.http.post("/v2/models/digits/infer", content=b"{}", headers=headers).status_code == 400


def test_what_is_not_understood_is_refused(harness: ServerHarness, device: Device) -> None:
    assert post(device, b"{}", content_type="text/plain").status_code == 415
    assert post(device, b"{}", content_encoding="gzip").status_code == 415
    assert post(device, bytes(5 << 20)).status_code == 413
    assert harness.client("device").post("/v2/models/digits/infer", content=b"{}").status_code == 401
    assert device.http.get("/v2/models/digits/infer").status_code == 405


def test_a_full_batch_is_answered(triton: InferenceServerClient, device: Device) -> None:
    data = frame(tables(70), 3, Stream.INTERCHANGE)
    result = triton.infer("digits", [tensor(*[data] * BATCH_MAX_FRAMES)], headers=bearer(device))
    assert len(texts(result.as_numpy("label"))) == BATCH_MAX_FRAMES
    with pytest.raises(InferenceServerException) as refused:
        triton.infer("digits", [tensor(*[data] * (BATCH_MAX_FRAMES + 1))], headers=bearer(device))
    assert refused.value.status() == "400"
