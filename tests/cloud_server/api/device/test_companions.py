"""Companions of frames: answered and stored like any frame, and none of the frames that are counted or learned from."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from cloud_server.storage.schema import devices, labels, results
from shared.jpeg import Stream
from shared.wire import BATCH_MEDIA_TYPE, SEQUENCE_MAX, Batch, BatchResults, Kind, ProblemCode
from tests.cloud_server.harness.classifiers import expected_label
from tests.cloud_server.harness.devices import Device
from tests.cloud_server.harness.feedback import KEEP_ALL, kept, listed
from tests.cloud_server.harness.frames import batch_with_scans, frame, picture, tables
from tests.cloud_server.harness.problems import assert_problem
from tests.cloud_server.harness.server import ServerHarness, gained, server_in_thread

COMPANION_KINDS = ("probe", "detail")
FRAME_METRICS = ("frames_total", "predictions_total", "replayed_frames_total", "samples_total", "feedback_total")
FRAME_PARTS = ("scan", "tables", "markers", "http")


def probe(of: int, kind: str = "probe", **headers: str) -> dict[str, str]:
    """The headers of a companion."""
    return {"dw-kind": kind, "dw-companion-of": str(of)} | headers


def companions(quality: float, seeds: range, first_sequence: int, of: int, kind: Kind = Kind.PROBE) -> Batch:
    """A batch of companions, of the frames with the numbers from `of` on."""
    plain = batch_with_scans(quality, seeds, first_sequence)
    items = tuple(item._replace(of=of + index) for index, item in enumerate(plain.items))
    return Batch(plain.prefix, items, kind)


def post_batch(device: Device, batch: Batch, **headers: str) -> httpx.Response:
    """Upload a batch."""
    headers = {"content-type": BATCH_MEDIA_TYPE} | headers
    return device.http.post("/v1/frames:batch", content=batch.to_bytes(), headers=headers)


def rows_of(harness: ServerHarness, device: Device) -> dict[int, tuple[str | None, int | None]]:
    """Kind and frame of each stored answer of a device, by its number."""
    query = select(results.c.sequence, results.c.kind, results.c.companion_of)
    with harness.database() as database:
        mine = query.join(devices, devices.c.id == results.c.device_id).where(devices.c.public_id == device.device_id)
        return {sequence: (kind, of) for sequence, kind, of in database.execute(mine)}


@pytest.mark.parametrize("kind", COMPANION_KINDS)
@pytest.mark.parametrize("stream", [Stream.ABBREVIATED, Stream.INTERCHANGE])
def test_a_companion_is_answered_by_the_classifier_of_its_own_tables(
    harness: ServerHarness, device: Device, kind: str, stream: Stream
) -> None:
    assert device.post(frame(tables(50), 3), 10).json()["model"] == "digits/1"
    answer = device.post(frame(tables(25), 3, stream), 11, probe(10, kind))
    assert answer.status_code == 200, answer.text
    result = answer.json()
    assert (result["id"], result["model"], result["match"]) == (f"{device.device_id}.11", "digits/2", "exact")
    assert result["label"] == expected_label(2, tables(25), picture(3))
    assert rows_of(harness, device) == {10: (None, None), 11: (kind, 10)}


def test_a_companion_of_tables_that_no_bundle_has_is_answered_as_a_fallback_like_any_frame(device: Device) -> None:
    answer = device.post(frame(tables(61), 0, Stream.INTERCHANGE), 11, probe(10)).json()
    assert (answer["model"], answer["match"]) == ("digits/1", "fallback")


def test_the_short_answer_names_a_companion_like_a_frame(device: Device) -> None:
    answer = device.post(frame(tables(25)), 18, probe(17, prefer="return=minimal"))
    assert (answer.status_code, answer.headers["dw-answered"]) == (204, f"{device.device_id}.18 exact")
    batch = post_batch(device, companions(25, range(3), 30, 20), prefer="return=minimal")
    assert (batch.status_code, batch.headers["dw-answered"]) == (204, f"{device.device_id}.30-32 exact=3")


@pytest.mark.parametrize("kind", [Kind.PROBE, Kind.DETAIL])
def test_a_batch_of_companions_is_answered_companion_by_companion(
    harness: ServerHarness, device: Device, kind: Kind
) -> None:
    assert post_batch(device, batch_with_scans(50, range(4))).status_code == 200
    answer = post_batch(device, companions(25, range(4), 4, 0, kind))
    BatchResults.model_validate_json(answer.content)
    found = answer.json()["results"]
    assert [result["label"] for result in found] == [expected_label(2, tables(25), picture(n)) for n in range(4)]
    assert [result["id"] for result in found] == [f"{device.device_id}.{number}" for number in range(4, 8)]
    stored = dict.fromkeys(range(4), (None, None)) | {4 + number: (kind.value, number) for number in range(4)}
    assert rows_of(harness, device) == stored


def test_a_bad_companion_in_a_batch_harms_no_other(harness: ServerHarness, device: Device) -> None:
    good = companions(25, range(3), 10, 0)
    items = (good.items[0], good.items[1]._replace(scan=good.items[1].scan[:3]), good.items[2])
    found = post_batch(device, Batch(good.prefix, items, good.kind)).json()["results"]
    assert [result.get("problem", {}).get("code") for result in found] == [None, "corrupt-jpeg", None]
    assert sorted(rows_of(harness, device)) == [10, 12]


def test_a_companion_that_is_sent_again_gets_its_answer_and_counts_once(harness: ServerHarness, device: Device) -> None:
    before = harness.scrape()
    forms = [frame(tables(25), 1, stream) for stream in (Stream.ABBREVIATED, Stream.INTERCHANGE, Stream.ABBREVIATED)]
    answers = [device.post(data, 7, probe(6)).json() for data in forms]
    in_batch = post_batch(device, companions(25, range(1, 2), 7, 6)).json()["results"]
    assert [*answers, *in_batch] == [answers[0]] * 4
    assert gained(harness, before, "dctwire_companion_frames_total", kind="probe") == 1
    assert rows_of(harness, device) == {7: ("probe", 6)}


def test_what_a_frame_was_first_sent_for_stands(harness: ServerHarness, device: Device) -> None:
    device.post(frame(tables(50), 1), 7)
    device.post(frame(tables(50), 2), 9, probe(7))
    before = harness.scrape()
    assert device.post(frame(tables(50), 1), 7, probe(6)).status_code == 200
    assert device.post(frame(tables(50), 2), 9).status_code == 200
    assert rows_of(harness, device) == {7: (None, None), 9: ("probe", 7)}
    assert gained(harness, before, "dctwire_companion_frames_total") == 0
    assert gained(harness, before, "dctwire_frames_total") == 0


def test_another_frame_under_a_companions_number_is_told_to_count_on(device: Device) -> None:
    device.post(frame(tables(25), 1), 7, probe(6))
    for headers in ({}, probe(6)):
        problem = device.post(frame(tables(25), 2), 7, headers).json()
        assert (problem["code"], problem["highest_sequence"]) == ("sequence-taken", 7)


def test_a_companion_of_a_frame_that_the_server_does_not_know_is_taken(harness: ServerHarness, device: Device) -> None:
    assert device.post(frame(tables(25), 1), 1000, probe(3)).status_code == 200
    assert post_batch(device, companions(25, range(2), 1001, 0)).status_code == 200
    assert rows_of(harness, device) == {1000: ("probe", 3), 1001: ("probe", 0), 1002: ("probe", 1)}


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"dw-kind": "probe"}, "send DW-Companion-Of with DW-Kind"),
        ({"dw-companion-of": "3"}, "send DW-Kind (probe or detail) with DW-Companion-Of, or neither, not ''"),
        (probe(3, "frame"), "not 'frame'"),
        (probe(3, "Probe"), "not 'Probe'"),
        (probe(3, "thumbnail"), "not 'thumbnail'"),
        (probe(7), "below its own, which is 7, not '7'"),
        (probe(8), "below its own, which is 7, not '8'"),
        (probe(-1), "not '-1'"),
        (probe(SEQUENCE_MAX + 1), "below its own, which is 7"),
        (probe(3) | {"dw-companion-of": "1" * 5000}, "below its own, which is 7"),
        (probe(3) | {"dw-companion-of": "three"}, "not 'three'"),
    ],
    ids=repr,
)
def test_headers_that_name_no_companion_are_refused_and_the_frame_is_named(
    harness: ServerHarness, device: Device, headers: dict[str, str], said: str
) -> None:
    refused = device.post(frame(tables(50)), 7, headers)
    assert_problem(refused, 400, ProblemCode.BAD_REQUEST)
    assert said in refused.json()["detail"]
    assert refused.headers["dw-answered"] == f"{device.device_id}.7 refused"
    assert rows_of(harness, device) == {}


def test_no_frame_before_the_first_has_a_companion(device: Device) -> None:
    assert_problem(device.post(frame(tables(50)), 0, probe(0)), 400, ProblemCode.BAD_REQUEST)


def test_a_batch_of_a_kind_that_nobody_knows_is_refused_whole(harness: ServerHarness, device: Device) -> None:
    good = companions(25, range(2), 10, 0)
    prefix_end = 4 + 1 + len(good.prefix)  # behind the magic and the length of the prefix
    data = good.to_bytes()
    assert data[prefix_end] == Kind.PROBE.code
    unknown = data[:prefix_end] + b"\x03" + data[prefix_end + 1 :]
    refused = device.http.post("/v1/frames:batch", content=unknown, headers={"content-type": BATCH_MEDIA_TYPE})
    assert_problem(refused, 422, ProblemCode.INVALID_BATCH)
    assert "there is no kind 3 of frames" in refused.json()["detail"]
    assert rows_of(harness, device) == {}


@pytest.mark.parametrize("kind", COMPANION_KINDS)
def test_a_companion_of_another_size_is_refused_where_a_frame_is_resized(
    harness: ServerHarness, device: Device, kind: str
) -> None:
    """Encoded anew it would say nothing of its own tables."""
    large = frame(tables(50), 1, Stream.INTERCHANGE, side=64)
    assert device.post(large, 1).json()["match"] == "resized"
    refused = device.post(large, 2, probe(1, kind))
    assert_problem(refused, 422, ProblemCode.WRONG_SIZE)
    assert "the frame has 64x64 pixels; digits/1 takes 32x32" in refused.json()["detail"]
    assert rows_of(harness, device) == {1: (None, None)}


def report(harness: ServerHarness) -> dict[str, Any]:
    """The report on family digits, but for the moment of it."""
    document: dict[str, Any] = harness.client("operator").get("/v1/report", params={"family": "digits"}).json()
    return {name: value for name, value in document.items() if name != "until"}


def test_companions_are_in_no_statistics_of_frames(harness: ServerHarness, device: Device) -> None:
    device.post(frame(tables(50), 1), 1)
    before, reported = harness.scrape(), report(harness)
    row = harness.client("operator").get(f"/v1/devices/{device.device_id}").json()
    for _ in range(2):
        assert device.post(frame(tables(25), 1), 2, probe(1)).status_code == 200
        assert device.post(frame(tables(12.6), 2, Stream.INTERCHANGE), 3, probe(1, "detail")).status_code == 200
        assert post_batch(device, companions(25, range(3), 10, 4)).status_code == 200
    assert {name: gained(harness, before, f"dctwire_{name}") for name in FRAME_METRICS} == dict.fromkeys(
        FRAME_METRICS, 0
    )
    assert gained(harness, before, "dctwire_companion_frames_total", kind="probe") == 4
    assert gained(harness, before, "dctwire_companion_frames_total", kind="detail") == 1
    assert report(harness) == reported
    again = harness.client("operator").get(f"/v1/devices/{device.device_id}").json()
    assert row["last_tables"] == again["last_tables"] == "v1"


def test_the_bytes_of_companions_are_counted_as_theirs(harness: ServerHarness, device: Device) -> None:
    before = harness.scrape()
    device.post(frame(tables(25), 1), 2, probe(1))
    post_batch(device, companions(50, range(3), 10, 4))
    harness.client("ops").get("/metrics")
    for direction in ("in", "out"):
        wire = sum(
            gained(harness, before, "dctwire_wire_bytes_total", direction=direction, route=route)
            for route in ("frames", "batch")
        )
        payload = {"direction": direction, "family": "digits"}
        assert wire > 0
        assert gained(harness, before, "dctwire_payload_bytes_total", **payload, part="companion") == wire
        assert {gained(harness, before, "dctwire_payload_bytes_total", part=part) for part in FRAME_PARTS} == {0}


def test_no_companion_is_kept_that_nothing_can_be_learned_from(tmp_path: Path, bundle_folders: dict[int, Path]) -> None:
    """Probes, and what earlier sensors sent as details, with the bundle's own tables."""
    with server_in_thread(tmp_path, **KEEP_ALL) as harness:
        harness.publish(bundle_folders[1])
        device = harness.enrol("digits")
        device.post(frame(tables(50), 1), 2, probe(1))
        device.post(frame(tables(90), 1, Stream.INTERCHANGE), 3, probe(1))
        device.post(frame(tables(50), 1), 4, probe(1, "detail"))
        post_batch(device, companions(50, range(3), 10, 4))
        last = device.post(frame(tables(50), 2), 20).json()["id"]
        kept(harness, last)  # which was chosen last
        assert [row["frame_id"] for row in listed(harness)] == [last]


