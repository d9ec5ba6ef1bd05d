"""An operator asks a device for diagnostics; it sends them once, and they are kept for a week."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud_server.fleet.diagnostics import KEPT_MAX, KEPT_SECONDS
from cloud_server.operators.roles import Role
from cloud_server.storage.rows import diagnostics as rows
from shared.wire import ASKED_NUMBER, DIAGNOSTICS_MAX_BYTES, Assignment, ProblemCode
from tests.cloud_server.cli.test_cli import Operator
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.devices import Device
from tests.cloud_server.harness.frames import tables
from tests.cloud_server.harness.problems import assert_problem
from tests.cloud_server.harness.server import ServerHarness, server_in_thread

ARCHIVE = b"\x1f\x8b any bytes: the server never opens them"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerHarness]:
    """A server whose family digits is assigned its one bundle."""
    folder = tmp_path_factory.mktemp("diagnostics")
    write_bundle(folder / "v1", "digits", 1, tables(50))
    with server_in_thread(folder / "server") as harness:
        harness.publish(folder / "v1")
        harness.assign("digits", 1)
        yield harness


def told(device: Device) -> tuple[str | None, str | None]:
    """What a device is asked for, and the number that its answers carry."""
    answer = device.http.get("/v1/assignment")
    return Assignment.model_validate_json(answer.content).diagnostics, answer.headers.get("dw-settings")


def test_a_device_is_asked_until_it_has_sent_an_archive_which_an_operator_fetches(
    served: ServerHarness, tmp_path: Path
) -> None:
    device, operator = served.enrol("digits"), Operator(served)
    other, out = served.enrol("digits"), tmp_path / "camera.tar.gz"
    assert told(device) == (None, None)
    never = operator.type("devices", "diagnostics", device.device_id, "--out", out)
    assert "dctwire devices diagnose" in never.stderr
    asked = operator.ask("devices", "diagnose", device.device_id)
    assert operator.ask("devices", "diagnose", device.device_id)["request"] == asked["request"]
    assert told(device) == (asked["request"], str(ASKED_NUMBER))
    assert told(other) == (None, None)
    assert (
        "has not sent its diagnostics yet"
        in operator.type("devices", "diagnostics", device.device_id, "--out", out).stderr
    )

    path = f"/v1/diagnostics/{asked['request']}"
    assert_problem(other.http.post(path, content=ARCHIVE), 404, ProblemCode.NOT_FOUND)
    assert_problem(device.http.post("/v1/diagnostics/" + "0" * 16, content=ARCHIVE), 404, ProblemCode.NOT_FOUND)
    assert_problem(device.http.post(path, content=b"x" * (DIAGNOSTICS_MAX_BYTES + 1)), 413, ProblemCode.TOO_LARGE)
    for content in (ARCHIVE, b"another"):
        assert device.http.post(path, content=content).status_code == 204
    assert told(device) == (None, None)

    assert operator.ask("devices", "diagnostics", device.device_id, "--out", out)["bytes"] == len(ARCHIVE)
    assert out.stat().st_mode & 0o777 == 0o600
    assert out.read_bytes() == ARCHIVE
    entries = served.client("operator").get("/v1/audit").json()["entries"]
    assert [row["after"] for row in entries if row["action"] == "device.diagnose"] == [{"request": asked["request"]}]


def test_whoever_only_looks_or_publishes_gets_no_diagnostics(served: ServerHarness) -> None:
    device, trainer = served.enrol("digits"), served.operator("tess", Role.TRAINER)
    for method in ("GET", "POST"):
        refused = trainer.request(method, f"/v1/devices/{device.device_id}/diagnostics")
        assert_problem(refused, 403, ProblemCode.ROLE_NEEDED)
    missing = served.client("operator").post("/v1/devices/nobody/diagnostics")
    assert_problem(missing, 404, ProblemCode.NOT_FOUND)


def test_what_is_too_old_or_too_much_is_deleted(served: ServerHarness) -> None:
    served.enrol("digits")
    with served.database() as database:
        rows.expire(database, 1e12, 1)
        for number in range(KEPT_MAX + 5):
            rows.ask(database, 1, f"{number:016x}", 1e9 + number, 1e9 + number)
            assert rows.answer(database, 1, f"{number:016x}", b"x", 1e9 + number)
        assert rows.count(database, 1e9 + 3) == (KEPT_MAX + 5, 3)
        rows.expire(database, 1e9 + 3, KEPT_MAX)
        assert rows.count(database, 0) == (KEPT_MAX, 0)
        rows.ask(database, 1, "f" * 16, 0, 2e9)
        assert list(rows.asked(database, 2e9 - KEPT_SECONDS).values()) == ["f" * 16]
        assert not rows.asked(database, 2e9 + 1)


def test_a_device_that_is_revoked_is_asked_no_longer(served: ServerHarness) -> None:
    device, operator = served.enrol("digits"), Operator(served)
    request = operator.ask("devices", "diagnose", device.device_id)["request"]
    with served.database() as database:
        assert request in rows.asked(database, 0).values()
    assert served.client("operator").put(f"/v1/devices/{device.device_id}/revocation").status_code == 200
    with served.database() as database:
        assert request not in rows.asked(database, 0).values()


def test_a_request_that_no_device_came_for_is_made_anew_once_it_is_too_old(served: ServerHarness) -> None:
    served.enrol("digits")
    with served.database() as database:
        rows.expire(database, 1e12, 1)
        for request, since, now, expected in (("a", 0, 3e9, "a"), ("b", 3e9, 4e9, "a"), ("c", 3e9 + 1, 4e9, "c")):
            assert rows.ask(database, 1, request * 16, since, now).request == expected * 16
        newest = rows.newest(database, 1)
        assert newest is not None and newest.request == "c" * 16


def test_whenever_one_is_asked_too_many_archives_are_too_much(served: ServerHarness) -> None:
    device, operator, now = served.enrol("digits"), Operator(served), time.time() - 100
    with served.database() as database:
        rows.expire(database, 1e12, 1)
        for number in range(KEPT_MAX + 5):
            rows.ask(database, 1, f"{number:016x}", now + number / 1000, now + number / 1000)
            rows.answer(database, 1, f"{number:016x}", b"x", now)
    operator.ask("devices", "diagnose", device.device_id)
    with served.database() as database:
        assert rows.count(database, 0) == (KEPT_MAX, 0)
