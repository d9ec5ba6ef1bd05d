"""Logging in to the console and out of it."""

import pytest

from cloud_server.operators.logins import CODES_AT_ONCE
from cloud_server.operators.roles import Role
from tests.cloud_server.harness.browser import Browser
from tests.cloud_server.harness.console import ConsoleClient, logged_in, login_code, stranger
from tests.cloud_server.harness.server import ServerHarness


def test_who_is_not_logged_in_is_led_to_the_login_and_back_to_the_page(site: ServerHarness) -> None:
    console = stranger(site)
    answer = console.http.get("/console/nowhere?x=1")
    assert answer.status_code == 404
    answer = console.http.get("/console/?page=2")
    assert answer.headers["location"] == "/console/login?next=%2Fconsole%2F%3Fpage%3D2"
    entered = console.send("/login", {"code": login_code(site), "next": "/console/?page=2"})
    assert (entered.status_code, entered.headers["location"]) == (303, "/console/?page=2")


@pytest.mark.parametrize("elsewhere", ["https://example.org/", "//example.org", "/console//x", "/console/\\x", "/v1"])
def test_a_login_leads_nowhere_else(site: ServerHarness, elsewhere: str) -> None:
    entered = stranger(site).send("/login", {"code": login_code(site), "next": elsewhere})
    assert entered.headers["location"] == "/console/"


def test_a_code_is_good_once_however_it_is_typed(site: ServerHarness) -> None:
    code = login_code(site)
    typed = f" {code.lower().replace('-', '  ')} "
    assert stranger(site).send("/login", {"code": typed}).status_code == 303
    again = stranger(site).send("/login", {"code": code})
    assert again.status_code == 401
    assert "was used already" in again.text


def test_a_program_that_asks_for_codes_again_and_again_has_to_wait(site: ServerHarness) -> None:
    asking = site.operator("casey", Role.VIEWER)
    answers = [asking.post("/v1/login-codes", json={}) for _ in range(CODES_AT_ONCE + 1)]
    assert [answer.status_code for answer in answers] == [201] * CODES_AT_ONCE + [429]
    assert answers[-1].json()["code"] == "quota-exceeded"
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 6


def test_logging_out_ends_the_session_for_whoever_has_its_cookie(site: ServerHarness) -> None:
    console = logged_in(site)
    cookies = dict(console.http.cookies)
    assert "You are logged out." in console.done("/logout")
    thief = stranger(site)
    thief.http.cookies.update(cookies)
    assert thief.http.get("/console/").headers["location"] == "/console/login"


def test_the_cookie_is_kept_from_scripts_and_other_sites(site: ServerHarness) -> None:
    entered = stranger(site).send("/login", {"code": login_code(site)})
    cookie = entered.headers["set-cookie"]
    assert cookie.startswith("dctwire-console=")
    assert "; HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Max-Age" not in cookie


@pytest.mark.system
def test_a_person_logs_in_with_a_code(site: ServerHarness, browser: Browser) -> None:
    browser.log_in(site)
    assert browser.find("h1").text == "Overview"
    assert not browser.complaints()


def test_a_form_from_another_site_changes_nothing(site: ServerHarness) -> None:
    console: ConsoleClient = logged_in(site)
    for headers in ({"origin": "https://example.org"}, {"sec-fetch-site": "cross-site"}, {}):
        answer = console.http.post("/console/logout", data={"csrf": "x"}, headers=headers)
        assert answer.status_code == 400, headers
    console.get("/")


@pytest.mark.parametrize("address", ["http://[", "http://[::1", "http://[]"])
def test_an_address_that_cannot_be_read_is_a_foreign_one(site: ServerHarness, address: str) -> None:
    console = logged_in(site)
    for path in ("/login", "/logout"):
        answer = console.http.post(f"/console{path}", data={"csrf": "x"}, headers={"origin": address})
        assert answer.status_code == 400
        assert "was not sent by a page" in answer.text
    headers = {"origin": console.origin, "referer": address}
    page = console.get("/account")
    proof = page.partition('name="csrf" value="')[2].partition('"')[0]
    fields = {"csrf": proof, "password": "short", "again": "short"}
    assert console.http.post("/console/account/password", data=fields, headers=headers).status_code == 400


def test_a_wrong_password_leaves_the_name_where_it_was_typed(site: ServerHarness) -> None:
    refused = stranger(site).send("/login", {"name": "ada", "password": "not the right one"})
    assert refused.status_code == 401
    assert 'name="name" value="ada"' in refused.text
