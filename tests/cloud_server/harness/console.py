"""The console as a browser without JavaScript has it: pages, forms with their proof, cookies."""

import re
import time
from html import unescape
from typing import Any

import httpx

from cloud_server.operators.logins import CODE_SECONDS
from cloud_server.operators.roles import Role
from cloud_server.operators.secrets import code_sha256, new_login_code
from cloud_server.storage.rows import logins as rows
from tests.cloud_server.harness.server import ServerHarness

_PROOF = re.compile(r'name="csrf" value="([^"]+)"')


class ConsoleClient:
    """Somebody who is logged in.

    Args:
        http: a client of the operator plane without a token.
    """

    def __init__(self, http: httpx.Client) -> None:
        self.http = http
        self.origin = str(http.base_url).rstrip("/")

    def get(self, path: str, status: int = 200) -> str:
        """A page's HTML; `path` is below /console."""
        answer = self.http.get(f"/console{path}")
        assert answer.status_code == status, f"{answer.status_code}: {answer.text}"
        return answer.text

    def post(self, path: str, fields: dict[str, Any] | None = None, page: str = "/") -> httpx.Response:
        """Send a form that stands on a page, with the proof that the page has; the answer as it came."""
        found = _PROOF.search(self.get(page))
        assert found is not None, f"{page} has no form"
        return self.send(path, {"csrf": unescape(found.group(1)), **(fields or {})}, page)

    def send(self, path: str, fields: dict[str, Any], page: str = "/") -> httpx.Response:
        """Send a form as it is, as a page of the console does."""
        headers = {"origin": self.origin, "sec-fetch-site": "same-origin", "referer": f"{self.origin}/console{page}"}
        return self.http.post(f"/console{path}", data=fields, headers=headers)

    def done(self, path: str, fields: dict[str, Any] | None = None, page: str = "/") -> str:
        """Send a form, and follow to the page that says what has become of it: its HTML."""
        answer = self.post(path, fields, page)
        assert answer.status_code == 303, f"{answer.status_code}: {answer.text}"
        followed = self.http.get(answer.headers["location"])
        assert followed.status_code == 200, followed.text
        return followed.text


def stranger(harness: ServerHarness) -> ConsoleClient:
    """Somebody who is not logged in."""
    return ConsoleClient(harness.client("operator", headers={"accept": "text/html"}))


def login_code(harness: ServerHarness, name: str = "admin", role: Role = Role.ADMIN) -> str:
    """A one-time code for an operator, made where there is none of this name; as many as tests like."""
    if name != "admin":
        harness.operator(name, role)
    code, now = new_login_code(), time.time()
    with harness.database() as database:
        rows.add_code(database, rows.CodeRow(code_sha256(code), name, now + CODE_SECONDS, None), now)
    return code


def logged_in(harness: ServerHarness, name: str = "admin", role: Role = Role.ADMIN) -> ConsoleClient:
    """An operator who is logged in, the first admin unless another name is given."""
    console = stranger(harness)
    answer = console.send("/login", {"code": login_code(harness, name, role)})
    assert answer.status_code == 303, answer.text
    return console
