"""`dctwire devices`, as a person types it."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import update

from cloud_server.fleet.heartbeats import HEARD_SECONDS
from cloud_server.storage.schema import heartbeats
from tests.cloud_server.cli.test_cli import Operator
from tests.cloud_server.fleet.test_heartbeats import LEAST
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.feedback import answered
from tests.cloud_server.harness.frames import tables
from tests.cloud_server.harness.server import server_in_thread


@pytest.fixture
def operator(tmp_path: Path) -> Iterator[Operator]:
    """An operator with a terminal of 80 columns, and a server with digits/1 and digits/2, the first one assigned."""
    with server_in_thread(tmp_path / "server") as harness:
        for counter in (1, 2):
            write_bundle(tmp_path / f"v{counter}", "digits", counter, tables(25 * counter), seed=counter)
            harness.publish(tmp_path / f"v{counter}")
        harness.assign("digits", 1)
        yield Operator(harness, COLUMNS="80")


def test_what_is_done_to_a_device_is_shown_in_the_list_of_all_and_counted(operator: Operator) -> None:
    device, neighbour = (operator.harness.enrol("digits").device_id for _ in range(2))
    plain = operator.type("devices").stdout
    assert "marks" not in plain and "tags" not in plain and "name" not in plain
    said = [
        operator.type("devices", "rename", device, "north gate"),
        operator.type("devices", "tag", device, "site=north", "roof"),
        operator.type("devices", "pin", device, "2"),
        operator.type("devices", "quarantine", device, "--reason", "lens is dirty"),
    ]
    assert [result.stdout for result in said] == [
        f"{device} is called north gate.\n",
        f"{device} has the tags roof, site=north.\n",
        f"{device} is to run digits/2. To end that: dctwire devices unpin {device}\n",
        f"{device} is in quarantine. It is to run digits/2. To end that: dctwire devices release {device}\n",
    ]
    shown = operator.type("devices").stdout
    assert all(len(line) <= 80 for line in shown.splitlines()), shown
    for word in ("north gate", "roof", "site=north", "pinned to 2", "in quarantine", device, neighbour):
        assert word in shown, shown
    status = operator.type("status").stdout
    assert "quarantined" in status and "pinned" in status and "revoked" not in status
    said = [
        operator.type("devices", "untag", device, "site"),
        operator.type("devices", "untag", device, "roof"),
        operator.type("devices", "rename", device, ""),
        operator.type("devices", "release", device),
        operator.type("devices", "unpin", device),
        operator.type("devices", "clear-clone", device),
    ]
    assert [result.stdout for result in said] == [
        f"{device} has the tags roof.\n",
        f"{device} has no tags.\n",
        f"{device} has no name.\n",
        f"{device} is no longer in quarantine. It is to run digits/2.\n",
        f"{device} is no longer pinned. It is to run digits/1.\n",
        f"{device} is taken to be one device.\n",
    ]
    assert operator.type("devices").stdout == plain


def test_a_list_is_narrowed_by_options(operator: Operator) -> None:
    device, neighbour = (operator.harness.enrol("digits") for _ in range(2))
    answered(device)
    operator.type("devices", "tag", neighbour.device_id, "site=north")
    for options, wanted in (
        (["--tag", "site"], [neighbour.device_id]),
        (["--seen-after", "2026-01-01"], [device.device_id]),
        (["--seen-before", "2026-01-01", "--not-revoked"], [neighbour.device_id]),
        (["--family", "others"], []),
    ):
        found = operator.ask("devices", *options)["devices"]
        assert [row["device_id"] for row in found] == wanted
    assert "No device is like that" in operator.type("devices", "--family", "others").stdout


def test_tables_are_named_as_lists_have_them_and_others_are_refused_with_the_forms(operator: Operator) -> None:
    device, _ = (operator.harness.enrol("digits") for _ in range(2))
    answered(device)
    (found,) = operator.ask("devices", "--tables", "v2")["devices"]
    assert found["device_id"] == device.device_id
    for slip in ("3", "V3", "v", "all"):
        refused = operator.type("devices", "--tables", slip)
        assert refused.exit_code == 2 and "such as v3" in " ".join(refused.stderr.split()), refused.stderr


def test_one_device_is_shown_in_full(operator: Operator) -> None:
    device = operator.harness.enrol("digits").device_id
    operator.type("devices", "quarantine", device, "--reason", "lens is dirty")
    shown = operator.type("devices", "show", device).stdout
    for words in (
        f"device          {device}\n",
        "should run      1\n",
        "lens is dirty (since 20",
        "last heartbeat  -\n",
    ):
        assert words in shown, shown
    assert operator.ask("devices", "show", device)["quarantine"]["reason"] == "lens is dirty"


def test_the_last_heartbeat_is_shown_in_lines_with_units_and_to_programs_as_it_came(operator: Operator) -> None:
    device = operator.harness.enrol("digits")
    told = LEAST | {
        "uptime_seconds": 93_784.0,
        "boots": 3,
        "features": ["gray", "huffman"],
        "active": {"target": "digits/1.json", "tables": "00112233aabbccdd"},
        "trial": {"target": "digits/2.json", "proofs": 1, "boots": 0},
        "outcome": {"seq": 7, "event": "rolled-back", "target": "digits/3.json", "code": "crashed", "reason": "twice"},
        "encode_seconds_median": 0.0123,
        "highest_sequence": 41,
        "spool": {"frames": 5, "bytes": 700, "dropped": 2},
        "tuf": {"root_version": 1, "targets_version": 4, "signed_at": "2026-11-29T07:15:00Z", "is_stale": True},
        "time_floor": "2026-11-29T07:15:00Z",
    }
    assert device.http.post("/v1/heartbeat", json=told).status_code == 204
    shown = operator.type("devices", "show", device.device_id).stdout
    assert "{" not in shown and "None" not in shown and "null" not in shown
    for line in (
        "  running for           1 d 2 h; 3 starts in all\n",
        "  in use                digits/1.json (tables 00112233aabbccdd)\n",
        "  to be proven          digits/2.json: 1 proof, 0 starts\n",
        "  update                digits/3.json rolled-back (assignment 7): crashed, twice\n",
        "  frames that wait      5 (700 bytes); 2 dropped since it was enrolled\n",
        "  highest number        41\n",
        "  encodes a frame in    12.3 ms (median)\n",
        "  reads schemas         1, 2\n",
        "  encoder can           gray, huffman\n",
        "  signed metadata       root 1, list 4, signed 2026-11-29T07:15:00Z, expired\n",
        "  time is past          2026-11-29T07:15:00Z\n",
    ):
        assert line in shown, shown
    untold = {"settings": None, "condition": None}
    assert operator.ask("devices", "show", device.device_id)["heartbeat"] == told | untold
    assert device.http.post("/v1/heartbeat", json=LEAST).status_code == 204
    shown = operator.type("devices", "show", device.device_id).stdout
    assert "  running for           1 s; 1 start in all\n" in shown and "None" not in shown and "in use" not in shown


def test_a_trial_is_shown_with_its_age_and_whether_the_device_has_fallen_silent(operator: Operator) -> None:
    device = operator.harness.enrol("digits")
    assert "trial" not in operator.type("status").stdout
    on_trial = {"trial": {"target": "digits/2.json", "proofs": 1, "boots": 0}}
    assert device.http.post("/v1/heartbeat", json=LEAST | on_trial).status_code == 204
    since = operator.ask("status")["families"][0]["oldest_trial_since"]
    shown = f"{datetime.fromtimestamp(since, UTC):%Y-%m-%d %H:%M:%S}Z"
    status = operator.type("status").stdout
    assert "on trial since" in status and shown in status and "silent" not in status
    assert (
        f"on trial        digits/2.json (since {shown})\n" in operator.type("devices", "show", device.device_id).stdout
    )
    assert "on trial" in operator.type("devices", "--on-trial").stdout
    with operator.harness.database() as connection:
        connection.execute(update(heartbeats).values(received_at=time.time() - HEARD_SECONDS - 1))
    assert "silent on trial" in operator.type("status").stdout
    full = operator.type("devices", "show", device.device_id).stdout
    assert f"(since {shown}; it has told nothing for two days)" in full
    assert "on trial, silent" in operator.type("devices").stdout


def test_a_device_is_forgotten_only_where_that_is_confirmed(operator: Operator) -> None:
    device = operator.harness.enrol("digits").device_id
    asked = operator.type("devices", "forget", device)
    assert asked.exit_code == 1 and f"{device} of digits would be forgotten" in asked.stderr and "--yes" in asked.stderr
    assert operator.type("devices", "show", device).exit_code == 0
    done = operator.type("devices", "forget", device, "--yes")
    assert done.stdout == f"{device} is let in no more, and its data are being deleted.\n"
    shown, pinned = operator.type("devices", "show", device), operator.type("devices", "pin", device, "2")
    for refused in (shown, pinned):
        assert refused.exit_code == 1
        assert refused.stderr.count(f"device {device} was forgotten 20") == 1 and "dctwire claim" in refused.stderr
    assert "is enrolled" not in shown.stderr and "Did you mean" not in shown.stderr + pinned.stderr


def test_what_is_not_there_is_named_with_the_nearest(operator: Operator) -> None:
    device = operator.harness.enrol("digits").device_id
    slip = device[:-1] + ("a" if device[-1] != "a" else "b")
    for words in (["show", slip], ["pin", slip, "2"], ["tag", slip, "x"]):
        result = operator.type("devices", *words)
        assert result.exit_code == 1 and f"Did you mean {device}?" in result.stderr
    missing = operator.type("devices", "pin", device, "9")
    assert missing.exit_code == 1 and "dctwire bundles" in missing.stderr and "no device" not in missing.stderr
