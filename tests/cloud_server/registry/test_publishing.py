"""Publishing: everything is checked before anything can be seen, and a publish that died can be sent again."""

import base64
import contextlib
import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import onnx
import pytest
from sqlalchemy import update

from cloud_server.cli.operator_client import OperatorClient
from cloud_server.cli.publishing import ModelFolder, Outcome, initialise_trust, publish_folder
from cloud_server.storage.schema import tuf_files
from shared.bundle import Bundle, Reference
from shared.errors import RefusedError
from shared.jpeg import Fit
from shared.trust import TIMESTAMP_FILE, Role, TrustClient, TrustError, add_target, load_key, parse_targets
from shared.wire import ProblemCode
from tests.cloud_server.harness.bundles import as_schema_1, classifier_ref, write_bundle
from tests.cloud_server.harness.classifiers import LABELS, write_classifier
from tests.cloud_server.harness.frames import frame, tables
from tests.cloud_server.harness.problems import assert_problem
from tests.cloud_server.harness.server import ServerHarness, server_in_thread


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerHarness]:
    """A server for refusals: nothing that is refused may leave a trace in it."""
    with server_in_thread(tmp_path_factory.mktemp("empty")) as harness:
        yield harness
        assert harness.client("operator").get("/v1/bundles").json() == {"bundles": []}
        assert parse_targets(current_targets(harness)).signed.targets == {}


def current_targets(harness: ServerHarness) -> bytes:
    """What the operator signs on top of."""
    return harness.client("operator").get("/v1/tuf/targets").content


def signed(harness: ServerHarness, bundle: Bundle, **changes: Any) -> bytes:
    """The current targets with this bundle added, signed by the harness's key."""
    custom = bundle.target_custom | changes
    signer = load_key(harness.keys, Role.TARGETS)
    return add_target(
        current_targets(harness), bundle.target_path, bundle.to_bytes(), custom, signer, datetime.now(UTC)
    )


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
    signer = load_key(empty.keys, Role.TARGETS)
    targets = add_target(
        current_targets(empty), bundle.target_path, data, bundle.target_custom, signer, datetime.now(UTC)
    )
    assert_problem(post_bundle(empty, data, targets), 422, ProblemCode.UNSUPPORTED_BUNDLE)


def test_targets_that_nobody_trusted_signed_are_refused(empty: ServerHarness, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "b", "digits", 1, tables(50))
    upload_blobs(empty, tmp_path / "b")
    initialise_trust(tmp_path / "keys", tmp_path / "data", datetime.now(UTC))
    stranger = load_key(tmp_path / "keys", Role.TARGETS)
    targets = add_target(
        current_targets(empty), bundle.target_path, bundle.to_bytes(), bundle.target_custom, stranger, datetime.now(UTC)
    )
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


def test_old_targets_are_refused(empty: ServerHarness, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "b", "digits", 1, tables(50))
    upload_blobs(empty, tmp_path / "b")
    answer = post_bundle(empty, bundle.to_bytes(), current_targets(empty))
    assert_problem(answer, 409, ProblemCode.CONFLICT)


def test_expired_targets_are_refused(empty: ServerHarness, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "b", "digits", 1, tables(50))
    upload_blobs(empty, tmp_path / "b")
    long_ago = datetime.now(UTC) - timedelta(days=3650)
    signer = load_key(empty.keys, Role.TARGETS)
    targets = add_target(
        current_targets(empty), bundle.target_path, bundle.to_bytes(), bundle.target_custom, signer, long_ago
    )
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
    timestamp = fresh.client("device").get("/tuf/metadata/timestamp.json").content
    again = post_bundle(fresh, bundle.to_bytes(), targets)
    assert first.status_code == again.status_code == 201
    assert fresh.client("device").get("/tuf/metadata/timestamp.json").content == timestamp
    fresh.publish(tmp_path / "b")
    assert len(fresh.client("operator").get("/v1/bundles").json()["bundles"]) == 1


