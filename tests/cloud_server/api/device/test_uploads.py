"""Uploads in front of the framework: what is counted when one is refused, and what is handed on."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from cloud_server.api.device.uploads import count_refusal
from cloud_server.api.http.body_memory import BodyMemory
from cloud_server.api.http.exchange import Exchange
from cloud_server.metrics import Metrics
from shared.wire import ProblemCode
from tests.cloud_server.harness.devices import Device
from tests.cloud_server.harness.problems import assert_problem
from tests.cloud_server.harness.server import ServerHarness

FRAMES, REQUESTS = "dctwire_rejected_frames_total", "dctwire_refused_requests_total"


def counted(route: str, frames: int, reason: str) -> dict[str, float]:
    """What is counted of one refusal, by metric."""
    metrics, exchange = Metrics(), Exchange(BodyMemory(1), route=route, frames=frames)
    count_refusal(metrics, exchange, reason)
    return {
        sample.name: sample.value
        for family in text_string_to_metric_families(metrics.exposition().decode())
        for sample in family.samples
        if sample.name in (FRAMES, REQUESTS) and sample.labels["reason"] == reason
    }


@pytest.mark.parametrize("route", ["frames", "batch", "infer"])
@pytest.mark.parametrize(
    ("frames", "reason", "expected"),
    [
        pytest.param(0, "invalid-token", {REQUESTS: 1}, id="not read"),
        pytest.param(1, "corrupt-jpeg", {FRAMES: 1}, id="one frame"),
        pytest.param(256, "quota-exceeded", {FRAMES: 256}, id="a batch"),
        pytest.param(256, "disconnected", {REQUESTS: 1}, id="gone"),
        pytest.param(256, "slow-body", {REQUESTS: 1}, id="too slow"),
    ],
)
def test_a_refused_upload_is_counted_once_in_its_own_unit(
    route: str, frames: int, reason: str, expected: dict[str, float]
) -> None:
    assert counted(route, frames, reason) == expected


@pytest.mark.parametrize("route", ["devices", "assignment", "label", "tuf", "other"])
def test_what_is_no_upload_is_not_counted(route: str) -> None:
    assert counted(route, 0, "invalid-token") == {}


@pytest.mark.stateless
@pytest.mark.parametrize("path", ["/v1/frames", "/v1/frames:batch"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS"])
def test_an_upload_is_posted(harness: ServerHarness, path: str, method: str) -> None:
    answer = harness.client("device").request(method, path)
    assert_problem(answer, 405, ProblemCode.METHOD_NOT_ALLOWED)
    assert answer.headers["allow"] == "POST"


@pytest.mark.stateless
def test_a_refusal_carries_the_assignment_when_it_is_known_who_asks(harness: ServerHarness, device: Device) -> None:
    assert device.http.post("/v1/frames", content=b"").headers["dw-assignment"]
    assert "dw-assignment" not in harness.client("device").post("/v1/frames", content=b"").headers
