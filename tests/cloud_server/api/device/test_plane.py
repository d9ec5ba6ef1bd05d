"""Enrolment, assignments, labels and signed files, from the device's side."""

import hashlib
import json
from pathlib import Path

import pytest
from sqlalchemy import select

from cloud_server.storage.schema import metadata
from shared.bundle import Bundle
from shared.wire import Assignment, Enrolment, ProblemCode, Retry
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.classifiers import LABELS
from tests.cloud_server.harness.devices import Device, joining
from tests.cloud_server.harness.frames import frame, tables
from tests.cloud_server.harness.problems import assert_problem
from tests.cloud_server.harness.server import ServerHarness

NOT_SECRETS = ["0123456789" * 13, "with spaces " * 5, "\u00e9-0123456789-abcdefghijklmnopqrstuvwxyz-0123"]


def claim_code(harness: ServerHarness, family: str = "digits") -> str:
    """A new claim code."""
    return str(harness.client("operator").post("/v1/claims", json={"family": family}).json()["claim_code"])


def test_a_claim_code_makes_one_device(harness: ServerHarness) -> None:
    code, client = claim_code(harness), harness.client("device")
    answer = client.post("/v1/devices", json=joining(code))
    assert answer.status_code == 201
    enrolment = Enrolment.model_validate_json(answer.content)
    assert enrolment.family == "digits"
    assert len(enrolment.token) == 22
    assert_problem(client.post("/v1/devices", json=joining(code)), 401, ProblemCode.INVALID_CLAIM)


def test_a_used_code_is_answered_again_to_the_secret_that_used_it_and_refused_to_others(harness: ServerHarness) -> None:
    wanted, client = joining(claim_code(harness)), harness.client("device")
    first = client.post("/v1/devices", json=wanted)
    stranger = client.post("/v1/devices", json=joining(wanted["claim_code"]))
    again = client.post("/v1/devices", json=wanted)
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert_problem(stranger, 401, ProblemCode.INVALID_CLAIM)


@pytest.mark.parametrize("secret", ["", "a" * 64, "short-secret-0123456789-abcdefghijklmnopqr", *NOT_SECRETS])
def test_a_secret_that_is_too_short_too_long_or_too_plain_is_refused_and_spends_no_code(
    harness: ServerHarness, secret: str
) -> None:
    code, client = claim_code(harness), harness.client("device")
    refused = client.post("/v1/devices", json={"claim_code": code, "secret": secret})
    assert_problem(refused, 400, ProblemCode.BAD_REQUEST)
    assert "secret" in refused.json()["detail"] and (not secret or secret not in refused.text)
    assert client.post("/v1/devices", json=joining(code)).status_code == 201


def test_a_device_that_sends_no_secret_is_told_so_and_spends_no_code(harness: ServerHarness) -> None:
    code, client = claim_code(harness), harness.client("device")
    refused = client.post("/v1/devices", json={"claim_code": code})
    assert_problem(refused, 400, ProblemCode.BAD_REQUEST)
    assert refused.json()["detail"] == "secret: Field required"
    assert client.post("/v1/devices", json=joining(code)).status_code == 201


def test_a_claim_code_may_be_typed_carelessly(harness: ServerHarness) -> None:
    code = claim_code(harness).lower().replace("-", " ")
    assert harness.client("device").post("/v1/devices", json=joining(code)).status_code == 201


def test_a_wrong_claim_code_is_refused(harness: ServerHarness) -> None:
    answer = harness.client("device").post("/v1/devices", json=joining("AAAA-BBBB-CCCC"))
    assert_problem(answer, 401, ProblemCode.INVALID_CLAIM)


def test_no_secret_is_kept_in_the_clear(harness: ServerHarness, device: Device) -> None:
    wanted = joining(claim_code(harness))
    assert harness.client("device").post("/v1/devices", json=wanted).status_code == 201
    with harness.database() as database:
        kept = str([database.execute(select(table)).all() for table in metadata.sorted_tables])
    assert device.token not in kept
    assert wanted["claim_code"] not in kept and wanted["secret"] not in kept
    assert str(hashlib.sha256(wanted["secret"].encode()).digest()) in kept
    assert str(hashlib.sha256(device.token.encode()).digest()) in kept


def test_an_assignment_is_told_once(device: Device) -> None:
    answer = device.http.get("/v1/assignment")
    assignment = Assignment.model_validate_json(answer.content)
    assert assignment == Assignment(seq=assignment.seq, family="digits", counter=1, target="digits/1.json")
    again = device.http.get("/v1/assignment", headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content, again.headers["dw-assignment"]) == (304, b"", str(assignment.seq))


def test_a_family_without_assignment_is_told_so(harness: ServerHarness) -> None:
    stranger = harness.enrol("strangers")
    answer = stranger.http.get("/v1/assignment")
    assert_problem(answer, 404, ProblemCode.NO_ASSIGNMENT)
    assert answer.headers["dw-assignment"] == "0"


