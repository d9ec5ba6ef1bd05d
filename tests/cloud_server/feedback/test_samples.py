"""Frames that were kept, from upload to the file that a viewer opens."""

import io
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image

from shared.jpeg import Decoder, Stream
from shared.wire import BATCH_MEDIA_TYPE, ProblemCode
from tests.cloud_server.harness.devices import Device
from tests.cloud_server.harness.engines import Embedded, Engine
from tests.cloud_server.harness.feedback import KEEP_ALL, answered, jpeg_of, kept, listed, other_than, review
from tests.cloud_server.harness.frames import batch_with_scans, frame, tables
from tests.cloud_server.harness.problems import assert_problem
from tests.cloud_server.harness.server import ServerHarness, gained, server_in_thread
from tests.cloud_server.harness.waiting import once


def test_a_kept_frame_tells_its_answer_and_opens_in_any_viewer(harness: ServerHarness, device: Device) -> None:
    sent = frame(tables(50), 3)
    answer = answered(device, data=sent)
    sample = kept(harness, answer["id"])
    assert sample["frame_id"] == answer["id"]
    assert (sample["answer"], sample["confidence"]) == (answer["label"], answer["confidence"])
    assert (sample["model"], sample["match"], sample["tables"]) == ("digits/1", "exact", "v1")
    assert (sample["family"], sample["reason"], sample["label"]) == ("digits", "random", None)
    file = jpeg_of(harness, answer["id"])
    assert file.headers["content-type"] == "image/jpeg"
    assert len(file.content) == sample["bytes"]
    assert Image.open(io.BytesIO(file.content)).size == (32, 32)
    assert Decoder().decode(file.content) == Decoder(tables(50)).decode(sent)


def test_a_fallback_is_marked(harness: ServerHarness, device: Device) -> None:
    answer = answered(device, data=frame(tables(80), 6, Stream.INTERCHANGE))
    assert kept(harness, answer["id"])["match"] == "fallback"


def test_frames_of_a_batch_are_kept_one_by_one(harness: ServerHarness, device: Device) -> None:
    batch = batch_with_scans(50, range(5), first_sequence=40)
    headers = {"content-type": BATCH_MEDIA_TYPE}
    results = device.http.post("/v1/frames:batch", content=batch.to_bytes(), headers=headers).json()["results"]
    for result, sent in zip(results, batch.frames(), strict=True):
        kept(harness, result["id"])
        assert Decoder().decode(jpeg_of(harness, result["id"]).content) == Decoder(tables(50)).decode(sent)


def test_a_frame_that_is_sent_again_is_kept_once(harness: ServerHarness, device: Device) -> None:
    before = harness.scrape()
    ids = {device.post(frame(tables(50), 1), sequence=9).json()["id"] for _ in range(3)}
    kept(harness, ids.pop())
    answer = answered(device)  # sequence 0: stored after everything before it
    kept(harness, answer["id"])
    assert gained(harness, before, "dctwire_samples_total", family="digits", reason="random") == 2


def test_the_same_picture_twice_is_two_samples_and_one_file(harness: ServerHarness, device: Device) -> None:
    one = answered(device, seed=77)
    kept(harness, one["id"])
    bytes_before = harness.scrape().value("dctwire_samples_bytes")
    two = answered(device, data=frame(tables(50), 77, Stream.INTERCHANGE))
    assert kept(harness, two["id"])["stored_at"] >= kept(harness, one["id"])["stored_at"]
    assert jpeg_of(harness, one["id"]).content == jpeg_of(harness, two["id"]).content
    assert harness.scrape().value("dctwire_samples_bytes") == bytes_before


def test_pages_follow_each_other_newest_first_and_miss_nothing(harness: ServerHarness) -> None:
    device = harness.enrol("digits")
    ids = [answered(device, seed)["id"] for seed in range(7)]
    for frame_id in ids:
        kept(harness, frame_id)
    found = [row for row in listed(harness, limit=2) if row["frame_id"].startswith(device.device_id)]
    assert [row["frame_id"] for row in found] == ids[::-1]
    assert all(newer["stored_at"] >= older["stored_at"] for newer, older in pairwise(found))


