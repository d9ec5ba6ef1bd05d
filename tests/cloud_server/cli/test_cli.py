"""The operator's commands, run as an operator runs them, against a real server."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cloud_server.cli.app import app
from cloud_server.cli.samples import what_was_exported
from cloud_server.command import cli
from shared.wire import SEQUENCE_ALWAYS_MAX
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.devices import joining
from tests.cloud_server.harness.fallbacks import write_fallback
from tests.cloud_server.harness.feedback import KEEP_ALL, kept
from tests.cloud_server.harness.frames import frame, tables
from tests.cloud_server.harness.server import ServerHarness, server_in_thread


class Operator:
    """Types commands."""

    def __init__(self, harness: ServerHarness, **variables: str) -> None:
        self.harness = harness
        self._env = harness.as_operator | {"COLUMNS": "160"} | variables

    def type(self, *words: str | Path) -> Result:
        """Run `dctwire WORDS`."""
        return CliRunner().invoke(app, [str(word) for word in words], env=self._env)

    def ask(self, *words: str | Path) -> Any:
        """Run `dctwire WORDS --json` and parse what it prints."""
        result = self.type(*words, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)


@pytest.fixture
def operator(tmp_path: Path) -> Iterator[Operator]:
    """An operator with a server of their own."""
    with server_in_thread(tmp_path / "server") as harness:
        yield Operator(harness)


def test_a_first_session_from_publish_to_status(operator: Operator, tmp_path: Path) -> None:
    keys = operator.harness.keys
    for counter in (1, 2):
        write_bundle(tmp_path / f"v{counter}", "digits", counter, tables(75 - 25 * counter), seed=counter)
    published = operator.ask("publish", tmp_path / "v1", "--keys", keys, "--assign")
    assert (published["target"], published["assignment"]["counter"]) == ("digits/1.json", 1)

    code = operator.type("claim", "digits").stdout.strip()
    http = operator.harness.client("device")
    token = http.post("/v1/devices", json=joining(code)).json()["token"]
    http.headers["authorization"] = f"Bearer {token}"
    http.post("/v1/frames", content=frame(tables(50)), headers={"dw-sequence": "0"})

    said = operator.type("publish", tmp_path / "v2", "--keys", keys)
    assert "Next: dctwire assign digits 2" in said.stdout
    assert "dctwire rollout start digits 2" in said.stdout
    assert operator.ask("assign", "digits", "2")["seq"] > published["assignment"]["seq"]
    assert [row["is_assigned"] for row in operator.ask("bundles")["bundles"]] == [False, True]
    assert [row["last_tables"] for row in operator.ask("devices")["devices"]] == ["v1"]
    nobody: dict[str, Any] = {
        "assigned_is_below_floor": False,
        "held_below_floor": 0,
        "pinned": 0,
        "quarantined": 0,
        "revoked": 0,
        "suspected_clones": 0,
    }
    nobody |= {"on_trial": 0, "silent_on_trial": 0, "oldest_trial_since": None}
    assert operator.ask("status")["families"] == [
        {"family": "digits", "bundles": 2, "assigned": "v2", "devices": 1, "failed": 0, "up_to_date": 0, **nobody}
    ]
    http.post("/v1/frames", content=frame(tables(25)), headers={"dw-sequence": "1"})
    assert operator.ask("status")["families"][0]["up_to_date"] == 1


def test_a_fallback_is_published_like_a_bundle_listed_apart_released_and_never_assigned(
    operator: Operator, tmp_path: Path
) -> None:
    fallback = write_fallback(tmp_path / "any", "digits")
    said = operator.type("publish", tmp_path / "any", "--keys", operator.harness.keys)
    short = fallback.name.removeprefix("digits/")
    assert said.stdout == f"{fallback.name} is published.\nNext: dctwire fallback release digits {short}\n"
    document = operator.ask("bundles")
    assert document["bundles"] == []
    (row,) = document["fallbacks"]
    assert (row["name"], row["state"], row["is_released"]) == (fallback.name, "cold", False)
    assert operator.ask("publish", tmp_path / "any", "--keys", operator.harness.keys, "--release")["released"] == {
        "family": "digits",
        "name": fallback.name,
    }
    (row,) = operator.ask("bundles")["fallbacks"]
    assert (row["state"], row["precision"], row["is_released"]) == ("loaded", "fp32", True)
    assert fallback.name in operator.type("bundles").stdout
    refused = operator.type("publish", tmp_path / "any", "--keys", operator.harness.keys, "--assign")
    assert refused.exit_code == 1
    assert "say --release, not --assign" in refused.output
    write_bundle(tmp_path / "v1", "digits", 1, tables(50))
    refused = operator.type("publish", tmp_path / "v1", "--keys", operator.harness.keys, "--release")
    assert (refused.exit_code, "say --assign, not --release" in refused.output) == (1, True)


def test_an_empty_server_says_what_comes_next(operator: Operator) -> None:
    for command, next_step in (
        ("bundles", "dctwire publish"),
        ("devices", "dctwire claim"),
        ("status", "dctwire publish"),
    ):
        result = operator.type(command)
        assert result.exit_code == 0
        assert next_step in result.stdout


def test_tables_are_readable(operator: Operator, tmp_path: Path) -> None:
    write_bundle(tmp_path / "v1", "digits", 1, tables(50))
    assert operator.type("publish", tmp_path / "v1", "--keys", operator.harness.keys, "--assign").exit_code == 0
    shown = operator.type("bundles").stdout
    assert "digits" in shown
    assert tables(50).tables_id in shown


def test_publishing_twice_is_no_error_says_so_and_changes_nothing(operator: Operator, tmp_path: Path) -> None:
    write_bundle(tmp_path / "v1", "digits", 1, tables(50))
    fallback = write_fallback(tmp_path / "any", "digits")
    for folder, name, options in (("v1", "digits/1", ["--assign"]), ("any", fallback.name, [])):
        publish = ["publish", str(tmp_path / folder), "--keys", str(operator.harness.keys), *options]
        first, before = operator.ask(*publish), seen_by_anyone(operator)
        assert operator.ask(*publish) == first
        again = operator.type(*publish)
        assert (again.exit_code, f"{name} was published already" in again.stdout) == (0, True)
        assert seen_by_anyone(operator) == before


@pytest.mark.parametrize("change", [{"lapping": {"taps": [0.5]}}, {"schema": 3}])
def test_a_bundle_that_asks_for_what_nobody_can_do_yet_is_not_signed_and_the_way_on_is_an_update(
    operator: Operator, tmp_path: Path, change: dict[str, Any]
) -> None:
    bundle = write_bundle(tmp_path / "v1", "digits", 1, tables(50))
    fields = json.loads(bundle.to_bytes()) | change
    (tmp_path / "v1" / "bundle.json").write_text(json.dumps(fields, sort_keys=True, separators=(",", ":")))
    before = seen_by_anyone(operator)
    refused = operator.type("publish", tmp_path / "v1", "--keys", operator.harness.keys, "--json")
    error = json.loads(refused.stdout)["error"]
    assert (refused.exit_code, error["code"], error["next"][:14]) == (1, "unsupported-bundle", "Update dctwire")
    assert seen_by_anyone(operator) == before


def seen_by_anyone(operator: Operator) -> list[Any]:
    """What is listed, and what devices fetch."""
    http = operator.harness.client("device")
    return [operator.ask("bundles"), http.get("/tuf/digits/timestamp.json").json().get("signed")]


def test_the_same_counter_with_other_contents_is_refused_and_the_way_on_is_a_higher_counter(
    operator: Operator, tmp_path: Path
) -> None:
    write_bundle(tmp_path / "v1", "digits", 1, tables(50))
    write_bundle(tmp_path / "other", "digits", 1, tables(40))
    operator.ask("publish", tmp_path / "v1", "--keys", operator.harness.keys)
    before = seen_by_anyone(operator)
    refused = operator.type("publish", tmp_path / "other", "--keys", operator.harness.keys, "--json")
    assert refused.exit_code == 1
    error = json.loads(refused.stdout)["error"]
    assert (error["code"], "counter" in error["next"]) == ("conflict", True)
    assert seen_by_anyone(operator) == before


@pytest.mark.parametrize("name", ["classifier.onnx", "labels.json", "golden.json", "bundle.json"])
def test_a_folder_with_a_file_missing_or_changed_is_not_sent(operator: Operator, tmp_path: Path, name: str) -> None:
    write_bundle(tmp_path / "v1", "digits", 1, tables(50))
    path = tmp_path / "v1" / name
    path.write_bytes(path.read_bytes() + b" ")
    changed = operator.type("publish", tmp_path / "v1", "--keys", operator.harness.keys)
    path.unlink()
    missing = operator.type("publish", tmp_path / "v1", "--keys", operator.harness.keys)
    for result in (changed, missing):
        assert result.exit_code == 1
        assert "dctwire-trainer export" in result.stderr


def test_the_wrong_keys_are_named(operator: Operator, tmp_path: Path) -> None:
    write_bundle(tmp_path / "v1", "digits", 1, tables(50))
    result = operator.type("publish", tmp_path / "v1", "--keys", tmp_path / "nowhere")
    assert result.exit_code == 1
    assert "nowhere" in result.stderr
    assert "dctwire trust init" in result.stderr


def test_keys_that_are_missing_and_keys_of_another_server_are_told_apart(operator: Operator, tmp_path: Path) -> None:
    write_bundle(tmp_path / "v1", "digits", 1, tables(50))
    (tmp_path / "empty").mkdir()
    words = ["trust", "init", "--keys", str(tmp_path / "others"), "--data", str(tmp_path / "others-data")]
    assert CliRunner().invoke(app, words).exit_code == 0
    told = {
        keys: json.loads(operator.type("publish", tmp_path / "v1", "--keys", tmp_path / keys, "--json").stdout)["error"]
        for keys in ("nowhere", "empty", "others")
    }
    assert {keys: error["code"] for keys, error in told.items()} == {
        "nowhere": "no-keys",
        "empty": "no-keys",
        "others": "other-keys",
    }
    assert told["nowhere"]["detail"] == f"there is no folder {tmp_path / 'nowhere'}"
    assert told["empty"]["detail"] == f"{tmp_path / 'empty'} holds no keys: targets.pem is missing"
    assert "others are not this server's" in told["others"]["detail"]
    assert not any("clock" in error["next"] for error in told.values())


@pytest.mark.parametrize("name", ["Bad Family", "-door", "a" * 64, ""])
def test_what_no_family_can_be_called_is_said_in_words(operator: Operator, name: str) -> None:
    for words in (("claim", "--", name), ("assign", "--", name, "1"), ("samples", "list", f"--family={name}")):
        done = operator.type(*words)
        assert done.exit_code == 1
        assert "lower case letters, digits and hyphens, at most 63" in done.stderr
        assert "pattern" not in done.stderr


@pytest.mark.parametrize("words", [("report", "digits"), ("samples", "list")])
def test_what_is_no_time_is_answered_with_the_forms_that_are_taken(
    operator: Operator, tmp_path: Path, words: tuple[str, ...]
) -> None:
    refused = operator.type(*words, "--since", "yesterday")
    assert refused.exit_code == 2
    assert "'yesterday' is no time" in refused.stderr
    assert "2026-11-01T12:00:00" in refused.stderr
    write_bundle(tmp_path / "v1", "digits", 1, tables(50))
    operator.ask("publish", tmp_path / "v1", "--keys", operator.harness.keys)
    for taken in ("2026-11-01", "2026-11-01T12:00:00", "2026-11-01T12:00:00+02:00", "2026-11-01 12:00"):
        assert operator.type(*words, "--since", taken).exit_code == 0


def test_an_assignment_of_nothing_says_where_to_look(operator: Operator) -> None:
    result = operator.type("assign", "digits", "7", "--json")
    assert result.exit_code == 1
    error = json.loads(result.stdout)["error"]
    assert (error["code"], error["next"]) == ("not-found", "See what is published with: dctwire bundles")


def test_brackets_in_an_error_are_shown_as_they_are(operator: Operator, tmp_path: Path) -> None:
    folder = tmp_path / "[/bold]"
    folder.mkdir(parents=True)
    result = operator.type("publish", folder, "--keys", operator.harness.keys)
    assert result.exit_code == 1
    assert "[/bold]/bundle.json is missing" in result.stderr


def test_a_server_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["bundles", "--server", "http://127.0.0.1:9"])
    assert result.exit_code == 1
    assert "dctwire-server run" in result.stderr


def test_keys_are_made_once_and_kept_private(tmp_path: Path) -> None:
    words = ["trust", "init", "--keys", str(tmp_path / "keys"), "--data", str(tmp_path / "data")]
    assert CliRunner().invoke(app, words).exit_code == 0
    kept = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    again = CliRunner().invoke(app, words)
    assert again.exit_code == 1
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == kept
    private = [path for path in kept if path.suffix in (".pem", ".key")]
    assert len(private) == 5
    assert {oct(path.stat().st_mode & 0o777) for path in private} == {"0o600"}
    assert sorted(path.name for path in (tmp_path / "keys").iterdir()) == ["root.json", "root.pem", "targets.pem"]
    online = ["enrolment.key", "root.json", "snapshot.pem", "timestamp.pem"]
    assert sorted(path.name for path in (tmp_path / "data" / "keys").iterdir()) == online


@pytest.mark.parametrize(("keys", "data"), [("file/keys", "data"), ("keys", "file/data"), ("file", "data")])
def test_a_path_that_cannot_be_is_explained_and_leaves_no_key(tmp_path: Path, keys: str, data: str) -> None:
    (tmp_path / "file").write_text("")
    words = ["trust", "init", "--keys", str(tmp_path / keys), "--data", str(tmp_path / data)]
    result = CliRunner().invoke(app, words)
    assert isinstance(result.exception, SystemExit)
    assert result.exit_code == 1
    assert f"{tmp_path}/file" in result.stderr
    assert not list(tmp_path.rglob("*.pem"))


def test_a_file_in_a_bundle_folders_place_is_explained(operator: Operator, tmp_path: Path) -> None:
    write_bundle(tmp_path / "v1", "digits", 1, tables(50))
    result = operator.type("publish", tmp_path / "v1" / "bundle.json", "--keys", operator.harness.keys)
    assert isinstance(result.exception, SystemExit)
    assert "Not a directory" in result.stderr
    told = operator.type("publish", tmp_path / "v1" / "bundle.json", "--keys", operator.harness.keys, "--json")
    assert json.loads(told.stdout)["error"]["code"] == "disk"


def test_a_family_that_nothing_is_published_for_is_warned_of_with_the_nearest_that_is(
    operator: Operator, tmp_path: Path
) -> None:
    assert "nothing is published for family doorbel yet" in operator.type("claim", "doorbel").stderr
    write_bundle(tmp_path / "v1", "doorbell", 1, tables(50))
    operator.ask("publish", tmp_path / "v1", "--keys", operator.harness.keys)
    claimed = operator.type("claim", "doorbel")
    assert claimed.exit_code == 0
    assert len(claimed.stdout.split()) == 1  # the code alone
    listed = operator.type("samples", "list", "--family", "doorbel")
    refused = operator.type("assign", "doorbel", "1")
    for result in (claimed, listed, refused):
        assert "Did you mean doorbell?" in result.stderr
    assert (listed.exit_code, refused.exit_code) == (0, 1)
    assert "Warning" not in operator.type("claim", "doorbell").stderr


def test_a_frame_of_a_device_that_nobody_enrolled_is_told_with_the_nearest_that_is(
    operator: Operator, tmp_path: Path
) -> None:
    write_bundle(tmp_path / "v1", "digits", 1, tables(50))
    operator.ask("publish", tmp_path / "v1", "--keys", operator.harness.keys)
    device = operator.harness.enrol("digits").device_id
    mistyped = ("b" if device[0] == "a" else "a") + device[1:]
    for words in (["get", f"{mistyped}.17"], ["label", f"{mistyped}.17", "seven"]):
        result = operator.type("samples", *words)
        assert (result.exit_code, f"no device {mistyped} is enrolled" in result.stderr) == (1, True)
        assert f"Did you mean {device}?" in result.stderr
    assert "no device" not in operator.type("samples", "get", f"{device}.17").stderr
    assert operator.type("devices", "show", mistyped).stderr.count(f"no device {mistyped} is enrolled") == 1
    assert f"Did you mean {device}?" in operator.type("devices", "show", mistyped).stderr


def test_an_export_of_an_unknown_family_names_the_known_ones_and_makes_no_folder(
    operator: Operator, tmp_path: Path
) -> None:
    for family in ("doorbell", "till"):
        write_bundle(tmp_path / family, family, 1, tables(50))
        operator.ask("publish", tmp_path / family, "--keys", operator.harness.keys)
    refused = operator.type("samples", "export", "dorbell", tmp_path / "field", "--json")
    assert refused.exit_code == 1
    error = json.loads(refused.stdout)["error"]
    assert error["code"] == "unknown-family"
    assert "Did you mean doorbell? There are: doorbell, till" in error["detail"]
    assert not (tmp_path / "field").exists()


@pytest.mark.parametrize("columns", ["40", "80", "200"])
def test_every_list_shows_ids_names_and_dates_whole_at_any_width(tmp_path: Path, columns: str) -> None:
    family = "a-family-whose-name-is-as-long-as-the-name-of-a-family-may-be-6"
    with server_in_thread(tmp_path / "server", **KEEP_ALL) as harness:
        write_bundle(tmp_path / "v1", family, 1234567890, tables(50))
        fallback = write_fallback(tmp_path / "any", family)
        for folder in ("v1", "any"):
            harness.publish(tmp_path / folder, may_jump=True)
        harness.assign(family, 1234567890)
        device = harness.enrol(family)
        sample = kept(harness, str(device.post(frame(tables(50)), sequence=SEQUENCE_ALWAYS_MAX).json()["id"]))
        operator = Operator(harness, COLUMNS=columns)
        shown = {words: operator.type(*words.split()).stdout for words in ("bundles", "devices", "status")}
        shown["samples list"] = operator.type("samples", "list").stdout
        shown["samples get"] = operator.type("samples", "get", sample["frame_id"], "--out", tmp_path / "x.jpg").stdout
        bundle = operator.ask("bundles")["bundles"][0]
    published = f"{datetime.fromtimestamp(bundle['registered_at'], UTC):%Y-%m-%d %H:%M:%S}Z"
    stored = f"{datetime.fromtimestamp(sample['stored_at'], UTC):%Y-%m-%d %H:%M:%S}Z"
    names = {
        "bundles": [
            bundle["name"],
            bundle["tables_id"],
            published,
            fallback.name,
            f"{bundle['expected']['accuracy']:.1%}",
        ],
        "devices": [device.device_id, family],
        "status": [family, "v1234567890"],
        "samples list": [sample["frame_id"], family, sample["answer"], stored],
        "samples get": [sample["frame_id"], family, sample["answer"], stored],
    }
    for words, whole in names.items():
        lines = shown[words].splitlines()
        assert not [name for name in whole if not any(name in line for line in lines)]
        assert "…" not in shown[words]


def test_a_device_is_revoked_and_restored_by_its_name(operator: Operator) -> None:
    device = operator.harness.enrol("digits")
    revoked = operator.type("devices", "revoke", device.device_id)
    assert f"dctwire devices restore {device.device_id}" in revoked.stdout
    assert device.http.get("/v1/assignment").status_code == 401
    assert "revoked" in operator.type("devices").stdout
    restored = operator.ask("devices", "restore", device.device_id)
    assert (restored["device_id"], restored["revoked_at"]) == (device.device_id, None)
    assert device.http.get("/v1/assignment").json()["code"] != "invalid-token"


def test_a_device_that_is_not_enrolled_is_not_revoked_and_the_nearest_is_named(operator: Operator) -> None:
    device = operator.harness.enrol("digits")
    slip = device.device_id[:-1] + ("a" if device.device_id[-1] != "a" else "b")
    for name, said in ((slip, f"Did you mean {device.device_id}?"), ("No/Such", "dctwire devices")):
        result = operator.type("devices", "revoke", name)
        assert result.exit_code == 1 and said in " ".join(result.stderr.split())


def test_every_command_explains_itself() -> None:
    for words in (
        ["claim"],
        ["publish"],
        ["assign"],
        ["bundles"],
        ["devices"],
        ["status"],
        ["trust", "init"],
        ["devices", "revoke"],
        ["devices", "restore"],
        ["devices", "show"],
        ["devices", "pin"],
        ["devices", "quarantine"],
    ):
        result = CliRunner().invoke(app, [*words, "--help"])
        assert result.exit_code == 0
        assert "--json" in result.stdout


def test_no_default_stands_in_two_pairs_of_brackets() -> None:
    for program, words in ((cli, ("run",)), (cli, ("migrate",)), (app, ("samples", "label"))):
        shown = CliRunner().invoke(program, [*words, "--help"], env={"COLUMNS": "160"}).stdout
        assert "--" in shown
        assert "default: (" not in shown


@pytest.mark.parametrize(("classes", "said"), [(1, "1 frame of 1 class:"), (2, "2 frames of 2 classes:")])
def test_an_export_counts_one_as_one(classes: int, said: str) -> None:
    lines = what_was_exported(
        {
            "directory": "frames",
            "frames": classes,
            "classes": classes,
            "splits": {"train": classes, "test": 0, "waiting": 0},
            "fetched": classes,
            "left_out": {},
        }
    )
    assert said in lines
