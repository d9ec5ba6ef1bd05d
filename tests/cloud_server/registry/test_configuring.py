"""Settings are set with a signature, hold at once for those they are meant for, and are removed without one."""

import base64
import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from cloud_server.cli.operator_client import OperatorClient
from cloud_server.cli.signing_settings import Wanted, set_settings
from cloud_server.operators.roles import Role
from cloud_server.registry.configuring import SCOPES_MAX
from cloud_server.storage.rows import device_settings as rows
from shared.bundle import DeviceSettings
from shared.errors import RefusedError
from shared.trust import Role as Signs
from shared.trust import Target, TrustError, load_keys, next_targets, parse_targets
from shared.wire import Assignment, ProblemCode
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.devices import Device
from tests.cloud_server.harness.engines import Engine
from tests.cloud_server.harness.frames import frame, tables
from tests.cloud_server.harness.problems import assert_problem
from tests.cloud_server.harness.server import ServerHarness, server_in_thread

NORTH = "site=north"


@pytest.fixture
def served(engine: Engine, tmp_path: Path) -> Iterator[ServerHarness]:
    """A server whose family digits is assigned its one bundle."""
    write_bundle(tmp_path / "v1", "digits", 1, tables(50))
    with server_in_thread(tmp_path / "server", engine) as harness:
        harness.publish(tmp_path / "v1")
        harness.assign("digits", 1)
        yield harness


def set_(harness: ServerHarness, tag: str | None = None, **said: Any) -> DeviceSettings:
    """Set as the command does."""
    client = OperatorClient(harness.addresses["operator"], harness.admin_token)
    with contextlib.closing(client):
        return set_settings(client, Wanted("digits", tag, said), harness.keys, datetime.now(UTC))


def told(device: Device) -> tuple[str | None, str | None]:
    """What a device is told of settings: in its assignment, and in the answer to a frame."""
    assignment = Assignment.model_validate_json(device.http.get("/v1/assignment").content)
    return assignment.settings, device.post(frame(tables(50))).headers.get("dw-settings")


def tagged(harness: ServerHarness, *tags: str) -> Device:
    device = harness.enrol("digits")
    answer = harness.client("operator").post(f"/v1/devices/{device.device_id}/tags", json={"add": tags})
    assert answer.status_code == 200, answer.text
    return device


def listed(harness: ServerHarness) -> set[str]:
    targets = harness.client("operator").get("/v1/tuf/digits/targets").content
    return {path for path in parse_targets(targets).signed.targets if "settings" in path}


def test_settings_hold_for_whom_they_are_meant_until_they_are_removed_and_all_of_it_is_audited(
    served: ServerHarness, tmp_path: Path
) -> None:
    north, other = tagged(served, NORTH), served.enrol("digits")
    assert told(other) == (None, None)
    etag = other.http.get("/v1/assignment").headers["etag"]
    first, of_tag = set_(served, frames_per_second=0.5), set_(served, NORTH, frames_per_second=0.1)
    assert (first.counter, of_tag.counter) == (1, 2)
    assert told(other) == ("digits/settings-1.json", "1")
    assert told(north) == ("digits/settings-2.json", "2")
    changed = other.http.get("/v1/assignment", headers={"if-none-match": etag})
    assert changed.status_code == 200
    same = other.http.get("/v1/assignment", headers={"if-none-match": changed.headers["etag"]})
    assert (same.status_code, same.headers["dw-settings"]) == (304, "1")
    for settings in (first, of_tag):
        verified = served.follower(tmp_path / "trust").download(settings.target_path)
        assert DeviceSettings.from_bytes(verified.data) == settings
        settings.require_entry(settings.target_path, verified.custom, "digits")

    again = set_(served, frames_per_second=0.25)
    assert told(other) == (again.target_path, "3")
    assert listed(served) == {again.target_path, of_tag.target_path}

    operator = served.client("operator")
    removed = operator.delete(f"/v1/settings/digits?tag={NORTH}")
    assert removed.json() == {"family": "digits", "tag": NORTH, "counter": 2}
    assert told(north) == (again.target_path, "3")
    assert operator.delete("/v1/settings/digits").json()["counter"] == 3
    assert operator.delete("/v1/settings/digits").json()["counter"] is None
    assert told(north) == told(other) == (None, None)
    assert set_(served, batch_frames=8).counter == 4
    entries = operator.get("/v1/audit").json()["entries"]
    changes = [
        (row["action"], *(row[side] and (row[side]["counter"], row[side]["tag"]) for side in ("before", "after")))
        for row in reversed(entries)
        if row["action"].startswith("settings.")
    ]
    assert changes == [
        ("settings.set", None, (1, None)),
        ("settings.set", None, (2, NORTH)),
        ("settings.set", (1, None), (3, None)),
        ("settings.remove", (2, NORTH), None),
        ("settings.remove", (3, None), None),
        ("settings.set", None, (4, None)),
    ]


