"""The operator plane shows events and the endpoints of webhooks, and has one of those told of a test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud_server.operators.roles import Role
from cloud_server.storage.rows import events as rows
from cloud_server.storage.rows.events import NewEvent
from shared.wire import ProblemCode
from tests.cloud_server.harness.engines import Engine
from tests.cloud_server.harness.problems import assert_problem
from tests.cloud_server.harness.receivers import Receiver, webhooks_file
from tests.cloud_server.harness.server import ServerHarness, server_in_thread
from tests.cloud_server.harness.trainings import train
from tests.cloud_server.harness.waiting import wait_until


@pytest.fixture(scope="module")
def receivers(engine: Engine) -> Iterator[tuple[Receiver, Receiver]]:
    """The pager, which wants only kinds that do not happen, and the log, which wants all; new ones for each engine."""
    with Receiver() as pager, Receiver() as log:
        yield pager, log


@pytest.fixture(scope="module")
def server(
    engine: Engine, tmp_path_factory: pytest.TempPathFactory, receivers: tuple[Receiver, Receiver]
) -> Iterator[ServerHarness]:
    """A server that tells them."""
    folder = tmp_path_factory.mktemp("server")
    pager, log = receivers
    file = webhooks_file(folder / "settings", log=log.url, pager=pager.url)
    file.write_text(f'{file.read_text()}kinds = ["drift.*"]\n')
    with server_in_thread(folder, engine, webhooks=file) as harness:
        wait_until(lambda: has_begun(harness))
        yield harness


def has_begun(server: ServerHarness) -> bool:
    """Whether both endpoints are told of what happens from now on."""
    with server.database() as connection:
        return len(rows.standings(connection, ["pager", "log"])) == 2


def happen(server: ServerHarness, subject: str) -> None:
    """Something that no operator did."""
    with server.database() as connection:
        rows.add(connection, NewEvent(1_500, "classifier.failed", subject, '{"error":"no"}'))


def test_events_are_listed_by_pages_the_newest_first(server: ServerHarness) -> None:
    for number in range(3):
        happen(server, f"digits/{number}")
    operator = server.client("operator")
    first, second = operator.get("/v1/events", params={"limit": 2}).json()["events"]
    assert (first["subject"], second["subject"]) == ("digits/2", "digits/1")
    assert first == {
        "seq": second["seq"] + 1,
        "at_ms": 1_500,
        "kind": "classifier.failed",
        "subject": "digits/2",
        "facts": {"error": "no"},
    }
    older = operator.get("/v1/events", params={"before": second["seq"], "limit": 1}).json()["events"]
    assert [event["subject"] for event in older] == ["digits/0"]


def test_a_test_is_told_to_the_endpoint_it_names_whatever_that_wants_and_to_nobody_else(
    server: ServerHarness, receivers: tuple[Receiver, Receiver]
) -> None:
    pager, log = receivers
    asked = server.operator("ada", Role.OPERATOR).post("/v1/webhooks/pager/test")
    assert asked.status_code == 202, asked.text
    event = asked.json()
    assert (event["kind"], event["subject"]) == ("webhook.test", "pager")
    wait_until(lambda: "webhook.test" in pager.kinds())
    wait_until(lambda: "webhook.ask-test" in log.kinds())
    assert pager.got[-1].said()["data"]["seq"] == event["seq"]
    assert pager.kinds() == ["webhook.test"]
    assert "webhook.test" not in log.kinds()
    [noted] = server.client("operator").get("/v1/audit", params={"action": "webhook.ask-test"}).json()["entries"]
    assert (noted["operator"], noted["subject"], noted["after"]) == ("ada", "pager", {"event": event["seq"]})


def test_what_came_of_a_training_is_told(
    server: ServerHarness, receivers: tuple[Receiver, Receiver], bundle_folders: dict[int, Path]
) -> None:
    server.publish(bundle_folders[1])
    run = train(server, "digits")
    _, log = receivers
    wait_until(lambda: "run.refused" in log.kinds())
    [told] = [got.said() for got in log.got if got.said()["type"] == "run.refused"]
    assert told["data"]["subject"] == run
    assert (told["data"]["after"]["family"], told["data"]["after"]["outcome"]) == ("digits", "refused")


def test_endpoints_are_listed_with_what_waits_and_without_their_secrets(
    server: ServerHarness, receivers: tuple[Receiver, Receiver]
) -> None:
    operator = server.client("operator")
    assert operator.post("/v1/webhooks/pager/test").status_code == 202

    def has_nothing_to_tell() -> bool:
        return all(row["pending"] == 0 for row in operator.get("/v1/webhooks").json()["webhooks"])

    wait_until(has_nothing_to_tell)
    log, pager = operator.get("/v1/webhooks").json()["webhooks"]
    assert (log["endpoint"], log["kinds"]) == ("log", ["*"])
    assert (pager["endpoint"], pager["kinds"]) == ("pager", ["drift.*"])
    assert f"http://{pager['host']}/hook" == receivers[0].url
    assert pager["delivered_at"] > 1e9
    assert (pager["oldest_at"], pager["failures"], pager["fault"]) == (None, 0, None)
    assert "secret" not in operator.get("/v1/webhooks").text


def test_there_is_no_test_of_an_endpoint_that_the_settings_do_not_name(server: ServerHarness) -> None:
    operator = server.client("operator")
    before = operator.get("/v1/events").json()
    assert_problem(operator.post("/v1/webhooks/nobody/test"), 404, ProblemCode.NOT_FOUND)
    assert operator.get("/v1/events").json() == before


def test_a_server_without_endpoints_lists_none(tmp_path: Path) -> None:
    with server_in_thread(tmp_path) as harness:
        assert harness.client("operator").get("/v1/webhooks").json() == {"webhooks": []}
