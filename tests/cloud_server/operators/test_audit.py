"""The audit: every change leaves a row, in one chain, and nobody changes that unnoticed."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, text, update
from typer.testing import CliRunner, Result

from cloud_server.cli.app import app
from cloud_server.operators.roles import Role
from cloud_server.storage.schema import audit, audit_head
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.engines import Engine, Outgrown
from tests.cloud_server.harness.frames import tables
from tests.cloud_server.harness.server import ServerHarness, server_in_thread
from tests.cloud_server.harness.waiting import wait_until


@pytest.fixture
def server(engine: Engine, tmp_path: Path) -> Iterator[ServerHarness]:
    """A server of this test's own."""
    with server_in_thread(tmp_path / "server", engine) as harness:
        yield harness


def typed(server: ServerHarness, *words: str) -> Result:
    """Run `dctwire audit WORDS`."""
    return CliRunner().invoke(app, ["audit", *words], env=server.as_operator | {"COLUMNS": "200"})


def entries(server: ServerHarness, **wanted: str) -> list[dict[str, Any]]:
    """The rows that fit, oldest first."""
    found: list[dict[str, Any]] = server.client("operator").get("/v1/audit", params=wanted).json()["entries"]
    return found[::-1]


def head_of(server: ServerHarness) -> str:
    """What `dctwire audit verify` prints for an operator to keep."""
    told = typed(server, "verify", "--json")
    assert told.exit_code == 0, told.stderr
    head: str = json.loads(told.stdout)["head"]
    return head


def change_things(server: ServerHarness, count: int = 5) -> None:
    """So many changes."""
    for number in range(count):
        server.client("operator").post("/v1/claims", json={"family": f"family-{number}"})


def test_each_change_is_a_row_with_who_where_what_before_and_after(server: ServerHarness, tmp_path: Path) -> None:
    write_bundle(tmp_path / "v1", "digits", 1, tables(50))
    server.publish(tmp_path / "v1")
    server.assign("digits", 1)
    device = server.enrol("digits").device_id
    bob = server.operator("bob", Role.OPERATOR)
    for method, path, body in (
        ("PUT", f"/v1/devices/{device}/revocation", None),
        ("PUT", f"/v1/devices/{device}/revocation", None),
        ("DELETE", f"/v1/devices/{device}/revocation", None),
        ("PUT", f"/v1/devices/{device}/pin", {"counter": 1}),
        ("DELETE", f"/v1/devices/{device}/pin", None),
        ("PUT", f"/v1/devices/{device}/quarantine", {"reason": "odd"}),
        ("PUT", f"/v1/devices/{device}/name", {"name": "gate"}),
        ("POST", f"/v1/devices/{device}/tags", {"add": ["site=north"]}),
    ):
        answer = bob.request(method, path, json=body, headers={"x-request-id": "a-request"})
        assert answer.status_code == 200, answer.text
    rows = entries(server)
    assert [row["action"] for row in rows] == [
        "bundle.publish",
        "family.assign",
        "claim.create",
        "device.revoke",
        "device.restore",
        "device.pin",
        "device.unpin",
        "device.quarantine",
        "device.rename",
        "device.tag",
    ]
    assert [row["operator"] for row in rows] == ["admin"] * 3 + ["bob"] * 7
    revoked = rows[3]
    assert (revoked["subject"], revoked["role"], revoked["address"]) == (device, "operator", "127.0.0.1")
    assert revoked["request_id"] == "a-request"
    assert (revoked["before"]["is_revoked"], revoked["after"]["is_revoked"]) == (False, True)
    assert entries(server, operator="bob", action="device.pin", subject=device) == [rows[5]]
    assert typed(server, "verify").stdout.startswith("10 rows, whole.")


def test_a_change_that_is_refused_leaves_no_row(server: ServerHarness) -> None:
    operator = server.client("operator")
    assert operator.post("/v1/assignments", json={"family": "digits", "counter": 9}).status_code == 404
    assert operator.put("/v1/devices/nobody/revocation").status_code == 404
    assert operator.put("/v1/operators/admin", json={"role": "viewer"}).status_code == 409
    assert entries(server) == []
    assert typed(server, "list").stdout == "Nothing that fits was changed.\n"


def test_writers_at_once_make_one_chain(server: ServerHarness) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: change_things(server), range(8)))
    assert [row["seq"] for row in entries(server)] == list(range(1, 41))
    assert typed(server, "verify").exit_code == 0


def test_writers_at_two_replicas_make_one_chain(outgrown: Outgrown, tmp_path: Path) -> None:
    with server_in_thread(tmp_path / "one", outgrown) as one:
        other_data = tmp_path / "other" / "data"
        outgrown.share(other_data, with_data=one.data)
        other_data.mkdir(parents=True)
        with server_in_thread(tmp_path / "other", outgrown, keys=one.data / "keys") as other:
            other.first_data = one.data
            # A server reads its routes at the first request; two in one process must not do that at the same moment.
            assert entries(one) == entries(other) == []
            with ThreadPoolExecutor(8) as threads:
                list(threads.map(change_things, [one, other] * 4))
            assert [row["seq"] for row in entries(one)] == list(range(1, 41))
            assert typed(other, "verify").exit_code == 0


