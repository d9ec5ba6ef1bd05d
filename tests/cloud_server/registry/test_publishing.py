"""Publishing: everything is checked before anything can be seen, and a publish that died can be sent again."""

import base64
import contextlib
import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import onnx
import pytest
from sqlalchemy import insert, select, update

from cloud_server.cli.operator_client import OperatorClient
from cloud_server.cli.publishing import ModelFolder, Outcome, initialise_trust, publish_folder
from cloud_server.registry.floor import Falling
from cloud_server.registry.publish_checks import FAMILIES_MAX
from cloud_server.storage.schema import tuf_families, tuf_files
from shared.bundle import Bundle, Reference
from shared.errors import RefusedError
from shared.jpeg import Fit
from shared.trust import (
    Role,
    Target,
    TrustError,
    load_key,
    next_targets,
    parse_targets,
)
from shared.wire import ProblemCode
from tests.cloud_server.harness.bundles import as_schema_1, classifier_ref, write_bundle
from tests.cloud_server.harness.classifiers import LABELS, write_classifier
from tests.cloud_server.harness.engines import Engine
from tests.cloud_server.harness.fallbacks import write_fallback
from tests.cloud_server.harness.frames import frame, tables
from tests.cloud_server.harness.problems import assert_problem
from tests.cloud_server.harness.server import ServerHarness, server_in_thread
from tests.cloud_server.harness.waiting import wait_until


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerHarness]:
    """A server for refusals: nothing that is refused may leave a trace in it."""
    with server_in_thread(tmp_path_factory.mktemp("empty")) as harness:
        yield harness
        assert harness.client("operator").get("/v1/bundles").json() == {"bundles": [], "next": None}
        assert current_targets(harness) is None


def current_targets(harness: ServerHarness) -> bytes | None:
    """What the operator signs on top of."""
    answer = harness.client("operator").get("/v1/tuf/digits/targets")
    return answer.content if answer.status_code == 200 else None


def signed(harness: ServerHarness, bundle: Bundle, keys: Path | None = None, **changes: Any) -> bytes:
    """The current targets with this bundle added, signed by the harness's key or by one of another folder."""
    target = Target(bundle.target_path, bundle.to_bytes(), bundle.target_custom | changes)
    return listing(harness, target, keys or harness.keys)


def listing(harness: ServerHarness, target: Target, keys: Path, now: datetime | None = None) -> bytes:
    """The current targets with something added."""
    signer = load_key(keys, Role.TARGETS)
    return next_targets("digits", current_targets(harness), [signer], now or datetime.now(UTC), added=target)


def upload_blobs(harness: ServerHarness, folder: Path) -> None:
    """Everything but the bundle."""
    for name in classifier_ref(folder).files:
        data = (folder / name).read_bytes()
        answer = harness.client("operator").put(f"/v1/blobs/{hashlib.sha256(data).hexdigest()}", content=data)
        assert answer.status_code in (201, 204)


def post_bundle(harness: ServerHarness, data: bytes, targets: bytes) -> httpx.Response:
    """The publishing request itself."""
    body = {"bundle": base64.b64encode(data).decode(), "targets": base64.b64encode(targets).decode()}
    return harness.client("operator").post("/v1/bundles", json=body)


def with_digest(bundle: Bundle, folder: Path) -> Bundle:
    """The bundle, naming the folder's files as they are now."""
    return bundle.model_copy(update={"classifier": classifier_ref(folder)})


def broken_onnx(folder: Path) -> None:
    (folder / "classifier.onnx").write_bytes(b"this is no ONNX file")


def other_geometry(folder: Path) -> None:
    write_classifier(folder / "classifier.onnx", side=64)


def other_classes(folder: Path) -> None:
    write_classifier(folder / "classifier.onnx", classes=3)


def other_names(folder: Path) -> None:
    model = onnx.load(folder / "classifier.onnx")
    model.graph.input[0].name = model.graph.node[0].input[0] = "luma"
    onnx.save(model, folder / "classifier.onnx")


