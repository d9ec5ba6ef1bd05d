"""The OpenAPI documents, and the servers held to them by schemathesis: every answer is documented, none is a 5xx."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from cloud_server.api.http.json_body import JSON_MAX_BYTES
from shared.wire import DOCUMENT_PATH, PROBLEM_MEDIA_TYPE, ProblemCode
from tests.cloud_server.harness import described_bodies  # noqa: F401 - schemathesis makes frames with it
from tests.cloud_server.harness.metrics import grown
from tests.cloud_server.harness.server import ServerHarness, server_in_thread
from tests.cloud_server.harness.server import settings as server_settings

pytestmark = pytest.mark.stateless

EXAMPLES = int(os.environ.get("DCTWIRE_ATTACKS", "100")) // 8
MILLISECONDS = 100_000
"""Longer than any answer takes."""
PLANES = ("device", "operator", "ops")
CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
)


def document(harness: ServerHarness, plane: str) -> dict[str, Any]:
    """A plane's document."""
    answer: dict[str, Any] = harness.client(plane).get("/openapi.json").json()
    return answer


def operations(harness: ServerHarness, plane: str) -> list[tuple[str, dict[str, Any]]]:
    """Each operation of a plane with its name."""
    paths = document(harness, plane)["paths"]
    return [(f"{method} {path}", each) for path, methods in paths.items() for method, each in methods.items()]


def wait_as_long_as_it_takes(case: Case[Any]) -> None:
    """Lengthen a deadline that was understood: how fast this machine is, is not what is tested."""
    headers = case.headers
    timeout = str(headers["DW-Timeout"]) if "DW-Timeout" in headers else ""
    if timeout.isascii() and timeout.isdigit() and 1 <= int(timeout) < MILLISECONDS:
        headers["DW-Timeout"] = str(MILLISECONDS)


@pytest.mark.parametrize("plane", PLANES)
def test_no_request_gets_an_answer_that_is_not_documented(harness: ServerHarness, plane: str) -> None:
    headers = {"Authorization": f"Bearer {harness.enrol('digits').token}"} if plane == "device" else {}
    schema = schemathesis.openapi.from_dict(document(harness, plane))
    before = harness.scrape()

    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()

        @settings(
            max_examples=EXAMPLES,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def hold_to_the_document(case: Case[Any]) -> None:
            wait_as_long_as_it_takes(case)
            case.call_and_validate(base_url=harness.addresses[plane], headers=headers, checks=list(CHECKS))

        hold_to_the_document()

    if plane == "device":  # the good cases were among them
        assert grown(before, harness.scrape(), "dctwire_frames_total") > 0


@pytest.mark.parametrize("plane", PLANES)
def test_every_operation_says_what_it_is_and_what_can_go_wrong(harness: ServerHarness, plane: str) -> None:
    for name, operation in operations(harness, plane):
        assert operation["summary"].endswith("."), name
        assert "400" in operation["responses"], name
        assert all(answer["description"] for answer in operation["responses"].values()), name
        if "requestBody" in operation:
            assert "at most" in operation["requestBody"]["description"], name


def test_a_token_is_asked_for_by_all_but_enrolment_probes_and_files_that_are_signed(harness: ServerHarness) -> None:
    without = {name for name, operation in operations(harness, "device") if not operation.get("security")}
    probes = {"get /v2", "get /v2/health/live", "get /v2/health/ready"}
    assert without == probes | {"post /v1/devices", "get /tuf/{name}", "get /openapi.json"}
    for name, operation in operations(harness, "device"):
        assert ("401" in operation["responses"]) == (name not in without or name == "post /v1/devices"), name


def test_every_problem_code_belongs_to_an_operation(harness: ServerHarness) -> None:
    documented = {
        code
        for plane in PLANES
        for _, operation in operations(harness, plane)
        for answer in operation["responses"].values()
        for content in answer.get("content", {}).values()
        for part in content["schema"].get("allOf", [])
        for code in part.get("properties", {}).get("code", {}).get("enum", [])
    }
    of_any = {ProblemCode.METHOD_NOT_ALLOWED.value, ProblemCode.MISDIRECTED.value}
    assert documented == {code.value for code in ProblemCode} - of_any


@pytest.mark.parametrize("plane", PLANES)
def test_every_reference_leads_somewhere_and_every_schema_is_referred_to(harness: ServerHarness, plane: str) -> None:
    whole = document(harness, plane)
    text = json.dumps(whole)
    referred = set(re.findall(r'"#/components/schemas/([^"]+)"', text))
    assert text.count('"$ref"') == text.count('"#/components/schemas/')
    assert referred == set(whole["components"]["schemas"])


@pytest.mark.parametrize("plane", PLANES)
def test_errors_are_problems_of_known_codes_and_waiting_is_told_in_seconds(harness: ServerHarness, plane: str) -> None:
    for name, operation in operations(harness, plane):
        for status, answer in operation["responses"].items():
            if int(status) >= 400:
                assert list(answer["content"]) == [PROBLEM_MEDIA_TYPE], (name, status)
                (_, narrowed) = answer["content"][PROBLEM_MEDIA_TYPE]["schema"]["allOf"]
                codes = [ProblemCode(code) for code in narrowed["properties"]["code"]["enum"]]
                assert {code.status for code in codes} == {int(status)}, (name, status)
                assert ("Retry-After" in answer.get("headers", {})) == (status in ("429", "503", "504")), (name, status)


def test_documented_limits_are_the_servers(harness: ServerHarness) -> None:
    bodies = {name: operation.get("requestBody", {}) for name, operation in operations(harness, "device")}
    limits = server_settings(harness.data)
    assert bodies["post /v1/frames"]["content"]["image/jpeg"]["schema"]["maxLength"] == limits.frame_max_bytes
    assert f"at most {limits.frame_max_bytes} bytes" in bodies["post /v1/frames"]["description"]
    assert f"at most {limits.batch_max_bytes} bytes" in bodies["post /v1/frames:batch"]["description"]
    assert f"at most {JSON_MAX_BYTES} bytes" in bodies["post /v1/devices"]["description"]


def test_a_described_parameter_has_the_name_that_is_read(harness: ServerHarness) -> None:
    described = {
        parameter["name"].lower()
        for _, operation in operations(harness, "device")
        for parameter in operation.get("parameters", [])
        if parameter["in"] == "header"
    }
    assert described == {
        "dw-companion-of",
        "dw-kind",
        "dw-sequence",
        "dw-timeout",
        "prefer",
        "if-none-match",
        "inference-header-content-length",
    }


def test_a_document_states_the_limits_of_its_own_server(tmp_path: Path) -> None:
    stated = set()
    for index, limit in enumerate((123_456, 234_567)):
        with server_in_thread(tmp_path / str(index), blob_max_bytes=limit, batch_max_bytes=limit) as server:
            for plane in ("device", "operator"):
                document = server.client(plane).get(DOCUMENT_PATH).text
                stated |= {(plane, index, said) for said in (123_456, 234_567) if str(said) in document}
    assert stated == {
        (plane, index, limit) for plane in ("device", "operator") for index, limit in enumerate((123_456, 234_567))
    }