def test_samples_are_found_by_what_is_known_of_them(harness: ServerHarness, device: Device) -> None:
    labelled, unlabelled = (answered(device, seed) for seed in range(2))
    since = kept(harness, labelled["id"])["stored_at"]
    kept(harness, unlabelled["id"])
    review(harness, labelled["id"], other_than(labelled["label"]), by="ada")

    def has(**wanted: str | float | bool) -> tuple[bool, bool]:
        found = {row["frame_id"] for row in listed(harness, **wanted)}
        return labelled["id"] in found, unlabelled["id"] in found

    assert has(labelled=True) == (True, False)
    assert has(labelled=False) == (False, True)
    assert has(family="digits", reason="random") == (True, True)
    assert has(family="strangers") == has(reason="disagreement") == (False, False)
    assert has(since=since) == (True, True)
    assert has(until=since) == has(since=4e9) == (False, False)
    row = kept(harness, labelled["id"])
    assert (row["is_correct"], row["is_foreign"], row["source"], row["labelled_by"]) == (False, False, "human", "ada")


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=501",
        "limit=-1",
        "limit=x",
        "before=0",
        "before=99999999999999999999",
        "since=nan",
        "since=inf",
        "until=-1",
        "until=1e300",
        "reason=rumour",
        "labelled=perhaps",
        "family=" + "a" * 64,
        "family=%00",
        "family='; DROP TABLE samples; --",
        "family=%F0%9F%90%88",
    ],
)
def test_hostile_paging_is_refused(harness: ServerHarness, query: str) -> None:
    assert_problem(harness.client("operator").get(f"/v1/samples?{query}"), 400, ProblemCode.BAD_REQUEST)


@pytest.mark.parametrize("frame_id", ["nobody.1", "..", "%2e%2e", "a.-1", "a.9999999999999999999", "x" * 500])
def test_hostile_ids_lead_nowhere(harness: ServerHarness, frame_id: str) -> None:
    for path in (f"/v1/samples/{frame_id}", f"/v1/samples/{frame_id}/jpeg"):
        assert_problem(harness.client("operator").get(path), 404, ProblemCode.NOT_FOUND)


def test_a_label_that_contradicts_the_answer_keeps_the_frame(
    engine: Engine, tmp_path: Path, bundle_folders: dict[int, Path]
) -> None:
    only_disagreement = {"sample_random_rate": 0.0, "sample_confidence_below": 0.0, "sample_rare_share": 0.0}
    with server_in_thread(tmp_path, engine, **KEEP_ALL | only_disagreement) as harness:
        harness.publish(bundle_folders[1])
        device = harness.enrol("digits")
        right, wrong, unlabelled = (answered(device, seed) for seed in range(3))
        review(harness, right["id"], right["label"])
        review(harness, wrong["id"], other_than(wrong["label"]))
        assert kept(harness, wrong["id"])["reason"] == "disagreement"
        assert [row["frame_id"] for row in listed(harness)] == [wrong["id"]]
        review(harness, unlabelled["id"], unlabelled["label"])
        assert harness.scrape().value("dctwire_samples_dropped_total") == 0


def test_a_contradicted_frame_that_memory_has_lost_is_counted(tmp_path: Path, bundle_folders: dict[int, Path]) -> None:
    changes = {"sample_random_rate": 0.0, "sample_confidence_below": 0.0, "recent_frames_max_bytes": 0}
    with server_in_thread(tmp_path, Embedded(), **changes) as harness:
        harness.publish(bundle_folders[1])
        answer = answered(harness.enrol("digits"))
        review(harness, answer["id"], other_than(answer["label"]))
        assert harness.scrape().value("dctwire_samples_dropped_total", cause="gone") == 1
        assert listed(harness) == []