def repeated_labels(folder: Path) -> None:
    (folder / "labels.json").write_text(json.dumps([LABELS[0]] * len(LABELS)))


def no_labels(folder: Path) -> None:
    (folder / "labels.json").write_text('{"zero": 0}')


@pytest.mark.parametrize(
    "damage", [broken_onnx, other_geometry, other_classes, other_names, repeated_labels, no_labels]
)
def test_a_classifier_that_does_not_fit_its_bundle_is_refused(
    empty: ServerHarness, tmp_path: Path, damage: Any
) -> None:
    bundle = write_bundle(tmp_path / "b", "digits", 1, tables(50))
    damage(tmp_path / "b")
    bundle = with_digest(bundle, tmp_path / "b")
    upload_blobs(empty, tmp_path / "b")
    answer = post_bundle(empty, bundle.to_bytes(), signed(empty, bundle))
    assert_problem(answer, 422, ProblemCode.INVALID_BUNDLE)


def test_a_bundle_without_its_blobs_is_refused(empty: ServerHarness, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "b", "digits", 1, tables(51), seed=77)
    answer = post_bundle(empty, bundle.to_bytes(), signed(empty, bundle))
    assert_problem(answer, 422, ProblemCode.INVALID_BUNDLE)
    assert "PUT" in answer.json()["detail"]


def test_a_bundle_whose_selftest_fails_here_is_refused(empty: ServerHarness, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "b", "digits", 1, tables(50))
    upload_blobs(empty, tmp_path / "b")
    document = json.loads(bundle.to_bytes())
    document["selftest"]["sha256"] = "0" * 64
    lying = Bundle.from_bytes(json.dumps(document, sort_keys=True, separators=(",", ":")).encode())
    answer = post_bundle(empty, lying.to_bytes(), signed(empty, lying))
    assert_problem(answer, 422, ProblemCode.SELFTEST_FAILED)


@pytest.mark.parametrize("change", [{"lapping": {"taps": [0.5]}}, {"schema": 3}])
def test_a_bundle_that_asks_for_what_this_server_cannot_do_is_refused(
    empty: ServerHarness, tmp_path: Path, change: dict[str, Any]
) -> None:
    bundle = write_bundle(tmp_path / "b", "digits", 1, tables(50))
    upload_blobs(empty, tmp_path / "b")
    fields = json.loads(bundle.to_bytes()) | change
    data = json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()
    targets = listing(empty, Target(bundle.target_path, data, bundle.target_custom), empty.keys)
    assert_problem(post_bundle(empty, data, targets), 422, ProblemCode.UNSUPPORTED_BUNDLE)


def test_targets_that_nobody_trusted_signed_are_refused(empty: ServerHarness, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "b", "digits", 1, tables(50))
    upload_blobs(empty, tmp_path / "b")
    initialise_trust(tmp_path / "keys", tmp_path / "data", datetime.now(UTC))
    targets = signed(empty, bundle, tmp_path / "keys")
    assert_problem(post_bundle(empty, bundle.to_bytes(), targets), 422, ProblemCode.UNTRUSTED)


def test_targets_with_a_changed_byte_are_refused(empty: ServerHarness, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "b", "digits", 1, tables(50))
    upload_blobs(empty, tmp_path / "b")
    targets = signed(empty, bundle).replace(b'"min_counter": 1', b'"min_counter": 0', 1)
    targets = targets if b'"min_counter": 0' in targets else targets.replace(b'"min_counter":1', b'"min_counter":0', 1)
    assert b'"min_counter":0' in targets.replace(b" ", b"")
    assert_problem(post_bundle(empty, bundle.to_bytes(), targets), 422, ProblemCode.UNTRUSTED)


@pytest.mark.parametrize("garbage", [b"", b"{}", b"[]", b"null", b"\x00"])
def test_targets_that_are_none_are_refused(empty: ServerHarness, tmp_path: Path, garbage: bytes) -> None:
    bundle = write_bundle(tmp_path / "b", "digits", 1, tables(50))
    assert_problem(post_bundle(empty, bundle.to_bytes(), garbage), 422, ProblemCode.UNTRUSTED)


