"""`dctwire events`: what is listed, and whether a test of an endpoint says the truth."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cloud_server.cli.app import app
from cloud_server.storage.rows import events as rows
from cloud_server.storage.rows.events import NewEvent
from tests.cloud_server.harness.receivers import Receiver, webhooks_file
from tests.cloud_server.harness.server import ServerHarness, server_in_thread


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerHarness]:
    """A server with two endpoints, of which one refuses whatever it is told."""
    folder = tmp_path_factory.mktemp("events")
    with Receiver() as good, Receiver(lambda _: (500, {}, b"")) as bad:
        file = webhooks_file(folder / "settings", good=good.url, bad=bad.url)
        with server_in_thread(folder, webhooks=file) as harness:
            yield harness


def typed(server: ServerHarness, *words: str) -> Result:
    """Run `dctwire events WORDS`."""
    return CliRunner().invoke(app, ["events", *words], env=server.as_operator | {"COLUMNS": "200"})


def test_events_are_listed_for_people_and_for_programs(server: ServerHarness) -> None:
    with server.database() as connection:
        for subject in ("dev1", "dev2"):
            rows.add(connection, NewEvent(1_700_000_000_000, "device.suspected-clone", subject, '{"why":"conflicts"}'))
    shown = typed(server, "list", "--limit", "1")
    assert shown.exit_code == 0, shown.stderr
    assert "device.suspected-clone" in shown.stdout
    assert "2023-11-14" in shown.stdout
    assert "dev2" in shown.stdout
    assert "dev1" not in shown.stdout
    assert "For older events, repeat the command with --before" in shown.stdout
    newest, *_ = json.loads(typed(server, "list", "--json").stdout)["events"]
    older = json.loads(typed(server, "list", "--before", str(newest["seq"]), "--json").stdout)["events"]
    assert [event["seq"] for event in older] == list(range(newest["seq"] - 1, 0, -1))


def test_a_test_says_that_an_endpoint_took_it(server: ServerHarness) -> None:
    told = typed(server, "test", "good")
    assert (told.exit_code, told.stdout) == (0, "good took it.\n")
    document = json.loads(typed(server, "test", "good", "--json").stdout)
    assert (document["is_told"], document["webhook"]["pending"]) == (True, 0)


def test_a_test_of_an_endpoint_that_refuses_fails_and_says_why(server: ServerHarness) -> None:
    told = typed(server, "test", "bad")
    assert told.exit_code == 1
    assert told.stdout == "bad has not taken it: answered 500\n"
    listed = typed(server, "endpoints")
    assert "answered 500" in listed.stdout
    assert "127.0.0.1" in listed.stdout


def test_what_an_endpoint_refused_is_skipped_once_and_only_that(server: ServerHarness) -> None:
    typed(server, "test", "bad")
    [before] = [row for row in webhooks(server) if row["endpoint"] == "bad"]
    skipped = typed(server, "skip", "bad")
    assert skipped.exit_code == 0, skipped.stderr
    assert skipped.stdout.startswith("bad will not be told of ")
    entries = server.client("operator").get("/v1/audit", params={"action": "webhook.skip"}).json()["entries"]
    assert entries[0]["subject"] == "bad"
    assert f"{entries[0]['after']['message']}: {entries[0]['after']['kind']} of " in skipped.stdout
    [after] = [row for row in webhooks(server) if row["endpoint"] == "bad"]
    assert after["pending"] == before["pending"], "one less, and the skip itself"
    refused = typed(server, "skip", "good")
    assert refused.exit_code == 1
    assert "refused nothing" in " ".join(refused.stderr.split())


def webhooks(server: ServerHarness) -> list[dict[str, Any]]:
    """How the endpoints do."""
    rows: list[dict[str, Any]] = server.client("operator").get("/v1/webhooks").json()["webhooks"]
    return rows


def test_an_endpoint_that_there_is_not_is_an_error_with_a_way_on(server: ServerHarness) -> None:
    for command in ("test", "skip"):
        told = typed(server, command, "nobody")
        assert told.exit_code == 1
        assert "dctwire events endpoints" in " ".join(told.stderr.split())


def test_a_server_without_endpoints_says_which_setting_names_them(tmp_path: Path) -> None:
    with server_in_thread(tmp_path) as harness:
        assert "DCTWIRE_SERVER_WEBHOOKS" in typed(harness, "endpoints").stdout
        assert "Nothing has happened" in typed(harness, "list").stdout
