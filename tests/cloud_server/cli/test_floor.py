"""The floor on the operator's command line: what would fall is named before, what has fallen is marked after."""

import json
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from cloud_server.cli.app import app
from shared.trust import Role, Target, load_key, next_targets
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.frames import tables
from tests.cloud_server.harness.rollouts import EVERYBODY, begun
from tests.cloud_server.harness.server import ServerHarness, server_in_thread


def typed(harness: ServerHarness, *words: str) -> tuple[int, str]:
    """Exit status and all that a command of the operator says."""
    result = CliRunner().invoke(app, words, env=harness.as_operator)
    return result.exit_code, " ".join(result.output.split())


def document(harness: ServerHarness, *words: str) -> Any:
    """What a command tells programs."""
    return json.loads(CliRunner().invoke(app, [*words, "--json"], env=harness.as_operator).stdout)


def write(folder: Path, counter: int, min_counter: int = 1) -> tuple[str, ...]:
    """Export a bundle; returns the words that publish it."""
    write_bundle(folder / str(counter), "digits", counter, tables(50 + counter), seed=counter, min_counter=min_counter)
    return "publish", str(folder / str(counter)), "--keys", str(folder / "server" / "keys")


def test_what_would_take_the_assigned_bundle_away_is_refused_before_an_upload_and_taken_with_its_assignment(
    tmp_path: Path,
) -> None:
    with server_in_thread(tmp_path / "server") as harness:
        first = write(tmp_path, 1)
        assert typed(harness, *first, "--assign")[0] == 0
        blobs = sorted((tmp_path / "server" / "data" / "blobs").rglob("*"))
        publish = write(tmp_path, 2, min_counter=2)
        status, said = typed(harness, *publish)
        assert (status, "digits/1, which the family is assigned" in said) == (1, True), said
        assert "Next: Add --assign" in said and "--raise-floor" in said
        assert sorted((tmp_path / "server" / "data" / "blobs").rglob("*")) == blobs, "nothing was uploaded"

        status, said = typed(harness, *publish, "--assign")
        assert (status, "Warning" in said) == (0, False), said
        assert document(harness, "status")["families"][0]["assigned_is_below_floor"] is False
        refused = document(harness, "assign", "digits", "1")["error"]
        assert (refused["code"], "dctwire bundles" in refused["next"]) == ("below-floor", True)
        refused = document(harness, *first, "--assign")["error"]
        assert (refused["code"], "see: dctwire bundles" in refused["next"]) == ("below-floor", True)


def test_a_pinned_device_keeps_its_bundle_unless_everything_may_fall_and_is_marked_then(tmp_path: Path) -> None:
    with server_in_thread(tmp_path / "server") as harness:
        for counter in (1, 2):
            assert typed(harness, *write(tmp_path, counter), "--assign")[0] == 0
        device = harness.enrol("digits").device_id
        assert typed(harness, "devices", "pin", device, "1")[0] == 0
        publish = write(tmp_path, 3, min_counter=2)
        status, said = typed(harness, *publish, "--assign")
        assert (status, device in said, "dctwire devices pin" in said) == (1, True, True), said
        assert "Next: Give devices that the error names" in said and "--assign" not in said.partition("Next:")[2]

        status, said = typed(harness, *publish, "--raise-floor")
        assert (status, f"1 pinned and 0 quarantined: {device}" in said) == (0, True), said
        assert "Next: dctwire devices pin DEVICE COUNTER" in said
        assert document(harness, *publish)["below_floor"]["devices"] == [device], "also when it is repeated"
        assert "1 (below the floor 2)" in typed(harness, "devices", "show", device)[1]
        assert "below the floor" in typed(harness, "devices")[1]
        assert "held below the floor" in typed(harness, "status")[1]
        assert device in typed(harness, "assign", "digits", "3")[1]
        quarantined = typed(harness, "devices", "quarantine", device, "--reason", "dirty")[1]
        assert "digits/1, which is below the floor 2" in quarantined
        for part in ("unpin", "release"):
            said = typed(harness, "devices", part, device)[1]
        assert "It is to run digits/3." in said
        assert "below" not in typed(harness, "status")[1] + typed(harness, "devices")[1]


def test_a_list_that_others_signed_is_pushed_by_the_same_rule(tmp_path: Path) -> None:
    with server_in_thread(tmp_path / "server") as harness:
        for counter in (1, 2):
            assert typed(harness, *write(tmp_path, counter))[0] == 0
        assert typed(harness, "assign", "digits", "1")[0] == 0
        write(tmp_path, 3, min_counter=3)
        client, file = harness.client("operator"), tmp_path / "signed.json"
        current = client.get("/v1/tuf/digits/targets").content
        data = (tmp_path / "3" / "bundle.json").read_bytes()
        added = Target("digits/3.json", data, {"min_counter": 3})
        signer = load_key(harness.keys, Role.TARGETS)
        file.write_bytes(next_targets("digits", current, [signer], datetime.now(UTC), added=added))
        push = ("trust", "push", str(file), "--keys", str(harness.keys))
        status, said = typed(harness, *push)
        assert (status, "digits/1, which the family is assigned" in said, "--raise-floor" in said) == (1, True, True)
        status, said = typed(harness, *push, "--raise-floor")
        assert (status, "below the floor 3 of digits is digits/1" in said) == (0, True), said
        assert "below the floor" in typed(harness, "bundles")[1]
        assert "below the floor" in typed(harness, "status")[1]


def test_a_server_that_a_backup_took_behind_gets_its_floor_back_and_says_what_to_assign(tmp_path: Path) -> None:
    with server_in_thread(tmp_path / "server") as harness:
        assert typed(harness, *write(tmp_path, 1), "--assign")[0] == 0
    shutil.copytree(tmp_path / "server" / "data", tmp_path / "backup")
    with server_in_thread(tmp_path / "server") as harness:
        assert typed(harness, *write(tmp_path, 2, min_counter=2), "--assign")[0] == 0
    shutil.rmtree(tmp_path / "server" / "data")
    shutil.copytree(tmp_path / "backup", tmp_path / "server" / "data")
    with server_in_thread(tmp_path / "server") as harness:
        status, said = typed(harness, "trust", "restore", "--keys", str(harness.keys))
        assert (status, "Published again: digits/2" in said) == (0, True), said
        assert "digits/1, which the family is assigned" in said and "dctwire assign digits COUNTER" in said
        status, said = typed(harness, "assign", "digits", "2")
        assert (status, "Warning" in said) == (0, False), said


def test_above_what_a_rollout_leads_to_the_floor_is_not_raised_and_that_is_said_before_an_upload(
    tmp_path: Path,
) -> None:
    with server_in_thread(tmp_path / "server") as harness:
        for counter in (1, 2):
            assert typed(harness, *write(tmp_path, counter))[0] == 0
        assert typed(harness, "assign", "digits", "1")[0] == 0
        with harness.database() as database:
            row = begun(database, [EVERYBODY], now=time.time())
        blobs = sorted((tmp_path / "server" / "data" / "blobs").rglob("*"))
        status, said = typed(harness, *write(tmp_path, 3, min_counter=3), "--assign")
        assert (status, f"digits/2, to which rollout {row.id} leads devices" in said) == (1, True), said
        assert sorted((tmp_path / "server" / "data" / "blobs").rglob("*")) == blobs, "nothing was uploaded"
