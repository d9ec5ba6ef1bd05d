"""The console beside the API: who is led where, what frames every answer, how faults are said."""

import gzip
import logging
import socket
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from cloud_server.console.framing import HEADERS
from cloud_server.console.plane import IMMUTABLE
from tests.cloud_server.harness.console import ConsoleClient, stranger
from tests.cloud_server.harness.server import ServerHarness, server_in_thread
from tests.cloud_server.harness.waiting import wait_until


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


def begin_a_login(harness: ServerHarness) -> socket.socket:
    """A connection on which 30 bytes of a login form of 100 were sent."""
    url = httpx.URL(harness.addresses["operator"])
    connection = socket.create_connection((url.host, url.port or 80), timeout=30)
    host = f"{url.host}:{url.port}"
    head = (
        f"POST /console/login HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\n"
    )
    connection.sendall(head.encode() + b"x" * 30)
    return connection


def ends_of_logins(lines: list[MutableMapping[str, Any]]) -> list[tuple[str, str]]:
    """How logins were given up, by level and reason, once their requests have ended."""
    wait_until(lambda: any(line["event"] == "console-call-answered" for line in list(lines)))
    return [(line["log_level"], line["reason"]) for line in lines if line["event"] == "request-abandoned"]


def faults(lines: list[MutableMapping[str, Any]], caplog: pytest.LogCaptureFixture) -> list[object]:
    """What an operator would be alerted of: lines of ours and of libraries that are errors."""
    of_libraries = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    return [*(line for line in lines if line["log_level"] == "error"), *of_libraries]


def test_a_form_that_is_broken_off_is_no_fault_of_ours(
    site: ServerHarness, lines: list[MutableMapping[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    begin_a_login(site).close()
    assert ends_of_logins(lines) == [("warning", "disconnected")]
    assert not faults(lines, caplog)


def test_a_form_that_takes_too_long_is_cut_off_and_no_fault_of_ours(
    tmp_path: Path, lines: list[MutableMapping[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    with server_in_thread(tmp_path, body_max_seconds=0.2) as harness, begin_a_login(harness) as connection:
        assert ends_of_logins(lines) == [("warning", "slow-body")]
        assert connection.recv(1000) == b""
    assert not faults(lines, caplog)
