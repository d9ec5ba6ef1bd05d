"""Endpoints are told of every change and event at least once, in order, under the same id, whatever happens between."""

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection
from sqlalchemy import Engine as Connector

from cloud_server.events.backoff import delay_seconds
from cloud_server.events.delivering import WAITING_ROWS_MAX, Webhooks
from cloud_server.events.endpoints import Endpoint, endpoints_of
from cloud_server.events.posting import Poster
from cloud_server.metrics import Metrics
from cloud_server.storage.database import Database
from cloud_server.storage.rows import events as rows
from cloud_server.storage.rows.events import NewEvent
from tests.cloud_server.harness.engines import Engine, Outgrown
from tests.cloud_server.harness.process import ServerProcess
from tests.cloud_server.harness.receivers import OK, OTHER_SECRET, SECRET, Answer, Receiver, webhooks_file
from tests.cloud_server.harness.server import ServerHarness, server_in_thread
from tests.cloud_server.harness.waiting import wait_until

REFUSED: Answer = (500, {}, b"not now")


def change(server: ServerHarness, name: str) -> None:
    """Something that the audit records, about this family."""
    assert server.client("operator").post("/v1/claims", json={"family": name}).status_code == 201


def happen(server: ServerHarness, subject: str, at: float | None = None) -> None:
    """Something that no operator did."""
    at_ms = round((time.time() if at is None else at) * 1000)
    with server.database() as connection:
        rows.add(connection, NewEvent(at_ms, "drift.began", subject, "{}"))


def await_beginning(server: ServerHarness, endpoints: int = 1) -> None:
    """Until the server knows from where on its endpoints are to be told."""

    def is_known() -> bool:
        with server.database() as connection:
            return len(rows.standings(connection, ["pager", "log"])) == endpoints

    wait_until(is_known)


def await_told(server: ServerHarness) -> None:
    """Until nothing waits for the endpoint."""

    def is_told() -> bool:
        with server.database() as connection:
            return not rows.standings(connection, ["pager"])[0].pending

    wait_until(is_told)


