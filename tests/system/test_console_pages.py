"""The fleet, its devices and the versions in a real browser: found, looked at, acted on, and told to everybody."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import insert

from cloud_server.storage.schema import devices
from shared.wire import ProblemCode
from tests.cloud_server.conftest import bundle_folders  # noqa: F401 - a fixture
from tests.cloud_server.harness.axe import axe_script, faults
from tests.cloud_server.harness.browser import PHONE, WIDE, Browser, Colours, chromium
from tests.cloud_server.harness.devices import Device
from tests.cloud_server.harness.fallbacks import write_fallback
from tests.cloud_server.harness.feedback import KEEP_ALL, answered, kept, put_label
from tests.cloud_server.harness.frames import frame, tables
from tests.cloud_server.harness.problems import assert_problem
from tests.cloud_server.harness.server import ServerHarness, server_in_thread
from tests.cloud_server.harness.trainings import train

FAMILY = "digits"
NAME = "north gate 7"
MANY = 10_000

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, bundle_folders: dict[int, Path]) -> Iterator[ServerHarness]:  # noqa: F811
    """A server with ten thousand devices, two versions and a released fallback."""
    folder = tmp_path_factory.mktemp("site")
    fallback = write_fallback(folder / "fallback", FAMILY)
    with server_in_thread(folder, wait_max_seconds=30, **KEEP_ALL) as harness:
        for each in (*bundle_folders.values(), folder / "fallback"):
            harness.publish(each)
        harness.assign(FAMILY, 1)
        harness.release(fallback.name)
        rows = [
            {"public_id": f"c{number}", "family": FAMILY, "token_sha256": number.to_bytes(32), "enrolled_at": 0.0}
            | {"name": f"camera {number}", "last_seen_at": float(number), "last_tables": f"v{number % 9}"}
            for number in range(MANY)
        ]
        with harness.database() as database:
            database.execute(insert(devices), rows)
        yield harness


@pytest.fixture(scope="module")
def camera(site: ServerHarness) -> Device:
    """A device with a name, of which frames are kept and labelled."""
    device = site.enrol(FAMILY)
    for seed in range(5):
        answer = answered(device, seed)
        put_label(device, answer["id"], answer["label"] if seed else "zero")
        kept(site, answer["id"])
    site.client("operator").put(f"/v1/devices/{device.device_id}/name", json={"name": NAME})
    return device


@pytest.fixture(scope="module")
def browser(site: ServerHarness, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """The first admin's browser."""
    with chromium(site.addresses["operator"], tmp_path_factory.mktemp("browser")) as browser:
        browser.log_in(site)
        yield browser


def test_a_device_is_searched_for_among_many_and_revoked_and_its_frames_are_refused(
    site: ServerHarness, camera: Device, browser: Browser
) -> None:
    browser.open("/fleet")
    browser.find("input[type=search]").send_keys("north gate")
    browser.click("Find")
    browser.wait_for("#devices", "1 device")
    browser.click(NAME)
    browser.wait_for("h1", NAME)
    browser.click("Revoke")
    browser.click("Revoke it")
    browser.wait_for(".notice", "The device is revoked")
    assert_problem(camera.post(frame(tables(50), 9)), 401, ProblemCode.INVALID_TOKEN)
    browser.click("Let in again")
    browser.click("Let it in")
    browser.wait_for(".notice", "let in again")
    answered(camera, 10)
    assert browser.complaints() == []


def test_a_version_shows_its_tables_as_heat_maps_and_lies_on_the_plot(browser: Browser) -> None:
    browser.open("/versions")
    browser.click("v2")
    browser.wait_for("h1", f"{FAMILY} v2")
    shown = [cell.text for cell in browser.all("figure.heat:first-of-type text")]
    assert shown == [str(step) for step in tables(25).quant[0]]
    assert len(browser.all("svg.rates .this")) == 1
    assert browser.complaints() == []


@pytest.mark.parametrize("colours", list(Colours))
def test_every_page_is_for_all_senses_in_both_colours_and_for_a_phone(
    site: ServerHarness, camera: Device, browser: Browser, colours: Colours
) -> None:
    script = axe_script()
    (fallback,) = site.client("operator").get("/v1/fallbacks").json()["fallbacks"]
    training = train(site, FAMILY)
    (open_training, *_) = site.client("operator").get("/v1/runs").json()["runs"]
    browser.prefer(colours)
    for path in (
        "/fleet",
        "/fleet?q=camera&show=revoked",
        f"/fleet/{camera.device_id}",
        "/versions",
        f"/versions/{FAMILY}",
        f"/versions/{FAMILY}/1",
        f"/versions/{fallback['name']}",
        "/training",
        f"/training/{training}",
        f"/training/{open_training['id']}",
    ):
        browser.resize(WIDE)
        browser.open(path)
        assert faults(browser, script) == [], path
        browser.driver.execute_script("for (const each of document.querySelectorAll('details')) each.open = true")
        assert faults(browser, script) == [], path
        browser.resize(PHONE)
        assert not browser.scrolls_sideways(), path
    assert browser.complaints() == []
