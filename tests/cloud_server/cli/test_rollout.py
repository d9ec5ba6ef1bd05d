"""`dctwire rollout`: what people see, what scripts get, and the exit status that says how it ended."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cloud_server.cli.app import app
from cloud_server.cli.rollout_view import described, one_line
from cloud_server.operators.roles import Role
from cloud_server.rollout.plan import standard
from tests.cloud_server.harness.frames import tables
from tests.cloud_server.harness.process import ServerProcess
from tests.cloud_server.harness.server import ServerHarness, server_in_thread
from tests.cloud_server.harness.waiting import wait_until
from tests.cloud_server.rollout.simulated import Camera, Fleet

EVERYBODY: dict[str, object] = {"stages": [{"percent": 100, "min_devices": 0, "max_fail_rate": 0.5}]}
WAITING: dict[str, object] = {"stages": [{"percent": 50, "min_devices": 1000}, {"percent": 100}]}


@pytest.fixture
def server(tmp_path: Path, bundle_folders: dict[int, Path]) -> Iterator[ServerHarness]:
    with server_in_thread(tmp_path) as harness:
        for folder in bundle_folders.values():
            harness.publish(folder)
        harness.assign("digits", 1)
        yield harness


def dctwire(server: ServerHarness, *words: str) -> Result:
    """Type a command."""
    return CliRunner().invoke(app, ["rollout", *words], env=server.as_operator)


def plan(folder: Path, of: dict[str, object]) -> str:
    """A plan in a file."""
    file = folder / "plan.json"
    file.write_text(json.dumps(of))
    return str(file)


def test_a_rollout_that_is_released_ends_with_0_and_says_each_change_once(
    server: ServerHarness, tmp_path: Path
) -> None:
    ended = dctwire(server, "start", "digits", "2", "--plan", plan(tmp_path, EVERYBODY), "--note", "smaller", "--wait")
    assert ended.exit_code == 0, ended.output
    lines = ended.output.splitlines()
    assert lines[-1].endswith("digits v1 > v2: complete")
    assert len(set(lines)) == len(lines)
    listed = dctwire(server, "list", "--family", "digits").output
    name = lines[-1].split()[0]
    refused = dctwire(server, "rollback", name)
    assert (refused.exit_code, "dctwire rollout start FAMILY COUNTER" in refused.output) == (1, True), refused.output
    assert "smaller" in listed
    assert "complete" in listed


def test_a_rollout_is_steered_by_its_name_and_its_state_is_the_exit_status(
    server: ServerHarness, tmp_path: Path
) -> None:
    started = dctwire(server, "start", "digits", "2", "--plan", plan(tmp_path, WAITING), "--json")
    name = json.loads(started.output)["id"]
    assert dctwire(server, "pause", name).output == f"Rollout {name} of digits: paused: by an operator.\n"
    paused = dctwire(server, "watch", name, "--json")
    assert (paused.exit_code, json.loads(paused.output)["state"]) == (3, "paused")
    stale = dctwire(server, "resume", name, "--if-version", "99")
    assert (stale.exit_code, "Look at it again" in stale.output) == (1, True)
    assert dctwire(server, "resume", name).exit_code == 0
    shown = dctwire(server, "status", name).output
    assert "none was reached yet" in shown
    assert dctwire(server, "rollback", name, "--wait").exit_code == 0
    assert dctwire(server, "watch", name).exit_code == 4, "it was not released"
    refused = dctwire(server, "promote", name, "--to-the-end")
    assert (refused.exit_code, "rolled-back: it cannot be promoted" in refused.output) == (1, True)


@pytest.mark.system
def test_a_draft_lets_nobody_in_until_it_is_resumed(server: ServerHarness, tmp_path: Path) -> None:
    words = ("start", "digits", "2", "--plan", plan(tmp_path, EVERYBODY), "--draft")
    told = dctwire(server, *words)
    assert "is to lead digits to v2. Next: dctwire rollout resume" in told.stdout
    name = told.stdout.split()[1]
    row = json.loads(dctwire(server, "status", name, "--json").stdout)
    assert (row["state"], row["stage"], row["paused_why"], row["percent"]) == ("paused", None, "operator", 0)
    assert dctwire(server, "resume", name).exit_code == 0
    assert dctwire(server, "watch", name).exit_code == 0
    assert json.loads(dctwire(server, "status", name, "--json").stdout)["state"] == "complete"


def test_a_trainer_may_leave_a_draft_and_nothing_more(server: ServerHarness) -> None:
    trainer = server.operator("trainer", Role.TRAINER)
    asked = {"family": "digits", "counter": 2}
    for more in ({}, {"draft": True, "supersede": True}):
        refused = trainer.post("/v1/rollouts", json=asked | more)
        assert (refused.status_code, refused.json()["code"]) == (403, "role-needed")
    made = trainer.post("/v1/rollouts", json=asked | {"draft": True})
    assert (made.status_code, made.json()["state"]) == (201, "paused")
    assert trainer.post(f"/v1/rollouts/{made.json()['id']}/resume", json={}).status_code == 403


def test_who_watches_goes_on_when_the_server_was_started_anew(tmp_path: Path, bundle_folders: dict[int, Path]) -> None:
    before = ServerProcess(tmp_path)
    for folder in bundle_folders.values():
        before.harness.publish(folder)
    before.harness.assign("digits", 1)
    started = dctwire(before.harness, "start", "digits", "2", "--plan", plan(tmp_path, WAITING), "--json")
    name = json.loads(started.output)["id"]
    command = [sys.executable, "-c", "from cloud_server.cli.app import main; main()", "rollout", "watch", name]
    environment = os.environ | before.harness.as_operator
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as watching:
        assert watching.stdout is not None
        assert any("stage 1 of 2" in line for line in watching.stdout)
        port = before.harness.addresses["operator"].rpartition(":")[2]
        before.kill()
        after = ServerProcess(tmp_path, operator_port=port)
        assert dctwire(after.harness, "abort", name).exit_code == 0
        said = watching.stdout.read().splitlines()
    assert (watching.returncode, said[-1].endswith("aborted")) == (4, True), said
    assert after.terminate() == 0


def test_the_devices_that_a_rollout_reached_are_listed_in_that_order_each_with_what_became_of_it(
    server: ServerHarness, tmp_path: Path
) -> None:
    fleet = Fleet.of(server, {1: tables(50), 2: tables(25)}, 3)
    first, second, left_out = (camera.device.device_id for camera in fleet.cameras)
    for device in (first, second):
        server.client("operator").post(f"/v1/devices/{device}/tags", json={"add": ["site=lab"]}).raise_for_status()
    stages = [{"percent": 100, "tags": ["site=lab"], "min_devices": 9}, {"percent": 100}]
    started = dctwire(server, "start", "digits", "2", "--plan", plan(tmp_path, {"stages": stages}), "--json")
    name = json.loads(started.output)["id"]

    def listed(*words: str) -> list[tuple[str, str, int]]:
        found = json.loads(dctwire(server, "devices", name, "--json", *words).output)["devices"]
        assert [row["exposed_at"] for row in found] == sorted(row["exposed_at"] for row in found)
        return [(row["device_id"], row["outcome"], row["proofs"]) for row in found]

    def are_confirmed(*cameras: Camera) -> bool:
        Fleet(server, fleet.tables, list(cameras)).post(3)
        confirmed = {device for device, *_ in listed("--outcome", "confirmed")}
        return confirmed == {camera.device.device_id for camera in cameras}

    assert dctwire(server, "devices", name).output == "No device was reached yet.\n"
    assert dctwire(server, "devices", name, "--outcome", "pending").output == "No device is like that yet.\n"
    wait_until(lambda: json.loads(dctwire(server, "status", name, "--json").output)["state"] == "stage")
    assert "stage 1 of 2 (100 % of site=lab)" in dctwire(server, "list").output
    wait_until(lambda: are_confirmed(fleet.cameras[1]))
    wait_until(lambda: are_confirmed(*fleet.cameras[:2]))
    assert [device for device, *_ in listed()] == [second, first]
    assert all(proofs >= 3 for *_, proofs in listed())
    assert listed("--outcome", "timed-out") == []
    shown = dctwire(server, "devices", name).output
    assert left_out not in shown
    assert all(said in shown for said in (first, second, "confirmed"))
    assert "name" not in shown
    server.client("operator").put(f"/v1/devices/{second}/name", json={"name": "north gate"}).raise_for_status()
    assert "north gate" in dctwire(server, "devices", name).output
    refused = dctwire(server, "devices", name, "--outcome", "gone")
    assert (refused.exit_code, "timed-out" in refused.output) == (1, True)
    assert dctwire(server, "devices", "aaaaaaaa").exit_code == 1


def test_another_rollout_takes_the_place_only_where_that_is_said(server: ServerHarness, tmp_path: Path) -> None:
    file = plan(tmp_path, WAITING)
    assert dctwire(server, "start", "digits", "2", "--plan", file).exit_code == 0
    refused = dctwire(server, "start", "digits", "2", "--plan", file)
    assert (refused.exit_code, "--supersede" in refused.output) == (1, True)
    assert "dctwire rollout list" in refused.output
    mistyped = dctwire(server, "status", "k3vq")
    assert (mistyped.exit_code, "dctwire rollout list" in mistyped.output) == (1, True)
    assert dctwire(server, "start", "digits", "2", "--plan", file, "--supersede").exit_code == 0
    rows = json.loads(dctwire(server, "list", "--json").output)["rollouts"]
    assert [row["state"] for row in rows][1:] == ["superseded", "complete"]
    assigned = CliRunner().invoke(app, ["assign", "digits", "2"], env=server.as_operator)
    assert (assigned.exit_code, f"rollout {rows[0]['id']} of digits ended" in assigned.stderr) == (0, True)
    again = CliRunner().invoke(app, ["assign", "digits", "2", "--json"], env=server.as_operator)
    assert (json.loads(again.stdout)["superseded"], again.stderr) == (None, "")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("plan.json", b"{", "is no JSON"),
        ("plan.toml", b"stages = ", "is no TOML"),
        ("plan.toml", b"[[stages]]\npercent = 50", "plan: the last stage has to reach everybody"),
        ("plan.toml", b"[[stages]]\npercent = 50", "docs/rollouts.md says what a plan holds"),
        ("plan.toml", b"starts_at = 2026-12-01T10:00:00Z\n[[stages]]\npercent = 100", "datetime"),
        ("plan.toml", b"soak_seconds = nan\n[[stages]]\npercent = 100", "holds no plan"),
        ("plan.json", b'{"stages": [{"percent": 1e999}]}', "holds no plan"),
        ("plan.json", b'{"stages": [{"percent": 100, "tags": ["\\ud800"]}]}', "holds no plan"),
        ("plan.json", b"null", "is an object with stages"),
        ("plan.json", b"\xff\xfe", "is no JSON"),
        ("plan.json", b"[" * 100_000, "is no JSON"),
        ("plan.toml", b"a = " + b"[" * 100_000, "is no TOML"),
        ("plan.json", b'{"starts_at": 1800000000000, "stages": [{"percent": 100}]}', "it is in seconds since 1970"),
    ],
)
def test_a_file_that_is_no_plan_is_refused_with_what_is_wrong(
    server: ServerHarness, tmp_path: Path, name: str, text: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(text)
    refused = dctwire(server, "start", "digits", "2", "--plan", str(tmp_path / name))
    assert (refused.exit_code, said in refused.output) == (1, True), refused.output


def test_the_standard_plan_is_printed_and_taken_as_it_is(server: ServerHarness, tmp_path: Path) -> None:
    printed = dctwire(server, "plan").output
    (tmp_path / "own.json").write_text(printed)
    own = json.loads(dctwire(server, "start", "digits", "2", "--plan", str(tmp_path / "own.json"), "--json").output)
    dctwire(server, "abort", own["id"])
    standard = json.loads(dctwire(server, "start", "digits", "2", "--json").output)
    plans = [server.client("operator").get(f"/v1/rollouts/{each['id']}").json()["plan"] for each in (own, standard)]
    assert plans[0] == plans[1]
    assert [stage["percent"] for stage in plans[0]["stages"]] == [1, 5, 25, 100]


STAGES = (
    {"percent": 5.0, "tags": ["site=north"], "gates": [{"kind": "bytes"}]},
    {"percent": 100.0, "tags": [], "gates": []},
)


def document(**changes: object) -> dict[str, object]:
    """A rollout that a gate has paused in its first stage of two, or as changed."""
    return {
        "id": "k3vq7x2a",
        "family": "digits",
        "old_counter": 1,
        "counter": 2,
        "state": "paused",
        "stage": 0,
        "stages": 2,
        "percent": 5.0,
        "tags": [],
        "version": 7,
        "paused_why": "gate",
        "state_since": 7200.0,
        "created_at": 0.0,
        "created_by": "ada",
        "ended_at": None,
        "note": "smaller\x1b[31m tables",
        "plan": {"stages": STAGES},
        "devices": {"confirmed": 17, "timed_out": 2},
        "verdicts": [{"opinion": "fail", "at": 60.0, "words": "bytes a frame +31 % (limit +5 %)"}] * 14,
    } | changes


def bars(**changes: object) -> list[tuple[bool, int]]:
    """Of each stage whether the rollout is in it, and how many cells of its bar are full."""
    lines = [line for line in described(document(**changes), 7200.0).splitlines() if "░" in line or "█" in line]
    return [(line.startswith(">"), line.count("█")) for line in lines]


def test_bars_are_full_as_far_as_devices_are_exposed() -> None:
    assert bars() == [(True, 1), (False, 0)]
    assert bars(state="stage", stage=1) == [(False, 1), (True, 15)]
    assert bars(state="preflight", stage=None) == [(False, 0), (False, 0)]
    assert bars(state="complete", stage=2, ended_at=7200.0) == [(False, 1), (False, 15)]
    assert bars(state="rolling-back") == [(True, 0), (False, 0)]
    for state in ("rolled-back", "aborted", "superseded"):
        assert bars(state=state, ended_at=7200.0) == [(False, 0), (False, 0)]


def test_where_a_rollout_stands_names_its_stage_only_while_it_is_in_one() -> None:
    stands = {
        ("stage", 1): "stage 2 of 2 (5 %)",
        ("paused", None): "paused: a gate failed, or too many devices did",
        ("paused", 2): "paused: a gate failed, or too many devices did",
        ("soak", 2): "soak",
        ("rolling-back", 0): "rolling-back",
    }
    assert {key: one_line(document(state=key[0], stage=key[1]))["stands"] for key in stands} == stands


def test_a_stage_of_the_standard_plan_fits_80_columns() -> None:
    stages = standard().model_dump(mode="json")["stages"]
    text = described(document(state="stage", plan={"stages": stages}, verdicts=[]), 7200.0)
    assert max(map(len, text.splitlines())) <= 80, text


def test_of_many_verdicts_the_newest_are_shown_and_no_name_reaches_the_terminal_as_it_is() -> None:
    words = [{"opinion": "hold", "at": 60.0, "words": f"verdict {number}."} for number in range(14)]
    text = described(document(verdicts=words, created_by="ada\x1b[31m"), 7200.0)
    assert "verdict 13." in text
    assert "verdict 1." not in text
    assert "\x1b" not in text


def test_a_rollout_is_shown_with_its_stages_devices_and_verdicts() -> None:
    text = described(document(), 7200.0 + 7 * 60)
    assert "\x1b" not in text
    for said in (
        "digits  v1 > v2  paused in stage 1 of 2: a gate failed, or too many devices did",
        "so since 1970-01-01 02:00:00Z (7 min)",
        "Version 7, as --if-version takes it",
        ">  1      5 %  █░",
        "bytes  site=north",
        "17  confirmed by their frames",
        " 2  overdue",
        "Gates (the last 12 of 14 verdicts)",
        "FAIL  1970-01-01 00:01:00Z  bytes a frame +31 % (limit +5 %)",
    ):
        assert said in text, text
    assert one_line(document(state="stage", old_counter=None)) == {
        "led": "nothing > v2",
        "stands": "stage 1 of 2 (5 %)",
    }
    assert one_line(document(state="stage", tags=["site=lab"]))["stands"] == "stage 1 of 2 (5 % of site=lab)"