def test_expired_targets_are_refused(empty: ServerHarness, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "b", "digits", 1, tables(50))
    upload_blobs(empty, tmp_path / "b")
    long_ago = datetime.now(UTC) - timedelta(days=3650)
    target = Target(bundle.target_path, bundle.to_bytes(), bundle.target_custom)
    targets = listing(empty, target, empty.keys, long_ago)
    assert_problem(post_bundle(empty, bundle.to_bytes(), targets), 422, ProblemCode.UNTRUSTED)


def test_an_entry_that_names_another_classifier_is_refused(empty: ServerHarness, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "b", "digits", 1, tables(50))
    upload_blobs(empty, tmp_path / "b")
    targets = signed(empty, bundle, classifier_sha256="0" * 64)
    assert_problem(post_bundle(empty, bundle.to_bytes(), targets), 422, ProblemCode.UNTRUSTED)


def test_an_entry_that_names_another_reference_is_refused(empty: ServerHarness, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "b", "digits", 1, tables(50), reference=Reference(temperature=2.0))
    upload_blobs(empty, tmp_path / "b")
    for other in (None, "0" * 64):
        targets = signed(empty, bundle, reference_sha256=other)
        assert_problem(post_bundle(empty, bundle.to_bytes(), targets), 422, ProblemCode.UNTRUSTED)


def test_a_bundle_whose_reference_was_not_uploaded_is_refused(empty: ServerHarness, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "b", "digits", 1, tables(50), reference=Reference(temperature=2.5))
    (tmp_path / "b" / "reference.json").unlink()
    upload_blobs(empty, tmp_path / "b")
    assert_problem(post_bundle(empty, bundle.to_bytes(), signed(empty, bundle)), 422, ProblemCode.INVALID_BUNDLE)


def test_an_entry_for_other_bytes_is_refused(empty: ServerHarness, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "b", "digits", 1, tables(50))
    other = write_bundle(tmp_path / "c", "digits", 1, tables(49))
    upload_blobs(empty, tmp_path / "b")
    assert_problem(post_bundle(empty, bundle.to_bytes(), signed(empty, other)), 422, ProblemCode.UNTRUSTED)


def test_a_blob_must_be_what_its_name_says(empty: ServerHarness) -> None:
    client = empty.client("operator")
    name = hashlib.sha256(b"right").hexdigest()
    assert_problem(client.put(f"/v1/blobs/{name}", content=b"wrong"), 400, ProblemCode.BAD_REQUEST)
    assert_problem(client.put("/v1/blobs/../../x", content=b"wrong"), 404, ProblemCode.NOT_FOUND)
    assert_problem(client.put("/v1/blobs/" + "x" * 64, content=b"wrong"), 400, ProblemCode.BAD_REQUEST)
    assert client.put(f"/v1/blobs/{name}", content=b"right").status_code == 201
    assert not list((empty.data / "blobs" / "partial").iterdir())


def test_what_is_not_published_cannot_be_assigned(empty: ServerHarness) -> None:
    answer = empty.client("operator").post("/v1/assignments", json={"family": "digits", "counter": 1})
    assert_problem(answer, 404, ProblemCode.NOT_FOUND)


def test_a_browser_page_cannot_operate_the_server(empty: ServerHarness) -> None:
    """A cross-site request may be text/plain without asking; JSON it may not be."""
    answer = empty.client("operator").post(
        "/v1/claims", content=b'{"family":"digits"}', headers={"content-type": "text/plain"}
    )
    assert_problem(answer, 415, ProblemCode.UNSUPPORTED_MEDIA_TYPE)


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[ServerHarness]:
    """A server of this test's own."""
    with server_in_thread(tmp_path / "server") as harness:
        yield harness


