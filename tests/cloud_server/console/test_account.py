"""One's own account: password, tokens, sessions."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud_server.operators.roles import Role
from tests.cloud_server.harness.console import ConsoleClient, logged_in, stranger
from tests.cloud_server.harness.server import ServerHarness, server_in_thread

PASSWORD, OTHER = "rain falls on blue roofs", "seven quiet harbours"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerHarness]:
    """A server without anything published."""
    with server_in_thread(tmp_path_factory.mktemp("account")) as harness:
        yield harness


def with_password(site: ServerHarness, name: str, password: str) -> ConsoleClient:
    """Somebody who logs in with a password."""
    console = stranger(site)
    answer = console.send("/login", {"name": name, "password": password})
    assert answer.status_code == 303, answer.text
    return console


def test_a_password_that_was_set_lets_in_and_replacing_it_ends_other_sessions(site: ServerHarness) -> None:
    here = logged_in(site, "ada", Role.VIEWER)
    page = here.done("/account/password", {"password": PASSWORD, "again": PASSWORD}, "/account")
    assert "Your password is set." in page
    there = with_password(site, "ada", PASSWORD)
    there.get("/")
    fields = {"current": PASSWORD, "password": OTHER, "again": OTHER}
    assert "Your password is set." in here.done("/account/password", fields, "/account")
    assert there.http.get("/console/").status_code == 303
    here.get("/")
    assert stranger(site).send("/login", {"name": "ada", "password": PASSWORD}).status_code == 401
    with_password(site, "Ada", OTHER)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"password": PASSWORD, "again": OTHER}, "not the same"),
        ({"password": "short", "again": "short"}, "at least 12 characters"),
        ({"password": "aaaaaaaaaaaaaaaa", "again": "aaaaaaaaaaaaaaaa"}, "different characters"),
    ],
)
def test_a_password_that_will_not_do_is_refused_in_words(
    site: ServerHarness, fields: dict[str, str], said: str
) -> None:
    console = logged_in(site, "eve", Role.VIEWER)
    assert said in console.done("/account/password", fields, "/account")
    assert "You have none yet" in console.get("/account")


def test_whoever_finds_an_open_session_cannot_set_another_password(site: ServerHarness) -> None:
    console = logged_in(site, "ben", Role.VIEWER)
    console.done("/account/password", {"password": PASSWORD, "again": PASSWORD}, "/account")
    fields = {"current": "not the right one", "password": OTHER, "again": OTHER}
    assert "the current password is another one" in console.done("/account/password", fields, "/account")
    with_password(site, "ben", PASSWORD)


def test_a_token_is_shown_once_calls_and_is_revoked(site: ServerHarness) -> None:
    admin = logged_in(site)
    made = admin.post("/account/tokens", {"days": "7"}, "/account")
    token = re.search(r"dwo_[\w-]{32}", made.text)
    assert made.status_code == 201
    assert token is not None
    assert token.group() not in admin.get("/account")
    calling = site.client("operator", headers={"authorization": f"Bearer {token.group()}"})
    assert calling.get("/v1/operators").status_code == 200
    revoked = re.findall(r"/account/tokens/([0-9a-f]{8})/revoke", admin.get("/account"))[0]
    assert f"Token {revoked} lets nobody in any more." in admin.done(
        f"/account/tokens/{revoked}/revoke", {}, "/account"
    )
    assert calling.get("/v1/operators").status_code == 401


def test_who_is_no_admin_makes_no_token(site: ServerHarness) -> None:
    console = logged_in(site, "kim", Role.APPROVER)
    assert "dctwire tokens create kim" in console.get("/account")
    assert console.post("/account/tokens", {"days": "7"}, "/account").status_code == 403


def test_one_session_or_all_others_are_ended(site: ServerHarness) -> None:
    here, there, elsewhere = (logged_in(site, "sam", Role.VIEWER) for _ in range(3))
    own_others = re.findall(r"/account/sessions/(s[0-9a-f]{8})/end", here.get("/account"))
    assert len(own_others) == 2
    assert "That session has ended." in here.done(f"/account/sessions/{own_others[0]}/end", {}, "/account")
    still_in = [console for console in (there, elsewhere) if console.http.get("/console/").status_code == 200]
    assert len(still_in) == 1
    assert "All your other sessions have ended." in here.done("/account/sessions/others/end", {}, "/account")
    assert still_in[0].http.get("/console/").status_code == 303
    here.get("/")


def test_another_operators_session_is_not_ones_own_to_end(site: ServerHarness) -> None:
    mine, other = logged_in(site, "tom", Role.VIEWER), logged_in(site, "pat", Role.VIEWER)
    logged_in(site, "pat", Role.VIEWER)
    theirs = re.findall(r"/account/sessions/(s[0-9a-f]{8})/end", other.get("/account"))[0]
    assert f"there is no session {theirs} any more" in mine.done(f"/account/sessions/{theirs}/end", {}, "/account")


def test_everything_is_on_the_record_and_no_secret_is(site: ServerHarness, tmp_path: Path) -> None:
    admin = logged_in(site)
    code = site.client("operator").post("/v1/login-codes", json={}).json()["code"]
    written = site.client("operator").get("/v1/audit?limit=1000").text
    for action in ("session.begin", "session.end", "operator.password", "token.create", "token.revoke", "login-code"):
        assert action in written
    assert PASSWORD not in written
    assert code not in written
    assert admin.http.cookies["dctwire-console"] not in written
