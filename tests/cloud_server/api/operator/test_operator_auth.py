"""DNS rebinding: a name that a stranger gave us gets nothing from the operator plane."""

from pathlib import Path

import pytest

from cloud_server.api.operator.operator_auth import is_own
from shared.wire import ProblemCode
from tests.cloud_server.harness.problems import assert_problem
from tests.cloud_server.harness.server import ServerHarness, server_in_thread

pytestmark = pytest.mark.stateless


@pytest.mark.parametrize("host", ["127.0.0.1:8001", "10.0.0.7", "[::1]:8001", "[::1]", "localhost:8001", "server"])
def test_addresses_and_names_without_a_dot_are_ours(host: str) -> None:
    assert is_own(host, frozenset())


@pytest.mark.parametrize("host", ["", ":8001", "evil.example", "evil.example:8001", "127.0.0.1.evil.example", "1.2.3"])
def test_other_names_are_not(host: str) -> None:
    assert not is_own(host, frozenset({"dctwire.example"}))
    assert is_own("DCTwire.example:443", frozenset({"dctwire.example"}))


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/devices"), ("POST", "/v1/claims"), ("GET", "/openapi.json")])
def test_a_strangers_name_gets_nothing(harness: ServerHarness, method: str, path: str) -> None:
    answer = harness.client("operator").request(
        method, path, json={"family": "digits"}, headers={"host": "evil.example"}
    )
    assert_problem(answer, 400, ProblemCode.BAD_REQUEST)


def test_a_name_that_was_set_is_ours(tmp_path: Path) -> None:
    with server_in_thread(tmp_path, operator_hosts="dctwire.example, other.example") as harness:
        for name in ("dctwire.example", "OTHER.example:80"):
            assert harness.client("operator").get("/v1/devices", headers={"host": name}).status_code == 200
