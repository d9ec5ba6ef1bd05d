"""The console's whole story in a real browser: publish, roll out, watch, take back, look, label, undo."""

import json
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from tests.cloud_server.conftest import FAMILY
from tests.cloud_server.harness.axe import axe_script, faults
from tests.cloud_server.harness.browser import PHONE, WIDE, Browser, Colours, chromium
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.frames import tables
from tests.cloud_server.harness.server import ServerHarness, server_in_thread
from tests.cloud_server.harness.waiting import once
from tests.cloud_server.rollout.simulated import Fleet

pytestmark = pytest.mark.system
KEEP = {"sample_random_rate": 0.2, "sample_confidence_below": 1.0, "sample_hourly_max": 1000}
PLAN = """
[[stages]]
percent = 50
min_devices = 1

[[stages]]
percent = 100
min_devices = 1000   # more than there are: it goes on until somebody acts
"""
CAMERAS = 6


@dataclass
class Stage:
    """A server, its fleet at work, and somebody's browser."""

    harness: ServerHarness
    fleet: Fleet
    browser: Browser

    def keys(self, *keys: str) -> None:
        """Type on the page, not in a field."""
        self.browser.find("body").send_keys(*keys)

    def shown(self) -> str:
        """The frame that is to be labelled."""
        return once(self._glance)

    def moved_on(self, frame: str) -> str:
        """The frame that is shown in the place of another one, as soon as there is one."""
        return once(lambda: shown if (shown := self._glance()) != frame else None)

    def _glance(self) -> str | None:
        """The frame that is to be labelled, asked in one step: an element that was found may be replaced meanwhile."""
        asked = "return document.querySelector('.review input[name=frame]')?.value ?? null"
        shown: str | None = self.browser.driver.execute_script(asked)
        return shown

    def sample(self, frame: str) -> dict[str, str | None]:
        """What the server knows of a kept frame."""
        found: dict[str, str | None] = self.harness.client("operator").get(f"/v1/samples/{frame}").json()
        return found


