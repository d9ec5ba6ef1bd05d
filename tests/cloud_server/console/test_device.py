"""A device's page: what is shown to whom, and what its forms do: the same as the API's calls, audited."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from cloud_server.operators.roles import Role
from cloud_server.storage.schema import devices
from shared.wire import DIAGNOSTICS_MEDIA_TYPE, ProblemCode
from tests.cloud_server.conftest import FAMILY
from tests.cloud_server.harness.console import ConsoleClient, logged_in, stranger
from tests.cloud_server.harness.devices import Device
from tests.cloud_server.harness.feedback import KEEP_ALL, answered, kept, put_label
from tests.cloud_server.harness.frames import frame, tables
from tests.cloud_server.harness.problems import assert_problem
from tests.cloud_server.harness.server import ServerHarness, server_in_thread


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, bundle_folders: dict[int, Path]) -> Iterator[ServerHarness]:
    """A server that keeps every frame, with both bundles published and the first one assigned."""
    with server_in_thread(tmp_path_factory.mktemp("site"), wait_max_seconds=30, **KEEP_ALL) as harness:
        for folder in bundle_folders.values():
            harness.publish(folder)
        harness.assign(FAMILY, 1)
        yield harness


@pytest.fixture(scope="module")
def viewer(site: ServerHarness) -> ConsoleClient:
    """Somebody who may look, and not at pictures."""
    return logged_in(site, "vera", Role.VIEWER)


@pytest.fixture
def camera(site: ServerHarness) -> Device:
    """A device, enrolled for this test."""
    return site.enrol(FAMILY)


def of(device: Device, action: str = "") -> str:
    """A device's page or a form of it, below /console."""
    return f"/fleet/{device.device_id}" + (f"/{action}" if action else "")


def do(admin: ConsoleClient, device: Device, action: str, /, **fields: Any) -> str:
    """Send a form of the device's page; the page that comes then."""
    return admin.done(of(device, action), fields, of(device))


def row(site: ServerHarness, device: Device) -> dict[str, Any]:
    """The device as the API has it."""
    found: dict[str, Any] = site.client("operator").get(f"/v1/devices/{device.device_id}").json()
    return found


def audited(site: ServerHarness, device: Device) -> list[str]:
    """What the audit says was done to a device, the oldest first."""
    entries = site.client("operator").get("/v1/audit", params={"subject": device.device_id}).json()["entries"]
    return [entry["action"] for entry in reversed(entries)]


def test_the_page_shows_what_the_device_sent_and_was_answered(
    site: ServerHarness, admin: ConsoleClient, camera: Device
) -> None:
    answer = answered(camera)
    put_label(camera, answer["id"], answer["label"])
    page = admin.get(of(camera))
    assert "Its family is assigned that." in page
    assert answer["label"] in page
    assert "By the device itself: 1 of 1 frame right" in page
    assert 'aria-label="Bytes that' in page


def test_pictures_are_shown_to_trainers_and_not_to_viewers(
    site: ServerHarness, admin: ConsoleClient, viewer: ConsoleClient, camera: Device
) -> None:
    kept(site, answered(camera)["id"])
    picture = f"/console{of(camera)}/frames/0.jpg"
    assert picture in admin.get(of(camera))
    answer = admin.http.get(picture)
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.content.startswith(b"\xff\xd8")
    assert picture not in viewer.get(of(camera))
    assert viewer.http.get(picture).status_code == 403
    assert stranger(site).http.get(picture).status_code == 303


def test_a_picture_that_is_not_there_is_not_found(admin: ConsoleClient, camera: Device) -> None:
    for sequence in ("7", "seven", "99999999999999999999"):
        assert "That did not work" in admin.get(of(camera, f"frames/{sequence}.jpg"), 404)


def test_a_device_that_is_not_there_is_not_found(admin: ConsoleClient) -> None:
    assert "No device nobody is enrolled" in admin.get("/fleet/nobody", 404)


def test_a_revoked_device_is_refused_until_it_is_let_in_again(
    site: ServerHarness, admin: ConsoleClient, camera: Device
) -> None:
    answered(camera)
    assert "its frames are refused" in do(admin, camera, "revoke")
    assert_problem(camera.post(frame(tables(50), 1)), 401, ProblemCode.INVALID_TOKEN)
    assert "let in again" in do(admin, camera, "restore")
    answered(camera, 2)
    assert audited(site, camera) == ["device.revoke", "device.restore"]


def test_a_pinned_device_should_run_its_pin_and_then_again_what_its_family_runs(
    site: ServerHarness, admin: ConsoleClient, camera: Device
) -> None:
    assert "It is pinned there" in do(admin, camera, "pin", counter="2")
    assert row(site, camera)["assigned"] == 2
    assert "Its family is assigned that." in do(admin, camera, "unpin")
    assert row(site, camera)["assigned"] == 1
    assert audited(site, camera) == ["device.pin", "device.unpin"]


def test_a_device_is_put_into_quarantine_for_a_reason_and_released(
    site: ServerHarness, admin: ConsoleClient, camera: Device
) -> None:
    page = do(admin, camera, "quarantine", reason="it was stolen", counter="")
    assert "It is held there in quarantine: it was stolen." in page
    assert row(site, camera)["quarantine"]["counter"] == 1
    assert "The quarantine is over" in do(admin, camera, "release")
    assert row(site, camera)["quarantine"] is None
    assert audited(site, camera) == ["device.quarantine", "device.release"]