def test_caps_hold_and_what_they_refuse_is_counted(
    engine: Engine, tmp_path: Path, bundle_folders: dict[int, Path]
) -> None:
    changes = {"sample_random_rate": 1.0, "sample_hourly_max": 100, "sample_daily_max": 3}
    with server_in_thread(tmp_path, engine, **changes) as harness:
        harness.publish(bundle_folders[1])
        device = harness.enrol("digits")
        for seed in range(20):
            answered(device, seed)
        once(lambda: harness.scrape().value("dctwire_samples_dropped_total") == 17 or None)
        assert harness.scrape().value("dctwire_samples_dropped_total", cause="cap") == 17
        assert len(listed(harness)) == harness.scrape().value("dctwire_samples_total") == 3


def test_bytes_in_all_are_bounded(engine: Engine, tmp_path: Path, bundle_folders: dict[int, Path]) -> None:
    with server_in_thread(tmp_path, engine, **KEEP_ALL | {"samples_max_bytes": 2000}) as harness:
        harness.publish(bundle_folders[1])
        device = harness.enrol("digits")
        for seed in range(10):
            answered(device, seed)
        dropped = once(lambda: harness.scrape().value("dctwire_samples_dropped_total", cause="full") or None)
        once(lambda: len(listed(harness)) + harness.scrape().value("dctwire_samples_dropped_total") == 10 or None)
        found = listed(harness)
        assert dropped and 1 <= len(found) <= 2000 // 600
        assert sum(row["bytes"] for row in found) == harness.scrape().value("dctwire_samples_bytes") <= 2000


def test_a_detail_has_its_frames_label_and_none_of_its_own(harness: ServerHarness, device: Device) -> None:
    of = answered(device, 31)
    headers = {"dw-kind": "detail", "dw-companion-of": of["id"].partition(".")[2]}
    detail = device.post(frame(tables(90), 31, Stream.INTERCHANGE), headers=headers).json()
    found = kept(harness, detail["id"])
    assert (found["kind"], found["of"], found["reason"]) == ("detail", of["id"], "detail")
    assert (found["label"], found["is_correct"], found["is_reviewed"]) == (None, None, False)
    assert Decoder().decode(jpeg_of(harness, detail["id"]).content) == Decoder().decode(
        frame(tables(90), 31, Stream.INTERCHANGE)
    )
    review(harness, of["id"], detail["label"], "audit")
    found, parent = kept(harness, detail["id"]), kept(harness, of["id"])
    assert (found["label"], found["source"], found["is_correct"]) == (detail["label"], "audit", True)
    assert (found["is_reviewed"], found["is_audited"]) == (True, False)
    assert (parent["kind"], parent["of"], parent["is_audited"]) == ("frame", None, True)
    review(harness, of["id"], other_than(detail["label"], of["label"]), "audit")
    assert kept(harness, detail["id"])["is_correct"] is False
    for is_detail in (True, False):
        assert {row["kind"] for row in listed(harness, detail=is_detail)} == {"detail" if is_detail else "frame"}
    assert detail["id"] in {row["frame_id"] for row in listed(harness, labelled=True, reason="detail")}


def test_samples_of_a_forgotten_device_are_gone_at_once(harness: ServerHarness) -> None:
    device = harness.enrol("digits")
    frame_id = answered(device)["id"]
    kept(harness, frame_id)
    operator = harness.client("operator")
    assert operator.delete(f"/v1/devices/{device.device_id}").status_code == 202
    assert frame_id not in {row["frame_id"] for row in listed(harness)}
    assert_problem(jpeg_of(harness, frame_id), 404, ProblemCode.NOT_FOUND)
    devices = operator.get("/v1/samples/set-aside", params={"family": "digits"}).json()["devices"]
    assert {"device_id": device.device_id, "why": "forgotten"} in devices
