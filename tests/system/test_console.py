"""The console in a real browser: every page in both colours, at a phone's width, for other senses than sight."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver.common.by import By

from cloud_server.operators.slowing import FREE
from shared.jpeg import Stream
from tests.cloud_server.conftest import bundle_folders  # noqa: F401 - a fixture
from tests.cloud_server.harness.axe import axe_script, faults
from tests.cloud_server.harness.browser import PHONE, WIDE, Browser, Colours, chromium
from tests.cloud_server.harness.console import logged_in
from tests.cloud_server.harness.frames import frame, tables
from tests.cloud_server.harness.server import ServerHarness, server_in_thread

PASSWORD = "rain falls on blue roofs"
FRAMES = 40


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, bundle_folders: dict[int, Path]) -> Iterator[ServerHarness]:  # noqa: F811
    """A server that some devices have sent frames to, of which some have labels."""
    with server_in_thread(tmp_path_factory.mktemp("console"), wait_max_seconds=30) as harness:
        for folder in bundle_folders.values():
            harness.publish(folder)
        harness.assign("digits", 1)
        for _ in range(3):
            device = harness.enrol("digits")
            for seed in range(FRAMES):
                stream = Stream.INTERCHANGE if seed % 4 == 0 else Stream.ABBREVIATED
                answer = device.post(frame(tables(50), seed, stream)).json()
                label = {"label": answer["label"], "source": "human"}
                device.http.put(f"/v1/frames/{answer['id']}/label", json=label)
        yield harness


@pytest.fixture(scope="module")
def browser(site: ServerHarness, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Somebody who is logged in, by a password that was set here."""
    console = logged_in(site)
    console.done("/account/password", {"password": PASSWORD, "again": PASSWORD}, "/account")
    with chromium(site.addresses["operator"], tmp_path_factory.mktemp("browser")) as browser:
        yield browser


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the pictures of pages go; DCTWIRE_SCREENSHOTS names another folder."""
    folder = Path(os.environ.get("DCTWIRE_SCREENSHOTS") or tmp_path_factory.mktemp("screenshots"))
    print(f"screenshots: {folder}")
    return folder


def type_in(browser: Browser, name: str, password: str) -> None:
    """Fill in the form of the login, and send it."""
    browser.open("/login")
    browser.find("input[name=name]").send_keys(name)
    browser.find("input[name=password]").send_keys(password)
    browser.click("Log in")


def enter(browser: Browser) -> None:
    """Be logged in."""
    browser.open("/")
    if not browser.all("nav.sections"):
        type_in(browser, "admin", PASSWORD)
        browser.wait_for("nav.sections")


def first_pages(browser: Browser) -> list[str]:
    """The first page of every section, as the navigation has them."""
    enter(browser)
    links = [str(link.get_attribute("href")) for link in browser.all("nav.sections a")]
    return [link.partition("/console")[2] for link in links]


def test_a_person_logs_in_with_a_password_and_out(browser: Browser) -> None:
    type_in(browser, "admin", PASSWORD)
    browser.wait_for("nav.sections")
    browser.click("Log out")
    browser.wait_for(".notice", "You are logged out.")
    browser.open("/account")
    assert browser.find("h1").text == "Log in"
    assert not browser.complaints()


def test_a_wrong_password_and_an_unknown_name_are_answered_alike(browser: Browser) -> None:
    said = []
    for name in ("admin", "nobody-of-this-name"):
        type_in(browser, name, "not the right password")
        said.append(browser.wait_for(".notice.fault").text)
    assert said == ["Name and password do not match."] * 2
    assert all("401" in complaint for complaint in browser.complaints())


def test_guessing_is_slowed_and_a_code_still_lets_the_person_in(site: ServerHarness, browser: Browser) -> None:
    said = ""
    for _ in range(FREE + 10):  # how many it takes depends on how fast they come
        type_in(browser, "admin", "not the right password")
        said = browser.wait_for(".notice.fault").text
        if "match" not in said:
            break
    assert said.startswith("Too many wrong names, passwords or codes")
    browser.log_in(site)
    browser.complaints()


def test_no_page_complains_or_keeps_anybody_out(browser: Browser, pictures: Path) -> None:
    found: dict[str, list[str]] = {}
    script = axe_script()
    for path in ["/login", *first_pages(browser)]:
        if path == "/login":
            browser.driver.delete_all_cookies()
        else:
            enter(browser)
        for colours in Colours:
            browser.prefer(colours)
            browser.resize(WIDE)
            browser.open(path)
            browser.find("h1")
            name = re.sub(r"\W+", "-", path).strip("-") or "overview"
            browser.screenshot(pictures / f"{name}-{colours.value}.png")
            found[f"{path} {colours.value}"] = [*browser.complaints(), *faults(browser, script)]
        browser.complaints()
        browser.resize(PHONE)
        browser.screenshot(pictures / f"{name}-phone.png")
        if browser.scrolls_sideways():
            found[f"{path} phone"] = ["it is wider than a phone"]
        browser.resize(WIDE)
    assert "\n".join(f"{page}: {each}" for page, all_of in found.items() for each in all_of) == ""


def test_a_page_runs_no_script_but_ours(browser: Browser) -> None:
    enter(browser)
    browser.driver.execute_cdp_cmd("Page.setBypassCSP", {"enabled": False})
    browser.driver.execute_script(
        "const s = document.createElement('script'); s.textContent = 'window.broken = 1'; document.body.append(s)"
    )
    assert browser.driver.execute_script("return window.broken") is None
    assert any("Content Security Policy" in complaint for complaint in browser.complaints())


def test_the_overview_follows_without_being_loaded_again(site: ServerHarness, browser: Browser) -> None:
    browser.open("/")
    browser.driver.execute_script("window.isTheSame = true")
    before = browser.wait_for(".figure", "devices let in").text
    site.enrol("digits")
    count = int(re.search(r"\d+", before).group()) + 1  # type: ignore[union-attr]
    browser.wait_for(".figure", f"{count}")
    assert browser.driver.execute_script("return window.isTheSame") is True


def test_the_keyboard_goes_to_sections(browser: Browser) -> None:
    enter(browser)
    browser.driver.find_element(By.TAG_NAME, "body").send_keys("gm")
    browser.wait_for("h1", "Account of admin")
