"""No text that a terminal, a table or a database would choke on comes in: every place of the documents is tried."""

from collections.abc import Callable, Iterator
from typing import Annotated, Any

import httpx
import pytest
import schemathesis
from fastapi import Header
from fastapi.dependencies.utils import get_dependant
from hypothesis import HealthCheck, Phase, given, settings
from pydantic import BaseModel
from schemathesis import Case
from schemathesis.core.result import Ok
from schemathesis.core.transport import Response
from starlette.requests import Request

from cloud_server.api.http.plain_texts import require_plain_members, require_plain_parameters
from shared.errors import PeerError
from shared.plain_text import is_plain
from shared.wire import PROBLEM_MEDIA_TYPE
from tests.cloud_server.harness import described_bodies  # noqa: F401 - schemathesis makes frames with it
from tests.cloud_server.harness.server import ServerHarness

PLANES = ("device", "operator", "ops")
UNPRINTABLE = ("\x00", "\x1b[31m", "\x9b", "\u202e")
MADE_ONE_LINE = {"reason"}
"""What devices tell of their errors is taken, with a space for what is not printable: it would not come otherwise."""
FEW = settings(
    max_examples=2,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


class Plane:
    """One plane of a server, and requests to each of its operations as its document has them."""

    def __init__(self, harness: ServerHarness, name: str) -> None:
        device = harness.enrol("digits")
        token = device.token if name == "device" else harness.admin_token
        self._frame_id = f"{device.device_id}.1"
        self._headers = {"Authorization": f"Bearer {token}"}
        self._url = harness.addresses[name]
        document = httpx.get(f"{self._url}/openapi.json").json()
        self._document = schemathesis.openapi.from_dict(document)
        self.members = set(named(document)) - (MADE_ONE_LINE if name == "device" else set())

    def for_each_operation(self, check: Callable[[Case[Any]], None]) -> None:
        """Check an operation with some requests that it takes."""

        def check_as_who_may(case: Case[Any]) -> None:
            case.headers.update(self._headers)
            if "frame_id" in case.path_parameters:
                case.path_parameters["frame_id"] = self._frame_id
            check(case)

        for found in self._document.get_all_operations():
            assert isinstance(found, Ok)
            FEW(given(case=found.ok().as_strategy())(check_as_who_may))()

    def answer(self, case: Case[Any]) -> Response:
        """What is answered, by a server that is not at fault, in words that can be shown."""
        answer = case.call(base_url=self._url)
        assert answer.status_code < 500, (case.method, case.path, answer.text)
        if answer.headers.get("content-type") == [PROBLEM_MEDIA_TYPE]:
            texts = [text for text in answer.json().values() if isinstance(text, str)]
            assert all(is_plain(text) for text in texts), answer.text
        return answer


@pytest.fixture(params=PLANES)
def plane(request: pytest.FixtureRequest, harness: ServerHarness) -> Plane:
    return Plane(harness, request.param)


def test_every_parameter_refuses_what_is_not_printable(plane: Plane) -> None:
    def check(case: Case[Any]) -> None:
        for values in (case.path_parameters, case.query):
            for name in list(values or {}):
                before = values[name]
                for wrong in UNPRINTABLE:
                    values[name] = f"a{wrong}b"
                    answer = plane.answer(case)
                    assert answer.status_code == 400, (case.method, case.path, name, answer.text)
                values[name] = before

    plane.for_each_operation(check)


def test_a_parameter_that_nobody_declared_and_is_not_printable_is_refused(plane: Plane) -> None:
    asked = []

    def check(case: Case[Any]) -> None:
        if case.media_type is None:
            case.query = {"\x1b[31m": "x"}
            asked.append(case.path)
            assert plane.answer(case).status_code in (400, 401), case.path

    plane.for_each_operation(check)
    assert asked


def test_no_header_that_is_not_printable_is_the_servers_fault(plane: Plane) -> None:
    def check(case: Case[Any]) -> None:
        for name in list(case.headers):
            before = case.headers[name]
            case.headers[name] = "a\x9bb"
            plane.answer(case)
            case.headers[name] = before

    plane.for_each_operation(check)


def test_every_text_of_a_json_body_refuses_what_is_not_printable(plane: Plane) -> None:
    def check(case: Case[Any]) -> None:
        if case.media_type != "application/json":
            return
        before: Any = case.body
        case.body = before | {"\x1b[31m": "x"}
        plane.answer(case)  # unknown members are passed over by devices' messages, and refused by operators'
        for changed in spoilt(before, plane.members):
            case.body = changed
            answer = plane.answer(case)
            assert answer.status_code in (400, 429) or case.path.startswith("/v2/"), (
                case.method,
                case.path,
                changed,
                answer.text,
            )

    plane.for_each_operation(check)


def spoilt(value: Any, members: set[str]) -> Iterator[Any]:
    """A value of JSON with something unprintable in each text of these members, one after the other."""
    if isinstance(value, str):
        for wrong in UNPRINTABLE:
            yield value[: max(0, len(value) - len(wrong))] + wrong
    elif isinstance(value, dict):
        for name in members & set(value):
            yield from (value | {name: changed} for changed in spoilt(value[name], members))
    elif isinstance(value, list):
        for number, element in enumerate(value):
            yield from ([*value[:number], changed, *value[number + 1 :]] for changed in spoilt(element, members))


def named(document: Any) -> Iterator[str]:
    """The members of all messages that a document describes."""
    if isinstance(document, dict):
        properties = document.get("properties")
        yield from properties if isinstance(properties, dict) else ()
        for each in document.values():
            yield from named(each)
    elif isinstance(document, list):
        for each in document:
            yield from named(each)


class Note(BaseModel):
    """A message that has texts in everything that holds some."""

    lines: tuple[str, ...] = ()
    marks: frozenset[str] = frozenset()
    facts: dict[str, str] = {}


@pytest.mark.parametrize(
    "note",
    [Note(lines=("a", "b\x1b")), Note(marks=frozenset({"\x1b"})), Note(facts={"a": "\x1b"}), Note(facts={"\x1b": "a"})],
    ids=repr,
)
def test_a_text_is_found_in_whatever_holds_it(note: Note) -> None:
    require_plain_members(Note(lines=("a", "b"), facts={"a": "b"}))
    with pytest.raises(PeerError, match=r"\\x1b is not allowed"):
        require_plain_members(note)


@pytest.mark.parametrize(
    ("query", "header"), [(b"%1b=x", b"x"), (b"x=%1b", b"x"), (b"x=x", b"\x9b")], ids=["name", "value", "header"]
)
def test_a_parameter_or_a_declared_header_that_is_not_plain_is_refused(query: bytes, header: bytes) -> None:
    def declare(dw_sequence: Annotated[str, Header()]) -> None:
        """An endpoint that reads a header."""

    def require(query: bytes, *headers: tuple[bytes, bytes]) -> None:
        scope = {"type": "http", "path_params": {}, "query_string": query, "headers": headers}
        require_plain_parameters(Request(scope), get_dependant(path="/", call=declare))

    require(b"x=x", (b"dw-sequence", b"x"), (b"undeclared", b"\x9b"))
    with pytest.raises(PeerError, match="is not allowed"):
        require(query, (b"dw-sequence", header))