def test_bundles_of_both_schemas_are_published_and_served(fresh: ServerHarness, tmp_path: Path) -> None:
    reference = Reference(temperature=1.5)
    write_bundle(tmp_path / "v2", "digits", 2, tables(40), fit=Fit(share=0.875), reference=reference)
    older = write_bundle(tmp_path / "v1", "digits", 1, tables(50))
    (tmp_path / "v1" / "bundle.json").write_bytes(as_schema_1(older))
    for name in ("v1", "v2"):
        fresh.publish(tmp_path / name)
    listed = parse_targets(current_targets(fresh)).signed.targets
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
    with contextlib.closing(OperatorClient(fresh.addresses["operator"])) as client:
        ages = (timedelta(0), timedelta(days=180), timedelta(days=185), timedelta(days=185))
        outcomes = [publish_folder(client, folder, fresh.keys, now + age, lambda _step: None) for age in ages]
    assert outcomes == [Outcome.PUBLISHED, Outcome.UNCHANGED, Outcome.RENEWED, Outcome.UNCHANGED]


def test_a_counter_is_used_once_and_only_grows(fresh: ServerHarness, tmp_path: Path) -> None:
    write_bundle(tmp_path / "v2", "digits", 2, tables(50))
    fresh.publish(tmp_path / "v2")
    older = write_bundle(tmp_path / "v1", "digits", 1, tables(40))
    same = write_bundle(tmp_path / "other", "digits", 2, tables(40))
    upload_blobs(fresh, tmp_path / "v1")
    upload_blobs(fresh, tmp_path / "other")
    assert_problem(post_bundle(fresh, older.to_bytes(), signed(fresh, older)), 409, ProblemCode.CONFLICT)
    assert_problem(post_bundle(fresh, same.to_bytes(), current_targets(fresh)), 409, ProblemCode.CONFLICT)


def test_assignment_numbers_only_grow_and_going_back_is_a_new_one(fresh: ServerHarness, tmp_path: Path) -> None:
    for counter in (1, 2):
        write_bundle(tmp_path / str(counter), "digits", counter, tables(50 - counter), seed=counter)
        fresh.publish(tmp_path / str(counter))
    assert [fresh.assign("digits", counter) for counter in (1, 2, 2, 1)] == [1, 2, 2, 3]
    device = fresh.enrol("digits")
    assert device.http.get("/v1/assignment").json()["seq"] == 3


def test_a_bundle_below_the_floor_cannot_be_assigned(fresh: ServerHarness, tmp_path: Path) -> None:
    for counter, floor in ((1, 1), (2, 2)):
        write_bundle(tmp_path / str(counter), "digits", counter, tables(50 - counter), min_counter=floor)
        fresh.publish(tmp_path / str(counter))
    answer = fresh.client("operator").post("/v1/assignments", json={"family": "digits", "counter": 1})
    assert_problem(answer, 409, ProblemCode.CONFLICT)


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
        harness.assign("digits", 1)
        device = harness.enrol("digits")
        answer = device.post(frame(tables(50)), sequence=3).json()
    with server_in_thread(tmp_path) as harness:
        client = harness.client("device", headers={"authorization": f"Bearer {device.token}"})
        again = client.post("/v1/frames", content=frame(tables(50)), headers={"dw-sequence": "3"})
        assert again.json() == answer
        assert again.headers["dw-assignment"] == "1"
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


def test_a_damaged_timestamp_in_the_database_is_named_at_the_start(tmp_path: Path) -> None:
    with server_in_thread(tmp_path) as harness, harness.database() as database:
        database.execute(update(tuf_files).where(tuf_files.c.name == TIMESTAMP_FILE).values(data=b"rubbish"))
    with pytest.raises(TrustError, match="not TUF metadata"), server_in_thread(tmp_path):
        pass


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
        with contextlib.closing(OperatorClient(harness.addresses["operator"])) as client:
            folder = ModelFolder.read(tmp_path / "v1")
            with pytest.raises(TrustError):
                publish_folder(client, folder, tmp_path / "other-keys", datetime.now(UTC), lambda _step: None)
            with pytest.raises(RefusedError, match="404"):
                client.get("/v1/nothing")


def test_several_who_publish_with_one_folder_of_keys_do_not_meet_in_it(empty: ServerHarness, tmp_path: Path) -> None:
    def verify(_number: int) -> bytes:
        with contextlib.closing(OperatorClient(empty.addresses["operator"])) as client:
            root = (empty.keys / "root.json").read_bytes()
            return TrustClient(tmp_path / "verified", root, client.fetch_tuf).targets()

    with ThreadPoolExecutor(4) as threads:
        assert len(set(threads.map(verify, range(24)))) == 1
