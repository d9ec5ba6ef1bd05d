"""Live frames in the console: pictures for people who may see them, as they came, and nothing for others."""

import io
from collections.abc import Iterator
from html import unescape

import numpy as np
import pytest
from PIL import Image

from cloud_server.operators.roles import Role
from shared.jpeg import Stream
from tests.cloud_server.conftest import FAMILY
from tests.cloud_server.harness.console import ConsoleClient, logged_in
from tests.cloud_server.harness.devices import Device
from tests.cloud_server.harness.feedback import kept
from tests.cloud_server.harness.frames import frame, tables
from tests.cloud_server.harness.server import ServerHarness
from tests.cloud_server.harness.waiting import once


@pytest.fixture
def device(site: ServerHarness) -> Device:
    """A device of this test's own."""
    return site.enrol(FAMILY)


def shown(console: ConsoleClient, device: Device) -> str:
    """The live page, once it shows a frame of the device; a full second takes no more, so it posts until one is."""

    def look() -> str | None:
        answer = device.post(frame(tables(50), device.next_sequence))
        assert answer.status_code == 200
        page = unescape(console.get("/live"))
        return page if device.device_id in page else None

    return once(look)


def newest(page: str, device: Device) -> str:
    """The newest frame of a device on the page."""
    return f"{device.device_id}.{page.partition(f'/frames/{device.device_id}.')[2].partition('/')[0]}"


def test_an_answered_frame_is_shown_with_its_label_and_as_a_picture(admin: ConsoleClient, device: Device) -> None:
    page = shown(admin, device)
    name = newest(page, device)
    answer = admin.http.get(f"/console/frames/{name}/jpeg")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
    assert "no-store" not in answer.headers["cache-control"] and "private" in answer.headers["cache-control"]
    sequence = int(name.rpartition(".")[2])
    ours = Image.open(io.BytesIO(answer.content)).convert("RGB")
    sent = Image.open(io.BytesIO(frame(tables(50), sequence, Stream.INTERCHANGE))).convert("RGB")
    assert np.array_equal(np.asarray(ours), np.asarray(sent))


def test_a_frame_of_another_size_is_shown_as_it_came(admin: ConsoleClient, device: Device) -> None:
    def look() -> str | None:
        assert device.post(frame(tables(50), 1, Stream.INTERCHANGE, side=64)).json()["match"] == "resized"
        page = unescape(admin.get("/live"))
        return page if f"/frames/{device.device_id}." in page else None

    page = once(look)
    assert "match: resized" in page
    answer = admin.http.get(f"/console/frames/{newest(page, device)}/jpeg")
    assert Image.open(io.BytesIO(answer.content)).size == (64, 64)


def test_details_are_not_among_the_frames_that_were_kept(
    site: ServerHarness, admin: ConsoleClient, device: Device
) -> None:
    of = device.post(frame(tables(50), 1)).json()["id"]
    headers = {"dw-kind": "detail", "dw-companion-of": of.partition(".")[2]}
    detail = device.post(frame(tables(90), 1, Stream.INTERCHANGE), headers=headers).json()["id"]
    kept(site, detail)
    assert f"/frames/{detail}/" not in admin.get("/live")


def test_frames_of_a_device_in_quarantine_are_marked(site: ServerHarness, admin: ConsoleClient, device: Device) -> None:
    held = site.client("operator").put(f"/v1/devices/{device.device_id}/quarantine", json={"reason": "a smeared lens"})
    assert held.status_code in (200, 201), held.text
    page = shown(admin, device)
    assert "in quarantine, counts nowhere" in page


def test_who_may_not_see_pictures_sees_none(site: ServerHarness, admin: ConsoleClient, device: Device) -> None:
    name = newest(shown(admin, device), device)
    viewer = logged_in(site, "vera", Role.VIEWER)
    viewer.get("/live", status=403)
    viewer.get("/stream/live", status=403)
    viewer.get(f"/frames/{name}/jpeg", status=403)
    assert "/console/live" not in viewer.get("/rollouts")


def test_a_frame_that_is_nowhere_is_not_found(admin: ConsoleClient, device: Device) -> None:
    shown(admin, device)
    admin.get(f"/frames/{device.device_id}.999999/jpeg", status=404)
    admin.get("/frames/nonsense/jpeg", status=404)


@pytest.fixture
def stream(admin: ConsoleClient) -> Iterator[Iterator[str]]:
    """The lines of the live stream."""
    with admin.http.stream("GET", "/console/stream/live") as answer:
        yield answer.iter_lines()


def test_new_frames_come_by_the_stream(admin: ConsoleClient, stream: Iterator[str], device: Device) -> None:
    shown(admin, device)
    assert any(device.device_id in line for line in stream)


def test_a_stream_is_of_a_family_that_has_bundles(admin: ConsoleClient, device: Device) -> None:
    shown(admin, device)
    admin.get("/stream/live?family=nowhere", status=404)
    with admin.http.stream("GET", f"/console/stream/live?family={FAMILY}") as answer:
        assert any(device.device_id in line for line in answer.iter_lines())
