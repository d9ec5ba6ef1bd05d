"""What tests of the console share: a server for those that only add to it, somebody logged in, a browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cloud_server.conftest import FAMILY
from tests.cloud_server.harness.browser import Browser, chromium
from tests.cloud_server.harness.console import ConsoleClient, logged_in
from tests.cloud_server.harness.server import ServerHarness, server_in_thread


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, bundle_folders: dict[int, Path]) -> Iterator[ServerHarness]:
    """A running server on SQLite with both bundles published and the first one assigned, of one module's own."""
    with server_in_thread(tmp_path_factory.mktemp("site"), wait_max_seconds=30) as harness:
        for folder in bundle_folders.values():
            harness.publish(folder)
        harness.assign(FAMILY, 1)
        yield harness


@pytest.fixture(scope="module")
def admin(site: ServerHarness) -> ConsoleClient:
    """The first admin, logged in to it."""
    return logged_in(site)


@pytest.fixture(scope="module")
def browser(site: ServerHarness, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A real browser at its login page; tests that use it are marked `system`."""
    with chromium(site.addresses["operator"], tmp_path_factory.mktemp("browser")) as browser:
        browser.open("/login")
        yield browser