def test_publishing_again_changes_nothing(fresh: ServerHarness, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "b", "digits", 1, tables(50))
    upload_blobs(fresh, tmp_path / "b")
    targets = signed(fresh, bundle)
    first = post_bundle(fresh, bundle.to_bytes(), targets)
    timestamp = fresh.client("device").get("/tuf/digits/timestamp.json").content
    again = post_bundle(fresh, bundle.to_bytes(), targets)
    assert first.status_code == again.status_code == 201
    assert fresh.client("device").get("/tuf/digits/timestamp.json").content == timestamp
    fresh.publish(tmp_path / "b")
    assert len(fresh.client("operator").get("/v1/bundles").json()["bundles"]) == 1


def test_bundles_of_both_schemas_are_published_and_served(fresh: ServerHarness, tmp_path: Path) -> None:
    reference = Reference(temperature=1.5)
    write_bundle(tmp_path / "v2", "digits", 2, tables(40), fit=Fit(share=0.875), reference=reference)
    older = write_bundle(tmp_path / "v1", "digits", 1, tables(50))
    (tmp_path / "v1" / "bundle.json").write_bytes(as_schema_1(older))
    for name in ("v1", "v2"):
        fresh.publish(tmp_path / name)
    listed = parse_targets(current_targets(fresh) or b"").signed.targets
    assert "reference_sha256" not in listed["digits/1.json"].unrecognized_fields["custom"]
    assert listed["digits/2.json"].unrecognized_fields["custom"]["reference_sha256"] is not None
    serving = fresh.client("operator").get("/v1/bundles").json()["bundles"]
    assert [bundle["counter"] for bundle in serving] == [1, 2]
    device = fresh.enrol("digits")
    for quality, counter in ((50, 1), (40, 2)):
        fresh.assign("digits", counter)
        assert device.post(frame(tables(quality))).json()["model"] == f"digits/{counter}"


def test_what_is_published_already_may_be_signed_anew(fresh: ServerHarness, tmp_path: Path) -> None:
    """So are targets renewed before they expire."""
    bundle = write_bundle(tmp_path / "b", "digits", 1, tables(50))
    fresh.publish(tmp_path / "b")
    listed = fresh.client("operator").get("/v1/bundles").json()
    targets = signed(fresh, bundle)
    assert post_bundle(fresh, bundle.to_bytes(), targets).status_code == 201
    assert current_targets(fresh) == targets
    assert fresh.client("operator").get("/v1/bundles").json() == listed  # when it was published, too


def test_whoever_publishes_again_after_half_of_the_targets_life_renews_it(fresh: ServerHarness, tmp_path: Path) -> None:
    write_bundle(tmp_path / "b", "digits", 1, tables(50))
    folder = ModelFolder.read(tmp_path / "b")
    now = datetime.now(UTC)
    with contextlib.closing(OperatorClient(fresh.addresses["operator"], fresh.admin_token)) as client:
        ages = (timedelta(days=200), timedelta(days=195), timedelta(0), timedelta(0))
        outcomes = [publish_folder(client, folder, fresh.keys, now - age, lambda _step: None) for age in ages]
    assert outcomes == [Outcome.PUBLISHED, Outcome.UNCHANGED, Outcome.RENEWED, Outcome.UNCHANGED]


def test_a_counter_is_used_once_and_only_grows(fresh: ServerHarness, tmp_path: Path) -> None:
    write_bundle(tmp_path / "v2", "digits", 2, tables(50))
    fresh.publish(tmp_path / "v2")
    older = write_bundle(tmp_path / "v1", "digits", 1, tables(40))
    same = write_bundle(tmp_path / "other", "digits", 2, tables(40))
    upload_blobs(fresh, tmp_path / "v1")
    upload_blobs(fresh, tmp_path / "other")
    assert_problem(post_bundle(fresh, older.to_bytes(), signed(fresh, older)), 409, ProblemCode.CONFLICT)
    assert_problem(post_bundle(fresh, same.to_bytes(), current_targets(fresh) or b""), 409, ProblemCode.CONFLICT)


