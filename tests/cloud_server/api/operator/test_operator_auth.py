"""Who may call the operator plane: what each role opens."""

import re
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from fastapi import FastAPI

from cloud_server.api.operator.operator_auth import guard
from cloud_server.operators.roles import Role
from shared.wire import ProblemCode
from tests.cloud_server.harness.problems import assert_problem
from tests.cloud_server.harness.server import ServerHarness, server_in_thread

pytestmark = pytest.mark.stateless


def routes(harness: ServerHarness) -> dict[tuple[str, str], Role | None]:
    """Every route, and the role that its description asks for."""
    document = harness.client("operator").get("/openapi.json").json()
    return {
        (method, path): next((Role(role) for each in operation.get("security", []) for role in each["operator"]), None)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }


def call(client: httpx.Client, method: str, path: str) -> httpx.Response:
    """Call a route with something in the place of each parameter."""
    return client.request(method, re.sub(r"\{[^}]*\}", "0" * 8, path))


def test_every_route_asks_for_a_role_but_those_that_say_what_devices_read_and_what_the_plane_is(
    harness: ServerHarness,
) -> None:
    free = {path for (_, path), role in routes(harness).items() if role is None}
    assert free == {"/openapi.json", "/tuf/{name}"}


@pytest.mark.parametrize("role", Role)
def test_a_role_opens_the_routes_that_need_it_or_one_below_and_no_other(harness: ServerHarness, role: Role) -> None:
    client = harness.operator(f"a-{role}", role)
    needed = {route: asked for route, asked in routes(harness).items() if asked is not None}
    for (method, path), asked in needed.items():
        answer = call(client, method, path)
        if list(Role).index(role) < list(Role).index(asked):
            assert_problem(answer, 403, ProblemCode.ROLE_NEEDED)
            assert f"the role {asked}" in answer.json()["detail"]
        else:
            assert answer.status_code not in (401, 403), (method, path)


@pytest.mark.parametrize("authorization", [None, "Bearer dwo_nobodys", "Basic ZHdvXw==", "dwo_nobodys"])
def test_no_route_answers_without_a_token_that_somebody_holds(tmp_path: Path, authorization: str | None) -> None:
    headers = {} if authorization is None else {"authorization": authorization}
    with server_in_thread(tmp_path) as harness:
        device, client = harness.enrol("digits"), harness.client("operator", headers=headers)
        answers = {route: call(client, *route) for route, role in routes(harness).items() if role is not None}
        for answer in answers.values():
            if answer.status_code != 429:  # so many wrong ones are not looked up any more
                assert_problem(answer, 401, ProblemCode.INVALID_OPERATOR_TOKEN)
                assert answer.headers["www-authenticate"] == "Bearer"
        assert harness.client("operator").get("/v1/bundles").status_code == 200, "whoever is known is not kept waiting"
        as_device = {"authorization": f"Bearer {device.token}"}
        assert harness.client("operator", headers=as_device).get("/v1/bundles").status_code in (401, 429)


def test_a_plane_with_a_route_that_forgot_its_role_does_not_start() -> None:
    app = FastAPI()
    app.add_api_route("/v1/forgotten", lambda: None)
    with pytest.raises(AssertionError, match="/v1/forgotten"):
        guard(app, cast(Any, None), cast(Any, None))