def test_a_family_without_classifier_is_asked_to_come_back(harness: ServerHarness) -> None:
    answer = harness.enrol("strangers").post(frame(tables(50)))
    assert_problem(answer, 503, ProblemCode.NOT_READY)
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.json()["retry"] == Retry.LATER


def test_tables_of_another_family_are_no_secret(harness: ServerHarness, tmp_path: Path) -> None:
    """An abbreviated frame is decodable with any published tables; a decodable frame is answered."""
    write_bundle(tmp_path / "letters", "letters", 1, tables(60), seed=9)
    harness.publish(tmp_path / "letters")
    answer = harness.enrol("letters").post(frame(tables(50), 3)).json()
    assert (answer["model"], answer["match"]) == ("letters/1", "fallback")


def test_a_shipped_root_leads_to_the_bundle(
    harness: ServerHarness, tmp_path: Path, bundle_folders: dict[int, Path]
) -> None:
    verified = harness.follower(tmp_path).download("digits/2.json")
    assert verified.data == (bundle_folders[2] / "bundle.json").read_bytes()
    assert verified.custom["classifier_sha256"] == Bundle.from_bytes(verified.data).classifier.sha256


def test_files_outside_the_repository_are_not_served(harness: ServerHarness) -> None:
    client = harness.client("device")
    for name in ("../keys/snapshot.pem", "digits/../../keys/snapshot.pem", "%2e%2e/keys/snapshot.pem", "digits/.x"):
        assert_problem(client.get(f"/tuf/{name}"), 404, ProblemCode.NOT_FOUND)


def test_signed_files_tell_how_long_they_live_and_no_time(harness: ServerHarness) -> None:
    client = harness.client("device")
    timestamp = client.get("/tuf/digits/timestamp.json")
    assert timestamp.headers["cache-control"] == "no-cache"
    assert "date" not in timestamp.headers
    root = client.get("/tuf/1.root.json")
    assert "immutable" in root.headers["cache-control"]
    assert root.content == (harness.keys / "root.json").read_bytes()


def test_the_root_that_is_not_there_yet_is_a_404_of_a_few_bytes(harness: ServerHarness) -> None:
    """Each device asks for it at each look."""
    answer = harness.client("device").get("/tuf/2.root.json")
    assert (answer.status_code, answer.content, dict(answer.headers)) == (404, b"", {"content-length": "0"})


def put_label(device: Device, frame_id: str, label: str, source: str = "human") -> int:
    """Label a frame; the status."""
    answer = device.http.put(f"/v1/frames/{frame_id}/label", json={"label": label, "source": source})
    return answer.status_code


def test_a_label_is_counted_once_however_often_it_is_put(harness: ServerHarness, device: Device) -> None:
    answers = [device.post(frame(tables(50), seed)).json() for seed in range(2)]
    right = answers[0]["label"]
    wrong = next(label for label in LABELS if label != answers[1]["label"])
    before = harness.scrape()
    for _ in range(3):
        assert put_label(device, answers[0]["id"], right) == 204
        assert put_label(device, answers[1]["id"], wrong) == 204
    assert put_label(device, answers[1]["id"], answers[1]["label"], source="audit") == 204
    after = harness.scrape()
    for correct in ("true", "false"):
        labels = {"family": "digits", "tables": "v1", "correct": correct}
        assert after.value("dctwire_feedback_total", **labels) - before.value("dctwire_feedback_total", **labels) == 1


def test_only_the_devices_own_answered_frames_can_be_labelled(harness: ServerHarness, device: Device) -> None:
    foreign = harness.enrol("digits").post(frame(tables(50))).json()["id"]
    for frame_id in (foreign, f"{device.device_id}.5", f"{device.device_id}.x", "..", "a.99999999999999999999"):
        assert put_label(device, frame_id, "one") == 404


def test_a_label_must_be_well_formed(device: Device) -> None:
    frame_id = device.post(frame(tables(50))).json()["id"]
    for body in ({}, {"label": "", "source": "human"}, {"label": "one", "source": "rumour"}, {"label": "x" * 200}):
        answer = device.http.put(f"/v1/frames/{frame_id}/label", content=json.dumps(body))
        assert_problem(answer, 400, ProblemCode.BAD_REQUEST)


def test_the_operator_sees_what_a_device_sends(harness: ServerHarness, device: Device) -> None:
    device.post(frame(tables(25)))
    row = harness.client("operator").get(f"/v1/devices/{device.device_id}").json()
    assert (row["family"], row["last_tables"]) == ("digits", "v2")
    assert row["last_seen_at"] >= row["enrolled_at"]
    assert harness.scrape().value("dctwire_devices_by_tables", family="digits", tables="v2") >= 1