@pytest.fixture(scope="module")
def v2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle folder of v2."""
    folder = tmp_path_factory.mktemp("bundle") / "v2"
    write_bundle(folder, FAMILY, 2, tables(25), seed=2)
    return folder


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Cameras that post frames of what they are told to run, again and again; v2 is not published yet."""
    folder = tmp_path_factory.mktemp("story")
    write_bundle(folder / "v1", FAMILY, 1, tables(50), seed=1)
    with server_in_thread(folder / "server", wait_max_seconds=30, **KEEP) as harness:  # type: ignore[arg-type]
        harness.publish(folder / "v1")
        harness.assign(FAMILY, 1)
        fleet = Fleet.of(harness, {1: tables(50), 2: tables(25)}, CAMERAS)
        is_over = threading.Event()

        def work() -> None:
            while not is_over.wait(0.2):
                fleet.post()

        at_work = threading.Thread(target=work)
        at_work.start()
        try:
            with chromium(harness.addresses["operator"], folder) as browser:
                browser.log_in(harness)
                yield Stage(harness, fleet, browser)
        finally:
            is_over.set()
            at_work.join()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the pictures of pages go; DCTWIRE_SCREENSHOTS names another folder."""
    folder = Path(os.environ.get("DCTWIRE_SCREENSHOTS") or tmp_path_factory.mktemp("screenshots"))
    print(f"screenshots: {folder}")
    return folder


@pytest.fixture(autouse=True)
def _no_complaints(stage: Stage) -> Iterator[None]:
    """No script fails, and the strict policy stops nothing."""
    yield
    assert stage.browser.complaints() == []


def test_a_published_version_is_rolled_out_watched_and_taken_back_without_reloading(stage: Stage, v2: Path) -> None:
    browser = stage.browser
    browser.open("/rollouts/start")
    assert "v2" not in browser.text()
    stage.harness.publish(v2)
    browser.open("/rollouts/start?bundle=digits/2")
    assert browser.find("select[name=bundle]").get_attribute("value") == "digits/2"
    browser.find("input[value=written]").click()
    browser.find("textarea[name=written]").send_keys(PLAN)
    browser.find("form.wide button.primary").click()
    browser.wait_for("h1", "v1 → v2")
    browser.driver.execute_script("window.isTheSamePage = true")
    browser.wait_for(".steps .now", "100 %")
    browser.wait_for("td.number a", str(CAMERAS))
    assert once(lambda: (stage.fleet.running(2) and len(stage.fleet.running(2)) == CAMERAS) or None)
    browser.click("Roll back")
    browser.find("form[action$='/rollback'] input[name=reason]").send_keys("colours look odd")
    assert browser.driver.execute_script("return window.isTheSamePage") is True, "it advanced without reloading"
    browser.find("form[action$='/rollback'] button").click()
    browser.wait_for(".history", "colours look odd")
    browser.wait_for(".pill", "rolled back")
    assert once(lambda: (stage.fleet.running(1) and len(stage.fleet.running(1)) == CAMERAS) or None)


def test_live_frames_come_by_themselves_and_can_be_held_still(stage: Stage) -> None:
    browser = stage.browser
    browser.open("/live")
    # Asked in one step: between finding an element and reading it, the stream may have put another in its place.
    newest = "return document.querySelector('#latest li:first-child img')?.getAttribute('src') ?? null"
    first = once(lambda: browser.driver.execute_script(newest))
    once(lambda: browser.driver.execute_script(newest) != first or None)
    decoded = "return [...document.images].filter(i => i.complete).every(i => i.naturalWidth === 32)"
    assert browser.driver.execute_script(decoded)
    browser.click("Pause")
    held = browser.driver.execute_script(newest)
    posted = sum(camera.device.next_sequence for camera in stage.fleet.cameras)
    once(lambda: sum(camera.device.next_sequence for camera in stage.fleet.cameras) > posted + 50 or None)
    assert browser.driver.execute_script(newest) == held
    browser.click("Go on")
    once(lambda: browser.driver.execute_script(newest) != held or None)


def test_frames_are_labelled_skipped_and_taken_back_by_keyboard(stage: Stage) -> None:
    browser = stage.browser
    browser.open("/review")
    first = stage.shown()
    stage.keys("2")
    second = stage.moved_on(first)
    assert stage.sample(first)["label"] == "one"
    stage.keys(Keys.ARROW_LEFT)
    assert stage.moved_on(second) == first
    assert stage.sample(first)["label"] is None, "what was taken back is gone"
    stage.keys(Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ARROW_UP)
    browser.driver.switch_to.active_element.send_keys(Keys.ENTER)
    second = stage.moved_on(first)
    assert stage.sample(first)["label"] == "one", "the second of the choices"
    stage.keys(Keys.ARROW_RIGHT)
    third = stage.moved_on(second)
    assert stage.sample(second)["label"] is None
    stage.keys("/")
    browser.driver.switch_to.active_element.send_keys("fou", Keys.ENTER)
    browser.wait_for(".choices button", "four")
    assert stage.shown() == third, "a search leaves the frame where it is"
    browser.driver.switch_to.active_element.send_keys(Keys.ENTER)
    stage.moved_on(third)
    assert stage.sample(third)["label"] == "four"


def test_no_key_labels_while_somebody_types(stage: Stage) -> None:
    stage.browser.open("/review")
    frame = stage.shown()
    stage.browser.find("input[type=search]").send_keys("1")
    assert stage.shown() == frame
    assert stage.sample(frame)["label"] is None


def test_every_label_has_a_line_in_the_audit(stage: Stage) -> None:
    found = stage.harness.client("operator").get("/v1/audit", params={"action": "frame.label"}).json()["entries"]
    assert {entry["operator"] for entry in found} == {"admin"} and len(found) >= 3
    assert json.dumps(found).count('"four"') == 1


def deep_pages(stage: Stage) -> list[str]:
    """The pages behind those of the navigation: a rollout with all that is hidden on it, a form, a search."""
    rollout = stage.harness.client("operator").get("/v1/rollouts").json()["rollouts"][0]["id"]
    here = f"/rollouts/{rollout}"
    return [here, f"{here}/devices", "/rollouts/start", "/review?family=digits&q=fou", "/review?family=digits&q=yak"]


@pytest.mark.parametrize("colours", Colours)
def test_the_pages_behind_the_first_ones_are_for_everybody_in_both_colours(
    stage: Stage, colours: Colours, pictures: Path
) -> None:
    browser, script = stage.browser, axe_script()
    browser.prefer(colours)
    try:
        for number, path in enumerate(deep_pages(stage)):
            browser.open(path)
            browser.driver.execute_script("document.querySelectorAll('details').forEach(each => { each.open = true; })")
            browser.screenshot(pictures / f"story-{number}-{colours.value}.png")
            assert faults(browser, script) == [], path
    finally:
        browser.prefer(Colours.LIGHT)


def test_pages_hold_on_a_phone(stage: Stage) -> None:
    browser = stage.browser
    browser.resize(PHONE)
    try:
        for path in ("/rollouts", "/live", "/review", *deep_pages(stage)):
            browser.open(path)
            assert not browser.scrolls_sideways(), path
    finally:
        browser.resize(WIDE)
