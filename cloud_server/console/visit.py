"""One request for a page or by a form: who asks, what was sent, and how it may be answered."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from cloud_server.console.rendering import Pages
from cloud_server.console.sections import ROOT, Section
from cloud_server.operators.audit import Audit, Call
from cloud_server.operators.roles import Role
from cloud_server.operators.sessions import Session
from cloud_server.storage.witness import Witness
from shared.errors import PeerError
from shared.plain_text import escaped, require_plain

TEXT_MAX = 256
FIELDS_MAX = 300
NOTICE_COOKIE = "dctwire-notice"
NOTICE_MAX, NOTICE_SECONDS = 400, 60
_DIGITS = re.compile(r"-?[0-9]{1,18}")


class Fields:
    """What a query or a form says: texts by name. A field that is missing is empty."""

    def __init__(self, encoded: str) -> None:
        """Read `application/x-www-form-urlencoded` text.

        Raises:
            PeerError: it has too many fields.
        """
        try:
            pairs = parse_qsl(encoded, keep_blank_values=True, max_num_fields=FIELDS_MAX, errors="strict")
        except ValueError as error:
            raise PeerError("the form cannot be read") from error
        self._pairs = pairs

    def text(self, name: str, most: int = TEXT_MAX) -> str:
        """One line of text, without the space around it; of several fields of this name the first.

        Raises:
            PeerError: it is longer than `most` characters, or holds what no line may.
        """
        return next(iter(self.texts(name, most)), "")

    def texts(self, name: str, most: int = TEXT_MAX) -> tuple[str, ...]:
        """One line of text of every field of this name; raises as `text` does."""
        found = tuple(value.strip() for key, value in self._pairs if key == name)
        for each in found:
            _require_short(name, each, most)
            require_plain(each, name)
        return found

    def lines(self, name: str, most: int) -> str:
        """Text of several lines, of `most` characters at most; raises as `text` does."""
        found = next((value for key, value in self._pairs if key == name), "").replace("\r\n", "\n")
        _require_short(name, found, most)
        for line in found.split("\n"):
            require_plain(line.replace("\t", " "), name)
        return found

    def secret(self, name: str, most: int = TEXT_MAX) -> str:
        """A text as it was typed, space around it and all; raises as `text` does where it is too long."""
        found = next((value for key, value in self._pairs if key == name), "")
        _require_short(name, found, most)
        return found

    def number(self, name: str) -> int | None:
        """A whole number; None where the field is empty.

        Raises:
            PeerError: it is something else.
        """
        text = self.text(name)
        if not text:
            return None
        if not _DIGITS.fullmatch(text):
            raise PeerError(f"{name}: write a whole number, not {text[:40]!r}")
        return int(text)

    def is_on(self, name: str) -> bool:
        """Whether a box is ticked."""
        return bool(self.text(name))


@dataclass(frozen=True, slots=True)
class Desk:
    """What all visits have in common.

    Args:
        request_id_of: a request's id, as its log line and the audit have it.
        sections: what there is to visit, for the navigation.
    """

    pages: Pages
    audit: Audit
    request_id_of: Callable[[Request], str]
    sections: Callable[[], tuple[Section, ...]]

    def has_page(self, path: str) -> bool:
        """Whether a path below the root leads to a section's page, or to one below it."""
        address = ROOT + path.partition("?")[0]
        return bool(path) and any(each.title and each.holds(address) for each in self.sections())


@dataclass(frozen=True, slots=True)
class Visit:
    """A request by somebody who is logged in."""

    request: Request
    session: Session
    query: Fields
    desk: Desk

    @property
    def name(self) -> str:
        """Who asks."""
        return self.session.caller.name

    @property
    def now(self) -> float:
        """Seconds since 1970."""
        return self.desk.pages.now()

    def may(self, role: Role) -> bool:
        """Whether who asks may do what needs a role."""
        return self.session.caller.role.may_act_as(role)

    def part(self, name: str) -> str:
        """A part of the path, as the route names it."""
        value: str = self.request.path_params[name]
        return value

    def witness(self, action: str, subject: str) -> Witness:
        """Who takes note of a change, for the use case to tell in its transaction; the subject is never a secret."""
        call = Call(self.session.caller, self.desk.request_id_of(self.request))
        return self.desk.audit.witness(call, action, subject)

    def page(self, template: str, status: int = 200, /, **facts: Any) -> Response:
        """A whole page; what was to be said after the form before is said on it."""
        said = notice_of(self.request)
        html = self.desk.pages.render(template, **self.context(), notice=said, **facts)
        answer = HTMLResponse(html, status)
        if said is not None:
            answer.delete_cookie(NOTICE_COOKIE, path=ROOT)
        return answer

    def context(self) -> dict[str, Any]:
        """What every template of a page is given, beside its own facts."""
        return {
            "caller": self.session.caller,
            "csrf": self.session.csrf,
            "sections": [each for each in self.desk.sections() if self.may(each.role)],
            "path": self.request.url.path,
            "may": self.may,
            "now": self.now,
        }

    def go(self, path: str, said: str = "", *, is_fault: bool = False) -> Response:
        """Answer a form: the browser goes on to a page of ours, which says what has become of it."""
        return going(path, said, is_fault=is_fault)


@dataclass(frozen=True, slots=True)
class Notice:
    """What is said at the top of the next page: what a form has done, or why it has done nothing."""

    text: str
    is_fault: bool


def going(path: str, said: str = "", *, is_fault: bool = False) -> Response:
    """Send a browser on to a page of ours, after a form (RFC 9110 15.4.4)."""
    answer = RedirectResponse(quote(path, safe="/?&=%:;,+~"), 303)
    if said:
        value = ("!" if is_fault else ".") + quote(said[:NOTICE_MAX], safe="")
        answer.set_cookie(NOTICE_COOKIE, value, max_age=NOTICE_SECONDS, path=ROOT, httponly=True, samesite="strict")
    return answer


def notice_of(request: Request) -> Notice | None:
    """What the form before wanted said; it came through the browser, so it is taken for text of anybody's."""
    value = request.cookies.get(NOTICE_COOKIE, "")
    if not value or value[0] not in ".!":
        return None
    return Notice(escaped(unquote(value[1:], errors="replace"))[:NOTICE_MAX], value[0] == "!")


def came_from(request: Request) -> str | None:
    """The page of ours with the form that was sent, path and query; None where the browser does not say, or another."""
    referer = address_in(request, "referer")
    if referer is None or referer.netloc != request.headers.get("host", "") or not referer.path.startswith(f"{ROOT}/"):
        return None
    return referer.path + (f"?{referer.query}" if referer.query else "")


def address_in(request: Request, header: str) -> SplitResult | None:
    """The address that a header holds; None where there is no such header, or no address that can be read in it."""
    try:
        return urlsplit(request.headers[header])
    except (KeyError, ValueError):
        return None


def _require_short(name: str, text: str, most: int) -> None:
    if len(text) > most:
        raise PeerError(f"{name}: at most {most} characters are taken")