def test_assignment_numbers_only_grow_and_going_back_is_a_new_one(fresh: ServerHarness, tmp_path: Path) -> None:
    for counter in (1, 2):
        write_bundle(tmp_path / str(counter), "digits", counter, tables(50 - counter), seed=counter)
        fresh.publish(tmp_path / str(counter))
    first, second, again, back = (fresh.assign("digits", counter) for counter in (1, 2, 2, 1))
    assert first < second == again < back
    device = fresh.enrol("digits")
    assert device.http.get("/v1/assignment").json()["seq"] == back


def test_a_bundle_below_the_floor_cannot_be_assigned(fresh: ServerHarness, tmp_path: Path) -> None:
    for counter, floor in ((1, 1), (2, 2)):
        write_bundle(tmp_path / str(counter), "digits", counter, tables(50 - counter), min_counter=floor)
        fresh.publish(tmp_path / str(counter), falling=Falling.EVERYTHING)
    answer = fresh.client("operator").post("/v1/assignments", json={"family": "digits", "counter": 1})
    assert_problem(answer, 409, ProblemCode.BELOW_FLOOR)


def test_a_bundle_published_while_frames_flow_is_served_at_once(fresh: ServerHarness, tmp_path: Path) -> None:
    write_bundle(tmp_path / "v1", "digits", 1, tables(50), seed=1)
    fresh.publish(tmp_path / "v1")
    device = fresh.enrol("digits")
    assert device.post(frame(tables(25))).json()["code"] == ProblemCode.UNKNOWN_TABLES
    write_bundle(tmp_path / "v2", "digits", 2, tables(25), seed=2)
    fresh.publish(tmp_path / "v2")
    assert device.post(frame(tables(25))).json()["model"] == "digits/2"
    assert device.post(frame(tables(50))).json()["model"] == "digits/1"


def test_everything_is_still_there_after_a_restart(tmp_path: Path) -> None:
    write_bundle(tmp_path / "v1", "digits", 1, tables(50), seed=1)
    with server_in_thread(tmp_path) as harness:
        harness.publish(tmp_path / "v1")
        seq = harness.assign("digits", 1)
        device = harness.enrol("digits")
        answer = device.post(frame(tables(50)), sequence=3).json()
    with server_in_thread(tmp_path) as harness:
        client = harness.client("device", headers={"authorization": f"Bearer {device.token}"})
        again = client.post("/v1/frames", content=frame(tables(50)), headers={"dw-sequence": "3"})
        assert again.json() == answer
        assert again.headers["dw-assignment"] == str(seq)
        row = harness.client("operator").get("/v1/devices").json()["devices"][0]
        assert (row["last_tables"], row["device_id"]) == ("v1", device.device_id)


def test_a_blob_that_rotted_on_disk_is_left_out_and_the_rest_is_served(tmp_path: Path) -> None:
    for counter in (1, 2):
        write_bundle(tmp_path / str(counter), "digits", counter, tables(50 - counter), seed=counter)
    with server_in_thread(tmp_path) as harness:
        for counter in (1, 2):
            harness.publish(tmp_path / str(counter))
        rotten = harness.client("operator").get("/v1/bundles").json()["bundles"][1]["classifier_sha256"]
        token = harness.enrol("digits").token
    path = tmp_path / "data" / "blobs" / rotten[:2] / rotten
    write_classifier(path, seed=3)  # a model ONNX Runtime would load gladly
    with server_in_thread(tmp_path) as harness:
        rows = harness.client("operator").get("/v1/bundles").json()["bundles"]
        assert {row["counter"]: row["state"] for row in rows} == {1: "loaded", 2: "failed"}
        assert rotten in rows[1]["failure"]
        client = harness.client("device", headers={"authorization": f"Bearer {token}"})
        answer = client.post("/v1/frames", content=frame(tables(49)), headers={"dw-sequence": "0"})
        assert answer.json()["model"] == "digits/1"


