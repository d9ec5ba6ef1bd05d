"""Publishing and rolling out by the real `dctwire` against a real server, as one key or as one of two."""

import json
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cloud_server.cli.publishing import initialise_trust
from cloud_server.operators.roles import Role
from shared.trust import Role as KeyRole
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.frames import tables
from tests.cloud_server.harness.server import ServerHarness, server_in_thread
from tests.trainer.service.servers import DCTWIRE, dctwire, settings, typed
from trainer.service.configuration import FamilySettings
from trainer.service.job_state import AttemptKind
from trainer.service.operator_program import RefusalError
from trainer.service.publishing import NumberTakenError, Publisher

CLASSIFIER = AttemptKind.CLASSIFIER
PLAN = '{"stages": [{"percent": 100, "min_devices": 0}]}'


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerHarness]:
    """A server whose family digits runs v1."""
    with server_in_thread(tmp_path / "server") as harness:
        write_bundle(tmp_path / "v1", "digits", 1, tables(50), seed=1)
        harness.publish(tmp_path / "v1")
        harness.assign("digits", 1)
        yield harness


def publisher(server: ServerHarness, folder: Path, role: Role = Role.TRAINER) -> Publisher:
    """The service's way out."""
    return Publisher(dctwire(server, folder, role), settings(server, folder))


def family(folder: Path, policy: str = "draft", plan: str | None = PLAN) -> FamilySettings:
    """What is to be done with what passes."""
    if plan is not None:
        (folder / "plan.json").write_text(plan)
    told = {"champion": folder, "bundle": folder, "policy": policy, "plan": plan and folder / "plan.json"}
    return FamilySettings.model_validate(told)


def second(folder: Path) -> Path:
    """The bundle that is to be published."""
    write_bundle(folder / "v2", "digits", 2, tables(25), seed=2)
    return folder / "v2"


def rollouts(server: ServerHarness) -> list[dict[str, object]]:
    """Those beyond v1."""
    listed: list[dict[str, object]] = json.loads(typed(server, "rollout", "list", "--json"))["rollouts"]
    return [row for row in listed if row["counter"] != 1]


def test_a_trainers_token_publishes_and_leaves_a_draft_and_doing_so_again_changes_nothing(
    server: ServerHarness, tmp_path: Path
) -> None:
    way, bundle = publisher(server, tmp_path), second(tmp_path)
    assert way.next_counter("digits", (1,)) == 2
    for _ in range(2):
        assert way.publish("digits", CLASSIFIER, bundle, tmp_path).is_signed
        left = way.roll_out("digits", family(tmp_path), 2, "training r")
        assert (left.is_started, left.commands) == (False, (f"dctwire rollout resume {left.rollout}",))
    (row,) = rollouts(server)
    assert (row["id"], row["state"], row["note"], row["created_by"]) == (
        left.rollout,
        "paused",
        "training r",
        "trainer",
    )
    assert way.next_counter("digits", (1,)) == 3
    assert way.next_counter("letters", (7,)) == 8


def test_starting_a_rollout_takes_the_role_operator(server: ServerHarness, tmp_path: Path) -> None:
    bundle = second(tmp_path)
    way = publisher(server, tmp_path)
    way.publish("digits", CLASSIFIER, bundle, tmp_path)
    refused = way.roll_out("digits", family(tmp_path, "start"), 2, "training r")
    assert refused.rollout is None and "the role operator" in refused.words
    assert refused.commands == (f"dctwire rollout start digits 2 --plan {tmp_path / 'plan.json'}",)
    started = publisher(server, tmp_path, Role.OPERATOR).roll_out("digits", family(tmp_path, "start"), 2, "training r")
    assert started.is_started and [row["id"] for row in rollouts(server)] == [started.rollout]


def test_a_rollout_that_is_under_way_is_not_pushed_aside(server: ServerHarness, tmp_path: Path) -> None:
    way, bundle = publisher(server, tmp_path), second(tmp_path)
    write_bundle(tmp_path / "v3", "digits", 3, tables(30), seed=3)
    for folder in (bundle, tmp_path / "v3"):
        way.publish("digits", CLASSIFIER, folder, tmp_path)
    first = way.roll_out("digits", family(tmp_path), 2, "training r")
    other = way.roll_out("digits", family(tmp_path), 3, "training s")
    assert other.rollout is None and f"rollout {first.rollout} of digits to v2 is active" in other.words


def test_a_number_that_others_took_is_told(server: ServerHarness, tmp_path: Path) -> None:
    publisher(server, tmp_path).publish("digits", CLASSIFIER, second(tmp_path), tmp_path)
    write_bundle(tmp_path / "other", "digits", 2, tables(40), seed=4)
    with pytest.raises(NumberTakenError):
        publisher(server, tmp_path).publish("digits", CLASSIFIER, tmp_path / "other", tmp_path)


def test_what_cannot_be_published_is_refused_with_the_reason(server: ServerHarness, tmp_path: Path) -> None:
    bundle = second(tmp_path)
    (bundle / "classifier.onnx").write_bytes(b"something else")
    with pytest.raises(RefusalError, match="has the SHA-256"):
        publisher(server, tmp_path).publish("digits", CLASSIFIER, bundle, tmp_path)


def test_where_two_keys_must_sign_the_list_waits_and_the_commands_that_are_told_bring_it_out(tmp_path: Path) -> None:
    place = tmp_path / "server"
    place.mkdir()
    initialise_trust(place / "all", place / "data", datetime.now(UTC), thresholds={KeyRole.TARGETS: 2})
    trainers, approvers = place / "keys", tmp_path / "APPROVER"
    for folder, key in ((trainers, "targets.pem"), (approvers, "targets-*.pem")):
        folder.mkdir()
        for file in (place / "all" / "root.json", *(place / "all").glob(key)):
            shutil.copy(file, folder)
    with server_in_thread(place) as server:
        way, bundle = publisher(server, tmp_path), second(tmp_path)
        waiting = way.publish("digits", CLASSIFIER, bundle, tmp_path)
        assert not waiting.is_signed and waiting.to_sign == tmp_path / "to-sign.json"
        assert not json.loads(typed(server, "bundles", "--json"))["bundles"]
        for command in waiting.commands:
            words = [DCTWIRE, *shlex.split(command)[1:]]
            environment = {"PATH": "/usr/bin", **server.as_operator}
            done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
        (row,) = json.loads(typed(server, "bundles", "--json"))["bundles"]
        assert (row["name"], row["is_assigned"]) == ("digits/2", False)
