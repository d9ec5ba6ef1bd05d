"""The console beside the API: who is led where, what frames every answer, how faults are said."""

import gzip

import pytest

from cloud_server.console.framing import HEADERS
from cloud_server.console.plane import IMMUTABLE
from tests.cloud_server.harness.console import ConsoleClient, stranger
from tests.cloud_server.harness.server import ServerHarness


def test_a_browser_that_asks_for_the_operator_plane_is_led_to_the_console(site: ServerHarness) -> None:
    answer = stranger(site).http.get("/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/")


def test_a_program_that_asks_for_the_root_is_answered_as_before(site: ServerHarness) -> None:
    answer = site.client("operator").get("/", headers={"accept": "application/json"})
    assert answer.json()["code"] == "not-found"


@pytest.mark.parametrize(
    "path", ["/console", "/console/", "/console/login", "/console/nothing", "/console/static/x.js"]
)
def test_every_answer_holds_browsers_to_our_own_files(site: ServerHarness, path: str) -> None:
    answer = stranger(site).http.get(path)
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
    assert answer.headers["cache-control"] == "no-store"


def test_a_page_that_is_not_there_says_so_in_words(admin: ConsoleClient) -> None:
    assert "There is no such page." in admin.get("/nothing", 404)


def test_static_files_keep_for_good_and_travel_compressed(site: ServerHarness) -> None:
    page = stranger(site).http.get("/console/login").text
    path = page.partition('stylesheet" href="')[2].partition('"')[0]
    answer = stranger(site).http.get(path, headers={"accept-encoding": "gzip"})
    assert answer.headers["cache-control"] == IMMUTABLE
    assert answer.headers["content-encoding"] == "gzip"
    plain = stranger(site).http.get(path, headers={"accept-encoding": "identity"})
    assert plain.content == answer.content
    assert int(answer.headers["content-length"]) == len(gzip.compress(plain.content, 9))