def test_a_damaged_timestamp_in_the_database_is_named_and_stops_its_family_alone(tmp_path: Path) -> None:
    for family in ("digits", "letters"):
        write_bundle(tmp_path / family, family, 1, tables(50))
    with server_in_thread(tmp_path / "server") as harness:
        for family in ("digits", "letters"):
            harness.publish(tmp_path / family)
        with harness.database() as database:
            rotten = update(tuf_files).where(tuf_files.c.name == "digits/timestamp.json")
            database.execute(rotten.values(data=b"rubbish"))
            database.execute(update(tuf_families).values(renew_at=0))
    with server_in_thread(tmp_path / "server") as harness:
        http = harness.client("operator")
        answer = http.get("/v1/tuf/digits/targets")
        assert_problem(answer, 422, ProblemCode.UNTRUSTED)
        assert "not TUF metadata" in answer.json()["detail"]
        assert http.get("/v1/tuf/letters/targets").status_code == 200
        wait_until(lambda: not _due(harness), 30)


def _due(harness: ServerHarness) -> list[str]:
    """The families whose timestamps are to be signed anew by now."""
    with harness.database() as database:
        is_due = tuf_families.c.renew_at < time.time()
        return list(database.execute(select(tuf_families.c.family).where(is_due)).scalars())


def test_a_database_of_other_keys_is_refused(tmp_path: Path) -> None:
    with server_in_thread(tmp_path) as harness:
        initialise_trust(tmp_path / "other-keys", tmp_path / "other-data", datetime.now(UTC))
    with pytest.raises(TrustError, match="another root"), server_in_thread(tmp_path, keys=tmp_path / "other-data/keys"):
        pass
    (harness.data / "keys" / "timestamp.pem").write_bytes((tmp_path / "other-data/keys/timestamp.pem").read_bytes())
    with pytest.raises(TrustError, match="timestamp key is not the one"), server_in_thread(tmp_path):
        pass


def test_the_operator_does_not_countersign_what_a_broken_server_offers(tmp_path: Path) -> None:
    """The server's targets are verified with the operator's own root before anything is added to them."""
    write_bundle(tmp_path / "v1", "digits", 1, tables(50))
    with server_in_thread(tmp_path / "one") as harness:
        initialise_trust(tmp_path / "other-keys", tmp_path / "other-data", datetime.now(UTC))
        with contextlib.closing(OperatorClient(harness.addresses["operator"], harness.admin_token)) as client:
            folder = ModelFolder.read(tmp_path / "v1")
            with pytest.raises(TrustError):
                publish_folder(client, folder, tmp_path / "other-keys", datetime.now(UTC), lambda _step: None)
            with pytest.raises(RefusedError, match="404"):
                client.get("/v1/nothing")


def test_a_counter_that_would_end_its_family_is_refused_without_the_operators_word(
    fresh: ServerHarness, tmp_path: Path
) -> None:
    bundle = write_bundle(tmp_path / "b", "digits", 2**31 - 1, tables(50))
    folder, now = ModelFolder.read(tmp_path / "b"), datetime.now(UTC)
    upload_blobs(fresh, tmp_path / "b")
    assert_problem(post_bundle(fresh, bundle.to_bytes(), signed(fresh, bundle)), 409, ProblemCode.CONFLICT)
    with contextlib.closing(OperatorClient(fresh.addresses["operator"], fresh.admin_token)) as client:
        with pytest.raises(RefusedError, match="--allow-jump"):
            publish_folder(client, folder, fresh.keys, now, lambda _step: None)
        publish_folder(client, folder, fresh.keys, now, lambda _step: None, may_jump=True)