DAMAGE = {
    "a changed action": ("UPDATE audit SET action = 'nothing' WHERE seq = 3", "row 3 of the audit was changed"),
    "a changed operator": ("UPDATE audit SET operator = 'bob' WHERE seq = 1", "row 1 of the audit was changed"),
    "a changed fact": ("UPDATE audit SET after = '{}' WHERE seq = 5", "row 5 of the audit was changed"),
    "a row taken out": ("DELETE FROM audit WHERE seq = 2", "row 2 of the audit is not there"),
    "a cut end": ("DELETE FROM audit WHERE seq > 3", "row 4 of the audit is not there"),
    "a cut end with its head": (
        "DELETE FROM audit WHERE seq > 3; UPDATE audit_head SET seq = 3, hash = (SELECT hash FROM audit WHERE seq = 3)",
        "rows were cut off",
    ),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_what_was_done_to_the_record_is_found_and_named(server: ServerHarness, case: str) -> None:
    change_things(server)
    head = head_of(server)
    change, told = DAMAGE[case]
    with server.database() as database:
        for statement in change.split("; "):
            database.execute(text(statement))
    result = typed(server, "verify", "--head", head)
    assert result.exit_code == 1
    assert told in result.stderr


def test_a_head_that_was_kept_is_met_on_the_way(server: ServerHarness) -> None:
    change_things(server)
    head = head_of(server)
    change_things(server)
    assert typed(server, "verify", "--head", head).exit_code == 0
    assert typed(server, "verify", "--head", "0" * 63 + "1").exit_code == 1


def test_a_head_that_was_copied_with_other_letters_is_met_and_what_is_no_head_is_refused(server: ServerHarness) -> None:
    change_things(server)
    head = head_of(server)
    assert typed(server, "verify", "--head", head.upper()).exit_code == 0
    for kept in ("", head[:-1], f"{head}0", "g" * 64, f"{head[:-1]} "):
        refused = typed(server, "verify", "--head", kept)
        assert (refused.exit_code, "64 hex digits" in " ".join(refused.stderr.split())) == (2, True)


def test_a_record_that_was_emptied_and_an_export_that_was_cut_are_told_by_the_head(
    server: ServerHarness, tmp_path: Path
) -> None:
    change_things(server)
    head, exported = head_of(server), tmp_path / "audit.jsonl"
    exported.write_text("".join(typed(server, "export").stdout.splitlines(keepends=True)[:3]))
    cut = typed(server, "verify", "--file", str(exported), "--head", head)
    assert (cut.exit_code, "row 3 of the audit is the last one" in cut.stderr) == (1, True)
    assert typed(server, "verify", "--file", str(exported)).exit_code == 0
    with server.database() as database:
        database.execute(text("DELETE FROM audit"))
        database.execute(text("UPDATE audit_head SET seq = 0, hash = :hash"), {"hash": "0" * 64})
    emptied = typed(server, "verify", "--head", head)
    assert (emptied.exit_code, "row 1 of the audit is not there" in emptied.stderr) == (1, True)


def test_an_export_is_checked_without_a_server(server: ServerHarness, tmp_path: Path) -> None:
    change_things(server)
    exported = typed(server, "export").stdout
    (tmp_path / "audit.jsonl").write_text(exported)
    assert len(exported.splitlines()) == 5
    assert typed(server, "verify", "--file", str(tmp_path / "audit.jsonl"), "--head", head_of(server)).exit_code == 0
    (tmp_path / "audit.jsonl").write_text(exported.replace("family-2", "family-7"))
    assert "row 3 of the audit was changed" in typed(server, "verify", "--file", str(tmp_path / "audit.jsonl")).stderr


def test_a_record_whose_end_is_cut_off_while_the_server_runs_is_noticed(server: ServerHarness) -> None:
    change_things(server)
    wait_until(lambda: server.scrape().value("dctwire_audit_rows") == 5)
    with server.database() as database:
        for statement in DAMAGE["a cut end with its head"][0].split("; "):
            database.execute(text(statement))
    wait_until(lambda: server.scrape().value("dctwire_audit_broken") == 1)


def test_a_record_whose_end_is_replaced_while_the_server_runs_is_noticed(server: ServerHarness) -> None:
    change_things(server)
    wait_until(lambda: server.scrape().value("dctwire_audit_rows") == 5)
    with server.database() as database:  # in one transaction, so that the server never sees a shorter chain
        row = database.execute(text("SELECT * FROM audit WHERE seq = 4")).mappings().one()
        forged = dict(row) | {"seq": 5, "previous": row["hash"], "hash": "f" * 64}
        database.execute(text("DELETE FROM audit WHERE seq = 5"))
        database.execute(insert(audit), [forged, forged | {"seq": 6, "previous": "f" * 64, "hash": "e" * 64}])
        database.execute(update(audit_head).values(seq=6, hash="e" * 64))
    wait_until(lambda: server.scrape().value("dctwire_audit_broken") == 1)


def test_a_server_that_starts_on_a_broken_record_says_so_and_serves(engine: Engine, tmp_path: Path) -> None:
    with server_in_thread(tmp_path, engine) as server:
        change_things(server)
        assert server.scrape().value("dctwire_audit_broken") == 0
        with server.database() as database:
            database.execute(text("UPDATE audit SET subject = 'another' WHERE seq = 4"))
    with server_in_thread(tmp_path, engine) as server:
        assert (server.scrape().value("dctwire_audit_broken"), server.scrape().value("dctwire_audit_rows")) == (1, 5)
        assert server.client("operator").get("/v1/bundles").status_code == 200