def subjects(receiver: Receiver) -> list[str]:
    """Of what it was told, in order; every signature is verified."""
    return [received.said()["data"]["subject"] for received in list(receiver.got)]


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    """Takes everything."""
    with Receiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def server(engine: Engine, tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> Iterator[ServerHarness]:
    """A server with one endpoint, that receiver, which is told of nothing that was before."""
    folder = tmp_path_factory.mktemp("webhooks")
    file = webhooks_file(folder / "settings", pager=receiver.url)
    with server_in_thread(folder, engine, webhooks=file) as server:
        await_beginning(server)
        yield server


def test_a_change_and_an_event_arrive_signed_and_once(server: ServerHarness, receiver: Receiver) -> None:
    before = len(receiver.got)
    change(server, "one")
    happen(server, "digits v2")
    told = receiver.wait_for(before + 2)[before:]
    assert {received.said()["type"] for received in told} == {"claim.create", "drift.began"}
    changed = next(received.said() for received in told if received.said()["type"] == "claim.create")
    assert (changed["data"]["subject"], changed["data"]["operator"]) == ("one", "admin")
    await_told(server)
    assert len(receiver.got) == before + 2
    assert len({received.id for received in receiver.got}) == len(receiver.got)


def test_many_changes_arrive_in_their_order(server: ServerHarness, receiver: Receiver) -> None:
    before, names = len(receiver.got), [f"family-{number}" for number in range(30)]
    for name in names:
        change(server, name)
    receiver.wait_for(before + len(names))
    assert subjects(receiver)[before:] == names


def test_what_fails_is_told_again_under_its_id_before_anything_after_it(engine: Engine, tmp_path: Path) -> None:
    with Receiver(lambda number: REFUSED if number < 2 else OK) as receiver:
        file = webhooks_file(tmp_path / "settings", pager=receiver.url)
        with server_in_thread(tmp_path, engine, webhooks=file) as server:
            await_beginning(server)
            change(server, "first")
            change(server, "second")
            told = receiver.wait_for(4)
            wait_until(lambda: _delivered(server) == 2)
            scrape = server.scrape()
    assert subjects(receiver) == ["first", "first", "first", "second"]
    assert len({received.id for received in told}) == 2
    assert scrape.value("dctwire_webhook_deliveries_total", endpoint="pager", outcome="failed") == 2


def test_a_success_lets_the_failures_before_it_be_forgotten(connector: Connector, tmp_path: Path) -> None:
    async def may_lead() -> bool:
        return True

    async def tell(endpoint: Endpoint) -> float:
        database, poster = Database(connector, asyncio.get_running_loop(), 30), Poster()
        webhooks = Webhooks(
            endpoints=[endpoint],
            database=database,
            poster=poster,
            may_lead=may_lead,
            metrics=Metrics(),
            now=time.time,
            random=lambda: 0.5,
        )
        try:
            return await webhooks._tell(endpoint)
        finally:
            await poster.close()
            await asyncio.to_thread(database.close)

    with Receiver(lambda number: OK if number == 0 else REFUSED) as receiver:
        [endpoint] = endpoints_of(webhooks_file(tmp_path, pager=receiver.url), {})
        with connector.begin() as connection:
            rows.begin(connection, ["pager"])
            for subject in ("first", "second"):
                rows.add(connection, NewEvent(round(time.time() * 1000), "drift.began", subject, "{}"))
            for _ in range(6):
                rows.note_fault(connection, "pager", "answered 500")
        again_seconds = asyncio.run(tell(endpoint))
        with connector.begin() as connection:
            [standing] = rows.standings(connection, ["pager"])
    assert subjects(receiver) == ["first", "second"]
    assert again_seconds == delay_seconds(1, 0.0, lambda: 0.5)
    assert (standing.failures, standing.pending) == (1, 1)


def test_one_endpoint_that_does_not_answer_keeps_no_other_one_waiting(tmp_path: Path) -> None:
    with Receiver(lambda _: REFUSED) as bad, Receiver() as good:
        file = webhooks_file(tmp_path / "settings", pager=bad.url, log=good.url)
        with server_in_thread(tmp_path, webhooks=file) as server:
            await_beginning(server, 2)
            for number in range(3):
                change(server, f"family-{number}")
            good.wait_for(3)
            wait_until(lambda: server.scrape().value("dctwire_webhook_pending", endpoint="pager") == 3)
            oldest = server.scrape().value("dctwire_webhook_oldest_pending_timestamp_seconds", endpoint="pager")
    assert 0 <= time.time() - oldest < 60
    assert set(subjects(bad)) == {"family-0"}


def test_secrets_are_rotated_without_a_restart_and_wrong_ones_are_no_reason_to_send_unsigned(tmp_path: Path) -> None:
    with Receiver() as receiver:
        file = webhooks_file(tmp_path / "settings", pager=receiver.url)
        with server_in_thread(tmp_path, webhooks=file) as server:
            await_beginning(server)
            (file.parent / "secret").write_text("no secret")
            change(server, "one")
            failed = {"endpoint": "pager", "outcome": "failed"}
            wait_until(lambda: server.scrape().value("dctwire_webhook_deliveries_total", **failed) > 0)
            assert receiver.got == []
            (file.parent / "secret").write_text(f"{OTHER_SECRET}\n{SECRET}\n")
            [told] = receiver.wait_for(1)
    assert told.said(SECRET) == told.said(OTHER_SECRET)


def test_an_endpoint_is_told_only_of_the_kinds_it_wants_and_the_others_do_not_wait(tmp_path: Path) -> None:
    with Receiver() as receiver:
        file = webhooks_file(tmp_path / "settings", pager=receiver.url)
        file.write_text(file.read_text() + 'kinds = ["drift.*"]\n')
        with server_in_thread(tmp_path, webhooks=file) as server:
            await_beginning(server)
            change(server, "one")
            happen(server, "digits v2")
            receiver.wait_for(1)
            await_told(server)
    assert receiver.kinds() == ["drift.began"]


def test_what_waits_for_too_long_is_given_up_counted_and_told(engine: Engine, tmp_path: Path) -> None:
    with server_in_thread(tmp_path, engine) as server:
        server.believe_clock()
        with server.database() as connection:
            rows.begin(connection, ["pager"])
        week_ago = time.time() - 8 * 86400
        for number in range(3):
            happen(server, f"old-{number}", week_ago)
        happen(server, "new")
    with Receiver() as receiver:
        file = webhooks_file(tmp_path / "settings", pager=receiver.url)
        with server_in_thread(tmp_path, engine, webhooks=file) as server:
            told = [received.said() for received in receiver.wait_for(2)]
            await_told(server)
            dropped = server.scrape().value("dctwire_webhook_dropped_total", endpoint="pager")
    assert [(one["type"], one["data"]["subject"]) for one in told] == [
        ("drift.began", "new"),
        ("webhook.dropped", "pager"),
    ]
    assert told[1]["data"]["facts"] == {"dropped": 3}
    assert dropped == 3


def test_so_many_rows_wait_and_no_more(tmp_path: Path) -> None:
    with server_in_thread(tmp_path) as server, server.database() as connection:
        rows.begin(connection, ["pager"])
        for number in range(4):
            rows.add(connection, NewEvent(number, "drift.began", str(number), "{}"))
        assert rows.give_up(connection, "pager", ["*"], None, WAITING_ROWS_MAX) == 0
        assert rows.give_up(connection, "pager", ["*"], None, 3) == 1
        found = rows.backlog(connection, "pager", 10)
        assert found is not None
        assert [row.subject for row in found.events] == ["1", "2", "3"]


def test_what_an_endpoint_does_not_want_pushes_nothing_out(connection: Connection) -> None:
    rows.begin(connection, ["choosy"])
    kinds = ["drift.began", "rollout.began", "drift.ended", *["rollout.began"] * 20]
    for number, kind in enumerate(kinds):
        rows.add(connection, NewEvent(number, kind, str(number), "{}"))
    assert rows.give_up(connection, "choosy", ["drift.*"], None, 2) == 0
    assert rows.give_up(connection, "choosy", ["audit", "drift.*"], None, 1) == 1
    found = rows.backlog(connection, "choosy", 1)
    assert found is not None
    assert [row.subject for row in found.events] == ["1"]


def test_a_server_that_is_killed_before_it_noted_an_answer_tells_the_same_again_under_the_same_id(
    engine: Engine, tmp_path: Path
) -> None:
    processes: list[ServerProcess] = []
    state = engine.settings(tmp_path / "data")

    def answer(number: int) -> Answer:
        if number == 1:
            processes[-1].process.kill()
        return OK

    with Receiver(answer) as receiver:
        file = webhooks_file(tmp_path / "settings", pager=receiver.url)
        processes.append(ServerProcess(tmp_path, webhooks=file, **state))
        await_beginning(processes[0].harness)
        change(processes[0].harness, "first")
        receiver.wait_for(1)
        change(processes[0].harness, "second")
        receiver.wait_for(2)
        processes[0].kill()
        processes.append(ServerProcess(tmp_path, webhooks=file, **state))
        change(processes[1].harness, "third")
        told = receiver.wait_for(4, 60)
        log = processes[1].terminate()
    assert log == 0
    assert subjects(receiver) == ["first", "second", "second", "third"]
    assert told[1].id == told[2].id
    assert told[1].body == told[2].body


@pytest.mark.system
def test_two_replicas_tell_everything_once_and_the_other_goes_on_when_one_ends(
    outgrown: Outgrown, tmp_path: Path
) -> None:
    with Receiver() as receiver:
        file = webhooks_file(tmp_path / "settings", pager=receiver.url)
        with server_in_thread(tmp_path / "one", outgrown, webhooks=file) as one:
            data = tmp_path / "other" / "data"
            outgrown.share(data, with_data=one.data)
            data.mkdir(parents=True)
            with server_in_thread(tmp_path / "other", outgrown, webhooks=file, keys=one.data / "keys") as other:
                other.first_data = one.data
                await_beginning(one)
                for number in range(10):
                    change((one, other)[number % 2], f"family-{number}")
                receiver.wait_for(10)
                wait_until(lambda: _delivered(one) + _delivered(other) == 10)
                told = [_delivered(one), _delivered(other)]
            change(one, "family-10")
            receiver.wait_for(11, 60)
    assert subjects(receiver) == [f"family-{number}" for number in range(11)]
    assert sorted(told) == [0, 10]


def _delivered(server: ServerHarness) -> float:
    wanted: dict[str, Any] = {"endpoint": "pager", "outcome": "delivered"}
    return server.scrape().value("dctwire_webhook_deliveries_total", **wanted)


def test_neither_secrets_nor_passwords_in_urls_reach_the_log(tmp_path: Path) -> None:
    with Receiver(lambda number: REFUSED if number == 0 else OK) as receiver:
        url = receiver.url.replace("http://", "http://user:hidden-word@") + "?token=hidden-token"
        file = webhooks_file(tmp_path / "settings", pager=url)
        process = ServerProcess(tmp_path, webhooks=file)
        await_beginning(process.harness)
        change(process.harness, "one")
        receiver.wait_for(2)
        process.process.terminate()
        _, log = process.finish()
    [failed] = [line for line in map(json.loads, log.splitlines()) if line["event"] == "webhook-failed"]
    assert (failed["endpoint"], failed["fault"]) == ("pager", "answered 500")
    assert not [word for word in ("hidden", SECRET.removeprefix("whsec_")) if word in log]