def test_a_fallback_dated_ahead_is_refused(fresh: ServerHarness, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    for name, made in (("ahead", now + timedelta(days=2)), ("newer", now), ("older", now - timedelta(days=9))):
        write_fallback(tmp_path / name, "digits", created_at=made)
    with pytest.raises(RefusedError, match="more than a day ahead"):
        fresh.publish(tmp_path / "ahead")
    for name in ("newer", "older"):
        fresh.publish(tmp_path / name)


def test_lists_stay_short_however_often_a_family_is_published(fresh: ServerHarness, tmp_path: Path) -> None:
    for counter in range(1, 6):
        write_bundle(tmp_path / str(counter), "digits", counter, tables(50 + counter), seed=counter)
        fresh.publish(tmp_path / str(counter))
        fresh.assign("digits", min(counter, 3))
    listed = parse_targets(current_targets(fresh) or b"").signed
    assert sorted(listed.targets) == ["digits/2.json", "digits/3.json", "digits/4.json", "digits/5.json"]
    assert _listed(fresh) == [2, 3, 4, 5]
    assert len(fresh.client("operator").get("/v1/bundles").json()["bundles"]) == 5
    kept = fresh.client("operator").get("/v1/tuf/digits/keep").json()["keep"]
    assert kept == ["digits/2.json", "digits/3.json", "digits/4.json", "digits/5.json"]
    without = next_targets(
        "digits", current_targets(fresh), [load_key(fresh.keys, Role.TARGETS)], datetime.now(UTC), kept=kept[1:]
    )
    answer = fresh.client("operator").put(
        "/v1/tuf/digits/targets", json={"targets": base64.b64encode(without).decode()}
    )
    assert_problem(answer, 409, ProblemCode.CONFLICT)
    assert "digits/2.json must stay" in answer.json()["detail"]


def test_a_family_goes_back_to_the_version_before_without_a_signature(fresh: ServerHarness, tmp_path: Path) -> None:
    _publish_numbers(fresh, tmp_path, range(1, 7), lambda counter: counter == 1)
    fresh.assign("digits", 6)
    _publish_numbers(fresh, tmp_path, range(7, 10))
    assert _listed(fresh) == [1, 6, 7, 8, 9]
    before = current_targets(fresh)
    fresh.assign("digits", 1)
    device = fresh.follower(tmp_path / "device")
    assert device.download("digits/1.json").data == (tmp_path / "1" / "bundle.json").read_bytes()
    assert current_targets(fresh) == before


def test_what_is_listed_no_more_is_assigned_to_nobody_until_it_is_published_anew(
    fresh: ServerHarness, tmp_path: Path
) -> None:
    _publish_numbers(fresh, tmp_path, range(1, 6))
    assert _listed(fresh) == [1, 3, 4, 5]  # the first answers the family, which is assigned nothing
    operator, device = fresh.client("operator"), fresh.enrol("digits")
    path = f"/v1/devices/{device.device_id}"
    for answer in (
        operator.post("/v1/assignments", json={"family": "digits", "counter": 2}),
        operator.put(f"{path}/pin", json={"counter": 2}),
        operator.put(f"{path}/quarantine", json={"counter": 2, "reason": "why not"}),
    ):
        assert_problem(answer, 409, ProblemCode.NOT_LISTED)
        assert "dctwire publish FOLDER --keys KEYS" in answer.json()["detail"]
    assert operator.get(path).json()["pinned"] is None

    fresh.publish(tmp_path / "2")
    assert _listed(fresh) == [1, 2, 4, 5]
    fresh.assign("digits", 2)
    trust = fresh.follower(tmp_path / "device")
    assert trust.download("digits/2.json").data == (tmp_path / "2" / "bundle.json").read_bytes()
    _publish_numbers(fresh, tmp_path, range(6, 9))
    assert _listed(fresh) == [2, 6, 7, 8]


def _publish_numbers(
    harness: ServerHarness, folder: Path, counters: range, is_assigned: Callable[[int], bool] = lambda _counter: False
) -> None:
    for counter in counters:
        write_bundle(folder / str(counter), "digits", counter, tables(50 + counter), seed=counter)
        harness.publish(folder / str(counter))
        if is_assigned(counter):
            harness.assign("digits", counter)


def _listed(harness: ServerHarness) -> list[int]:
    every = harness.client("operator").get("/v1/bundles").json()["bundles"]
    return [bundle["counter"] for bundle in every if bundle["is_listed"]]


def test_publishing_brings_a_restored_server_up_to_date_and_what_it_lost_may_come_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for counter in range(1, 5):
        write_bundle(tmp_path / str(counter), "digits", counter, tables(50 + counter), seed=counter)
    with server_in_thread(tmp_path / "server") as harness:
        harness.publish(tmp_path / "1")
    shutil.copytree(tmp_path / "server" / "data", tmp_path / "backup")
    with server_in_thread(tmp_path / "server") as harness:
        for counter in (2, 3):
            harness.publish(tmp_path / str(counter))
        device = harness.follower(tmp_path / "device")
        device.download("digits/3.json")
        ahead = harness.client("device").get("/tuf/digits/timestamp.json").json()["signed"]["version"]
        wait_until(lambda: time.time() > ahead + 1)  # three publications a second are ahead of the time
    shutil.rmtree(tmp_path / "server" / "data")
    shutil.copytree(tmp_path / "backup", tmp_path / "server" / "data")

    with server_in_thread(tmp_path / "server") as harness:
        harness.publish(tmp_path / "4")
        assert "lost what was published before: digits/2, digits/3" in " ".join(capsys.readouterr().err.split())
        device = harness.follower(tmp_path / "device")
        assert device.download("digits/4.json").data == (tmp_path / "4" / "bundle.json").read_bytes()
        harness.publish(tmp_path / "3")
        assert device.download("digits/3.json").data == (tmp_path / "3" / "bundle.json").read_bytes()
        assert harness.assign("digits", 3) > 0


@pytest.mark.parametrize("operators", [4])
def test_of_operators_who_publish_at_once_the_losers_are_told_to_try_again_and_the_command_does(
    engine: Engine, tmp_path: Path, operators: int
) -> None:
    for counter in range(1, operators + 1):
        write_fallback(tmp_path / str(counter), "digits", created_at=datetime(2026, 1, counter, tzinfo=UTC))
    with server_in_thread(tmp_path / "server", engine) as harness, ThreadPoolExecutor(operators) as threads:
        bundle = write_bundle(tmp_path / "b", "digits", 1, tables(50))
        harness.publish(tmp_path / "b")
        stale = [signed(harness, bundle), signed(harness, bundle)]
        answers = list(threads.map(lambda targets: post_bundle(harness, bundle.to_bytes(), targets), stale))
        assert {answer.status_code for answer in answers} <= {201, 409}
        folders = [tmp_path / str(counter) for counter in range(1, operators + 1)]
        list(threads.map(harness.publish, folders))
        assert len(harness.client("operator").get("/v1/fallbacks").json()["fallbacks"]) == operators


def test_a_family_too_many_is_refused_and_those_that_are_there_go_on(engine: Engine, tmp_path: Path) -> None:
    for name, family, counter in (("a", "digits", 1), ("b", "digits", 2), ("new", "letters", 1)):
        write_bundle(tmp_path / name, family, counter, tables(50 + counter), seed=counter)
    far = {"timestamp_version": 1, "renew_at": 9e9, "expires_at": 9e9, "targets_expire_at": 9e9}
    with server_in_thread(tmp_path / "server", engine) as harness:
        harness.publish(tmp_path / "a")
        with harness.database() as database:
            database.execute(insert(tuf_families), [{"family": f"f{n}", **far} for n in range(FAMILIES_MAX - 1)])
        with pytest.raises(RefusedError, match="1000 families"):
            harness.publish(tmp_path / "new")
        empty = next_targets("letters", None, [load_key(harness.keys, Role.TARGETS)], datetime.now(UTC))
        body = {"targets": base64.b64encode(empty).decode()}
        assert_problem(harness.client("operator").put("/v1/tuf/letters/targets", json=body), 409, ProblemCode.CONFLICT)
        assert harness.client("operator").get("/v1/tuf/letters/targets").status_code == 404
        harness.publish(tmp_path / "b")
