"""A real headless Chromium, driven by Debian's chromedriver: what a person's browser makes of the console."""

import base64
import contextlib
import json
import shutil
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from tests.cloud_server.harness.console import login_code
from tests.cloud_server.harness.server import ServerHarness
from tests.system_packages import required

PATIENCE_SECONDS = 60.0
WIDE, PHONE = (1280, 900), (360, 740)


class Colours(StrEnum):
    """What the person's system prefers."""

    LIGHT = "light"
    DARK = "dark"


class Browser:
    """One browser with one window.

    Args:
        driver: selenium's.
        address: the operator plane's.
    """

    def __init__(self, driver: webdriver.Chrome, address: str) -> None:
        self.driver = driver
        self.address = address

    def open(self, path: str) -> None:
        """Go to a page, by its path below /console."""
        self.driver.get(f"{self.address}/console{path}")

    def log_in(self, harness: ServerHarness, name: str = "admin") -> None:
        """Log in with a one-time code."""
        self.open("/login")
        self.find("input[name=code]").send_keys(login_code(harness, name))
        self.click("Log in with the code")
        self.wait_for("nav.sections")

    def find(self, selector: str) -> WebElement:
        """The first element that a CSS selector finds, as soon as there is one."""
        return self.wait_for(selector)

    def all(self, selector: str) -> list[WebElement]:
        """Every element that a CSS selector finds now."""
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def wait_for(self, selector: str, text: str = "") -> WebElement:
        """The first element that a CSS selector finds and that holds a text, as soon as there is one."""

        def look() -> WebElement | None:
            with contextlib.suppress(StaleElementReferenceException):
                return next((each for each in self.all(selector) if text in each.text), None)
            return None

        return self._once(look, f"no {selector} with {text!r}")

    def click(self, words: str) -> None:
        """Press the button, the link or the summary with these words."""
        said = f"normalize-space(.)={json.dumps(words)}"
        path = f"//button[{said}] | //a[{said}] | //summary[{said}]"

        def look() -> WebElement | None:
            return next((each for each in self.driver.find_elements(By.XPATH, path) if each.is_displayed()), None)

        self._once(look, f"nothing says {words!r}").click()

    def text(self) -> str:
        """What stands on the page."""
        return str(self.find("main").text)

    def complaints(self) -> list[str]:
        """What the browser's console has said since this was asked last: errors of scripts, what the policy stopped."""
        return [str(entry["message"]) for entry in self.driver.get_log("browser")]  # type: ignore[no-untyped-call]

    def prefer(self, colours: Colours) -> None:
        """Let pages be light or dark from now on."""
        feature = [{"name": "prefers-color-scheme", "value": colours.value}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": feature})

    def resize(self, size: tuple[int, int]) -> None:
        """Let the page be so wide and high, in CSS pixels."""
        width, height = size
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def scrolls_sideways(self) -> bool:
        """Whether the page is wider than the window."""
        return bool(self.driver.execute_script("return document.documentElement.scrollWidth > innerWidth"))

    def _once(self, look: Callable[[], WebElement | None], missing: str) -> WebElement:
        """What is looked for, as soon as it is there."""
        waiting = WebDriverWait(self.driver, PATIENCE_SECONDS)
        found = waiting.until(lambda _: look(), f"{missing} on {self.driver.current_url}")
        assert found is not None
        return found

    def screenshot(self, path: Path) -> None:
        """A picture of the whole page as it is now, as PNG."""
        self.driver.execute_script("window.scrollTo(0, 0)")
        width, height = self.driver.execute_script(
            "return [innerWidth, Math.min(6000, document.documentElement.scrollHeight)]"
        )
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        taken = self.driver.execute_cdp_cmd(
            "Page.captureScreenshot", {"format": "png", "captureBeyondViewport": True, "clip": clip}
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(taken["data"]))


@contextlib.contextmanager
def chromium(address: str, folder: Path) -> Iterator[Browser]:
    """A browser of its own profile in a folder; the test is skipped where there is none, and fails in CI."""
    required("chromium", "chromedriver")  # Debian's chromium and chromium-driver
    options = Options()
    options.binary_location = shutil.which("chromium") or ""
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(argument)
    options.add_argument(f"--user-data-dir={folder / 'chromium'}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    started = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        browser = Browser(started, address)
        browser.resize(WIDE)
        yield browser
    finally:
        started.quit()
