"""What the tests of feedback do again and again: upload, label, look."""

from typing import Any

import httpx

from cloud_server.operators.roles import Role
from tests.cloud_server.harness.classifiers import LABELS
from tests.cloud_server.harness.devices import Device
from tests.cloud_server.harness.frames import frame, tables
from tests.cloud_server.harness.server import ServerHarness
from tests.cloud_server.harness.waiting import once

KEEP_ALL: dict[str, Any] = {"sample_random_rate": 1.0, "sample_hourly_max": 100_000, "sample_daily_max": 100_000}


def answered(device: Device, seed: int = 0, data: bytes | None = None) -> dict[str, Any]:
    """Upload a frame; its answer."""
    answer = device.post(data if data is not None else frame(tables(50), seed))
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def other_than(*labels: str) -> str:
    """A label of the classifier that is none of these."""
    return next(other for other in LABELS if other not in labels)


def put_label(device: Device, frame_id: str, label: str, source: str = "sensor") -> None:
    """Label as a device does."""
    answer = device.http.put(f"/v1/frames/{frame_id}/label", json={"label": label, "source": source})
    assert answer.status_code == 204, answer.text


def review(
    harness: ServerHarness, frame_id: str, label: str, source: str = "human", by: str = "admin"
) -> dict[str, Any]:
    """Label as an operator does; what came of it. Whoever it is is made a trainer first."""
    operator = harness.client("operator") if by == "admin" else harness.operator(by, Role.TRAINER)
    answer = operator.put(f"/v1/frames/{frame_id}/label", json={"label": label, "source": source})
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def kept(harness: ServerHarness, frame_id: str) -> dict[str, Any]:
    """A sample, once the server has stored it."""
    http = harness.client("operator")

    def look() -> dict[str, Any] | None:
        answer = http.get(f"/v1/samples/{frame_id}")
        found: dict[str, Any] | None = answer.json() if answer.status_code == 200 else None
        return found

    return once(look)


def jpeg_of(harness: ServerHarness, frame_id: str) -> httpx.Response:
    """The file of a sample."""
    return harness.client("operator").get(f"/v1/samples/{frame_id}/jpeg")


def listed(harness: ServerHarness, **wanted: str | float | bool) -> list[dict[str, Any]]:
    """Every sample that fits, page by page."""
    http, found, before = harness.client("operator"), [], None
    while True:
        page = http.get("/v1/samples", params=wanted | ({"before": before} if before else {})).json()
        found += page["samples"]
        before = page["next"]
        if before is None:
            return found