def test_what_an_old_device_is_told_has_nothing_new_where_nothing_is_set(served: ServerHarness) -> None:
    answer = served.enrol("digits").http.get("/v1/assignment")
    assert set(answer.json()) == {"seq", "family", "counter", "target"}
    assert answer.headers["etag"] == f'"{answer.json()["seq"]}"'


def test_settings_stay_listed_when_a_bundle_is_published(served: ServerHarness, tmp_path: Path) -> None:
    settings = set_(served, frames_per_second=0.5)
    write_bundle(tmp_path / "v2", "digits", 2, tables(40))
    served.publish(tmp_path / "v2")
    assert listed(served) == {settings.target_path}
    (row,) = served.client("operator").get("/v1/settings?family=digits").json()["settings"]
    assert (row["name"], row["said"], row["is_listed"]) == ("digits/settings-1", {"frames_per_second": 0.5}, True)


def offer(
    harness: ServerHarness, settings: DeviceSettings, operator: httpx.Client | None = None, **changed: Any
) -> httpx.Response:
    """Offer settings, with an entry that is signed with the server's targets key, whatever it says."""
    operator = operator or harness.client("operator")
    current = harness.client("operator").get("/v1/tuf/digits/targets").content
    target = Target(settings.target_path, settings.to_bytes(), settings.target_custom | changed)
    targets = next_targets("digits", current, load_keys(harness.keys, Signs.TARGETS), datetime.now(UTC), added=target)
    return operator.post("/v1/settings", json={"settings": text(settings.to_bytes()), "targets": text(targets)})


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_the_same_request_again_changes_nothing(served: ServerHarness) -> None:
    settings = set_(served, frames_per_second=0.5)
    current = served.client("operator").get("/v1/tuf/digits/targets").content
    body = {"settings": text(settings.to_bytes()), "targets": text(current)}
    before = len(served.client("operator").get("/v1/audit").json()["entries"])
    assert served.client("operator").post("/v1/settings", json=body).status_code == 201
    assert len(served.client("operator").get("/v1/audit").json()["entries"]) == before


def test_what_does_not_fit_is_refused_and_what_holds_stays(served: ServerHarness) -> None:
    settings = set_(served, frames_per_second=0.5)
    taken = DeviceSettings(family="digits", counter=1, tag="roof", batch_frames=4)
    unlike = DeviceSettings(family="digits", counter=5, batch_frames=4)
    strange = DeviceSettings(family="letters", counter=5, batch_frames=4)
    assert_problem(offer(served, unlike, tag="roof"), 422, ProblemCode.UNTRUSTED)
    with pytest.raises(TrustError):
        offer(served, taken)
    refused = served.client("operator").post(
        "/v1/settings",
        json={"settings": text(strange.to_bytes()), "targets": text(parsed_targets(served))},
    )
    assert_problem(refused, 422, ProblemCode.UNTRUSTED)
    long = {"settings": text(b"{" + b" " * 2000), "targets": ""}
    assert_problem(served.client("operator").post("/v1/settings", json=long), 422, ProblemCode.INVALID_BUNDLE)
    trainer = served.operator("ann", Role.TRAINER)
    assert_problem(offer(served, unlike, trainer), 403, ProblemCode.ROLE_NEEDED)
    assert told(served.enrol("digits")) == (settings.target_path, "1")


def parsed_targets(harness: ServerHarness) -> bytes:
    return harness.client("operator").get("/v1/tuf/digits/targets").content


def test_settings_hold_for_so_many_tags_and_no_more(served: ServerHarness) -> None:
    for number in range(SCOPES_MAX):
        set_(served, f"site={number}", batch_frames=number + 1)
    with pytest.raises(RefusedError, match=r"for 16 tags already .*dctwire settings remove"):
        set_(served, batch_frames=4)
    set_(served, "site=3", batch_frames=100)
    assert len(listed(served)) == SCOPES_MAX


def test_a_family_without_bundles_has_no_settings(tmp_path: Path) -> None:
    with server_in_thread(tmp_path / "server") as harness, pytest.raises(RefusedError, match="publish a bundle first"):
        set_(harness, frames_per_second=0.5)


def test_settings_of_one_family_end_none_of_another(served: ServerHarness) -> None:
    with served.database() as database:
        for family, tag in (("digits", None), ("signs", None), ("digits", NORTH), ("signs", NORTH)):
            counter = rows.highest(database, family) + 1
            rows.add(database, rows.SettingsRow(family, counter, tag, b"{}", 1.0))
        for tag in (None, NORTH):
            ended = rows.end(database, "digits", tag, 2.0)
            assert ended is not None and (ended.family, ended.tag) == ("digits", tag)
        assert [(row.family, row.tag) for row in rows.in_effect(database)] == [("signs", None), ("signs", NORTH)]