def test_a_label_for_a_companion_is_refused_and_names_the_frame_to_label(
    harness: ServerHarness, device: Device
) -> None:
    device.post(frame(tables(50), 1), 16)
    companion = device.post(frame(tables(25), 1), 17, probe(16, "detail")).json()["id"]
    before = harness.scrape()
    label = {"label": "one", "source": "human"}
    path = f"/v1/frames/{companion}/label"
    by_device = device.http.put(path, json=label)
    assert by_device.headers["dw-answered"] == f"{companion} refused"
    said = f"frame {companion} is a detail of frame {device.device_id}.16 and can have no label"
    for refused in (by_device, harness.client("operator").put(path, json=label)):
        assert_problem(refused, 409, ProblemCode.CONFLICT)
        assert said in refused.json()["detail"]
    with harness.database() as database:
        mine = select(labels).join(devices, devices.c.id == labels.c.device_id)
        assert not database.execute(mine.where(devices.c.public_id == device.device_id)).all()
    assert gained(harness, before, "dctwire_feedback_total") == 0
    assert device.http.put(f"/v1/frames/{device.device_id}.16/label", json=label).status_code == 204


def test_companions_are_taken_off_the_quota_like_frames(tmp_path: Path, bundle_folders: dict[int, Path]) -> None:
    with server_in_thread(tmp_path, quota_frames_per_second=0.001, quota_burst_frames=256) as harness:
        harness.publish(bundle_folders[1])
        device = harness.enrol("digits")
        assert device.post(frame(tables(50)), 1, probe(0)).status_code == 200
        assert post_batch(device, companions(50, range(255), 1000, 0)).status_code == 200
        assert_problem(device.post(frame(tables(50)), 2000), 429, ProblemCode.QUOTA_EXCEEDED)