def test_a_quarantine_at_a_chosen_version_holds_there(
    site: ServerHarness, admin: ConsoleClient, camera: Device
) -> None:
    do(admin, camera, "quarantine", reason="odd", counter="2")
    assert row(site, camera)["quarantine"]["counter"] == 2


@pytest.mark.parametrize(
    ("action", "fields", "why"),
    [
        ("quarantine", {"reason": " "}, "say why the device is put into quarantine"),
        ("quarantine", {"reason": "odd", "counter": "-1"}, "choose the version at which"),
        ("quarantine", {"reason": "x" * 201}, "at most 200 characters"),
        ("pin", {}, "choose the version to which"),
        ("pin", {"counter": "9"}, "no bundle digits/9 is published"),
        ("pin", {"counter": "two"}, "write a whole number"),
        ("rename", {"name": "x" * 65}, "at most 64 characters"),
        ("tags", {"tags": "roof =north"}, "=north is no tag"),
        ("tags", {"tags": " ".join(f"t{number}" for number in range(17))}, "at most 16 tags"),
        ("forget", {"device": "somebody"}, "type the device&#39;s id"),
    ],
)
def test_what_cannot_be_done_is_said_on_the_page_and_changes_nothing(
    site: ServerHarness, admin: ConsoleClient, camera: Device, action: str, fields: dict[str, str], why: str
) -> None:
    before = row(site, camera)
    assert why in do(admin, camera, action, **fields)
    assert row(site, camera) == before
    assert audited(site, camera) == []


def test_a_device_gets_a_name_and_loses_it(site: ServerHarness, admin: ConsoleClient, camera: Device) -> None:
    assert "<h1>north gate" in do(admin, camera, "rename", name="north gate")
    assert row(site, camera)["name"] == "north gate"
    do(admin, camera, "rename", name="")
    assert row(site, camera)["name"] is None
    assert audited(site, camera) == ["device.rename", "device.rename"]


def test_tags_become_what_was_typed_and_those_that_others_added_meanwhile_stay(
    site: ServerHarness, admin: ConsoleClient, camera: Device
) -> None:
    site.client("operator").post(f"/v1/devices/{camera.device_id}/tags", json={"add": ["roof", "old", "theirs"]})
    do(admin, camera, "tags", before="roof old", tags="roof, site=north")
    assert row(site, camera)["tags"] == ["roof", "site=north", "theirs"]


def test_diagnostics_are_asked_for_and_fetched_once_they_are_there(
    site: ServerHarness, admin: ConsoleClient, viewer: ConsoleClient, camera: Device
) -> None:
    archive = f"/console{of(camera)}/diagnostics.tar.gz"
    assert "it has not answered yet" in do(admin, camera, "diagnose")
    assert admin.http.get(archive).status_code == 404
    asked = camera.http.get("/v1/assignment").json()["diagnostics"]
    headers = {"content-type": DIAGNOSTICS_MEDIA_TYPE}
    sent = camera.http.post(f"/v1/diagnostics/{asked}", content=b"\x1f\x8b-archive", headers=headers)
    assert sent.status_code == 204, sent.text
    assert archive in admin.get(of(camera))
    answer = admin.http.get(archive)
    assert answer.content == b"\x1f\x8b-archive"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert viewer.http.get(archive).status_code == 403


def test_the_mark_of_a_clone_is_taken_away(site: ServerHarness, admin: ConsoleClient, camera: Device) -> None:
    with site.database() as database:
        marked = {"suspected_clone_at": 5.0, "suspected_clone_why": "boots"}
        database.execute(update(devices).where(devices.c.public_id == camera.device_id).values(marked))
    assert "two devices seem to share this identity" in admin.get(of(camera))
    assert "The mark is taken away" in do(admin, camera, "clear-clone-mark")
    assert row(site, camera)["suspected_clone"] is None


def test_a_device_is_forgotten_only_by_an_admin_who_types_its_id(
    site: ServerHarness, admin: ConsoleClient, camera: Device
) -> None:
    olga = logged_in(site, "olga", Role.OPERATOR)
    assert "Forget" not in olga.get(of(camera))
    assert olga.post(of(camera, "forget"), {"device": camera.device_id}, of(camera)).status_code == 403
    assert "is forgotten" in do(admin, camera, "forget", device=camera.device_id)
    assert "was forgotten" in admin.get(of(camera), 404)
    with site.database() as database:
        query = select(devices.c.forgotten_at).where(devices.c.public_id == camera.device_id)
        assert database.execute(query).scalar_one() is not None


@pytest.mark.parametrize(
    "action",
    ["revoke", "restore", "clear-clone-mark", "pin", "unpin", "quarantine", "release", "rename", "tags", "diagnose"],
)
def test_a_viewer_finds_no_form_and_cannot_send_one(
    site: ServerHarness, viewer: ConsoleClient, camera: Device, action: str
) -> None:
    assert of(camera, action) not in viewer.get(of(camera))
    fields = {"counter": "1", "reason": "odd", "name": "mine", "tags": "mine"}
    assert viewer.post(of(camera, action), fields, of(camera)).status_code == 403
    assert audited(site, camera) == []
