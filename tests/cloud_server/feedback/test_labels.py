"""Labels from devices and from people who review: whose word stands, what is counted, what is foreign."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_server.feedback.labels import authority
from shared.wire import LabelSource, ProblemCode, Retry
from tests.cloud_server.harness.classifiers import LABELS
from tests.cloud_server.harness.devices import Device
from tests.cloud_server.harness.feedback import answered, kept, other_than, put_label, review
from tests.cloud_server.harness.frames import frame, tables
from tests.cloud_server.harness.problems import assert_problem
from tests.cloud_server.harness.server import ServerHarness, gained, server_in_thread

SOURCES = ("sensor", "human", "audit")


@given(st.lists(st.tuples(st.sampled_from(LabelSource), st.booleans()), min_size=1))
def test_the_last_word_of_the_highest_authority_stands(said: list[tuple[LabelSource, bool]]) -> None:
    """Reviewers above devices; then audit above human above sensor; then the later above the earlier."""
    standing = 0
    for number, (source, is_operator) in enumerate(said):
        if authority(source, is_operator=is_operator) >= authority(said[standing][0], is_operator=said[standing][1]):
            standing = number
    ranked = [(is_operator, SOURCES.index(source), number) for number, (source, is_operator) in enumerate(said)]
    assert standing == max(ranked)[2]


@pytest.mark.parametrize(("first", "second"), [(a, b) for a in SOURCES for b in SOURCES])
def test_a_label_of_less_authority_is_taken_and_changes_nothing(
    harness: ServerHarness, device: Device, first: str, second: str
) -> None:
    answer = answered(device)
    one, two = other_than(answer["label"]), other_than(answer["label"], other_than(answer["label"]))
    assert review(harness, answer["id"], one, first)["stands"] is True
    assert review(harness, answer["id"], two, second)["stands"] is (SOURCES.index(second) >= SOURCES.index(first))
    assert review(harness, answer["id"], two, second)["stands"] is (SOURCES.index(second) >= SOURCES.index(first))


def test_no_device_overrules_who_reviews_it(harness: ServerHarness, device: Device) -> None:
    answer = answered(device)
    wrong = other_than(answer["label"])
    put_label(device, answer["id"], wrong, "audit")
    assert review(harness, answer["id"], answer["label"], "sensor")["stands"] is True
    put_label(device, answer["id"], wrong, "audit")
    assert standing(harness, answer["id"]) == (answer["label"], "sensor", "admin")


def standing(harness: ServerHarness, frame_id: str) -> tuple[str, str, str]:
    """The label, source and author that stand."""
    sample = kept(harness, frame_id)
    return sample["label"], sample["source"], sample["labelled_by"]


def test_who_said_it_is_kept(harness: ServerHarness, device: Device) -> None:
    answer = answered(device)
    put_label(device, answer["id"], answer["label"], "sensor")
    assert standing(harness, answer["id"]) == (answer["label"], "sensor", device.device_id)
    review(harness, answer["id"], answer["label"], "human", by="ada")
    assert standing(harness, answer["id"]) == (answer["label"], "human", "ada")


def test_the_same_label_of_equal_authority_is_no_news(harness: ServerHarness, device: Device) -> None:
    answer = answered(device)
    first, second = other_than(answer["label"]), other_than(answer["label"], other_than(answer["label"]))
    review(harness, answer["id"], first, "human", by="ada")
    said = kept(harness, answer["id"])
    assert review(harness, answer["id"], first, "human", by="bob")["stands"] is True
    assert kept(harness, answer["id"]) == said, "who said it first, and when, stays"
    review(harness, answer["id"], second, "human", by="bob")
    assert standing(harness, answer["id"]) == (second, "human", "bob")


def test_a_frame_is_counted_once_whoever_labels_it(harness: ServerHarness, device: Device) -> None:
    answer = answered(device)
    before = harness.scrape()
    for source in SOURCES:
        put_label(device, answer["id"], other_than(answer["label"]), source)
        assert review(harness, answer["id"], answer["label"], source)["is_correct"] is True
    assert gained(harness, before, "dctwire_feedback_total") == 1
    assert gained(harness, before, "dctwire_feedback_total", correct="false") == 1


def test_labels_that_arrive_at_once_count_once(harness: ServerHarness, device: Device) -> None:
    answer = answered(device)
    before = harness.scrape()
    with ThreadPoolExecutor(8) as threads:
        said = list(threads.map(lambda n: review(harness, answer["id"], LABELS[n % 5], SOURCES[n % 3]), range(12)))
    assert gained(harness, before, "dctwire_feedback_total") == 1
    assert any(one["stands"] for one in said)
    assert standing(harness, answer["id"])[1] == "audit"


def test_a_label_that_no_classifier_knows_is_taken_as_foreign(harness: ServerHarness, device: Device) -> None:
    answer = answered(device)
    before = harness.scrape()
    said = review(harness, answer["id"], "a dog, asleep")
    assert (said["is_foreign"], said["is_correct"], said["stands"]) == (True, False, True)
    assert gained(harness, before, "dctwire_feedback_total", correct="false") == 1
    assert review(harness, answer["id"], other_than(answer["label"]))["is_foreign"] is False


def test_a_label_for_a_frame_that_has_no_answer_says_why(harness: ServerHarness, device: Device) -> None:
    http = harness.client("operator")
    for frame_id in (f"{device.device_id}.77", "nobody.1", "..", "a.99999999999999999999", "A.1", "x.01"):
        answer = http.put(f"/v1/frames/{frame_id}/label", json={"label": "one"})
        assert_problem(answer, 404, ProblemCode.NOT_FOUND)
    late = http.put(f"/v1/frames/{device.device_id}.77/label", json={"label": "one"}).json()["detail"]
    assert "expired" in late


def test_a_review_must_be_well_formed_and_say_that_it_is_json(harness: ServerHarness, device: Device) -> None:
    http, path = harness.client("operator"), f"/v1/frames/{answered(device)['id']}/label"
    for body in ({}, {"label": ""}, {"label": "x" * 129}, {"label": "a\u0000b"}, {"label": "a", "by": "bob"}):
        assert_problem(http.put(path, json=body), 400, ProblemCode.BAD_REQUEST)
    for content in (b"", b"[]", b"{", b'{"label": "\\ud800"}', b"\xff"):
        sent = http.put(path, content=content, headers={"content-type": "application/json"})
        assert_problem(sent, 400, ProblemCode.BAD_REQUEST)
    plain = http.put(path, content=b'{"label": "one"}', headers={"content-type": "text/plain"})
    assert_problem(plain, 415, ProblemCode.UNSUPPORTED_MEDIA_TYPE)


def test_a_label_is_not_refused_for_good_because_our_files_are_damaged(
    tmp_path: Path, bundle_folders: dict[int, Path]
) -> None:
    with server_in_thread(tmp_path) as harness:
        harness.publish(bundle_folders[1])
        device = harness.enrol("digits")
        answer = device.post(frame(tables(50))).json()
    digest = hashlib.sha256((bundle_folders[1] / "labels.json").read_bytes()).hexdigest()
    file = tmp_path / "data" / "blobs" / digest[:2] / digest
    kept_aside = file.rename(tmp_path / "labels.json")
    with server_in_thread(tmp_path) as harness, httpx.Client(base_url=harness.addresses["device"]) as client:
        client.headers["authorization"] = f"Bearer {device.token}"
        report = {"label": answer["label"], "source": "human"}
        refused = client.put(f"/v1/frames/{answer['id']}/label", json=report)
        assert_problem(refused, 503, ProblemCode.NOT_READY)
        assert refused.json()["retry"] == Retry.LATER
        kept_aside.rename(file)
        assert client.put(f"/v1/frames/{answer['id']}/label", json=report).status_code == 204
