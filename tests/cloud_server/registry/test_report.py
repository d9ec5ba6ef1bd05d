"""The report: exact to the frame, over restarts, replicas and kills; savings measured or said to be unknown."""

import contextlib
import json
import math
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from cloud_server.cli.app import app
from cloud_server.cli.report_table import _said_of, _saving
from cloud_server.registry.report import (
    Baseline,
    Counts,
    Estimate,
    OrdinaryEstimate,
    accuracy_of,
    baseline_of,
    versions_of,
)
from cloud_server.storage.database import add_what_waits
from cloud_server.storage.rows import sums
from cloud_server.storage.rows.baseline_sums import Measured
from cloud_server.storage.rows.sums import HOUR_SECONDS, Answered, AnswerSum, Spent
from shared.jpeg import Stream
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.devices import Device
from tests.cloud_server.harness.engines import Engine
from tests.cloud_server.harness.feedback import answered, other_than, put_label, review
from tests.cloud_server.harness.frames import batch_with_scans, frame, tables
from tests.cloud_server.harness.process import ServerProcess
from tests.cloud_server.harness.server import ServerHarness, server_in_thread

UNKNOWN = Baseline(source="unknown", frames=0, bytes=None)


def report(harness: ServerHarness, **query: Any) -> dict[str, Any]:
    """The report on family digits."""
    answer = harness.client("operator").get("/v1/report", params={"family": "digits"} | query)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def of(document: dict[str, Any], of_tables: str) -> dict[str, Any]:
    """The report on one version."""
    return next(version for version in document["versions"] if version["tables"] == of_tables)


def test_a_report_is_exact_and_outlasts_the_process(
    engine: Engine, tmp_path: Path, bundle_folders: dict[int, Path]
) -> None:
    ordinary = [frame(tables(50), seed, Stream.INTERCHANGE) for seed in range(4)]
    with server_in_thread(tmp_path, engine) as harness:
        for folder in bundle_folders.values():
            harness.publish(folder)
        first, second = harness.enrol("digits"), harness.enrol("digits")
        before = harness.scrape()
        answers = [answered(first, seed) for seed in range(5)]
        answered(first, 0)
        first.post(frame(tables(50), 0), sequence=0)  # sent twice: answered twice, counted once
        batch = batch_with_scans(25, range(3))
        headers = {"content-type": "application/vnd.dctwire.batch"}
        assert second.http.post("/v1/frames:batch", content=batch.to_bytes(), headers=headers).status_code == 200
        for number, data in enumerate(ordinary):
            assert second.post(data, 10 + number).status_code == 200
        for number, answer in enumerate(answers):
            right = answer["label"]
            put_label(first, answer["id"], right if number else other_than(right))
        after = harness.scrape()
    with server_in_thread(tmp_path, engine) as harness:
        document = report(harness)

    v1, v2, interchange = (of(document, name) for name in ("v1", "v2", "interchange"))
    assert [version["frames"] for version in (v1, v2, interchange)] == [6, 3, 4]
    assert (v1["by_match"], v2["by_match"]) == ({"exact": 6}, {"exact": 3})
    assert (v1["devices"], v2["devices"], interchange["devices"]) == (1, 0, 1)
    assert (v1["accuracy"]["labelled"], v1["accuracy"]["correct"], v2["accuracy"]) == (5, 4, None)
    for version, sent in ((v1, 7), (v2, 3), (interchange, 4)):
        for part in ("scan", "tables", "markers", "http"):
            of_metric = {"family": "digits", "tables": version["tables"], "direction": "in", "part": part}
            grown = after.value("dctwire_payload_bytes_total", **of_metric) - before.value(
                "dctwire_payload_bytes_total", **of_metric
            )
            assert version["bytes"][part] * sent == pytest.approx(grown)
    assert interchange["bytes"]["scan"] + interchange["bytes"]["tables"] + interchange["bytes"]["markers"] == (
        pytest.approx(sum(map(len, ordinary)) / 4)
    )
    assert document["baseline"] == {"source": "measured", "frames": 4, "bytes": interchange["bytes"]["total"]}
    assert v1["saving"] == pytest.approx(1 - v1["bytes"]["total"] / interchange["bytes"]["total"])
    assert v2["saving"] > v1["saving"] > 0.3
    assert interchange["saving"] is None


def test_a_late_label_counts_in_its_frames_hour_and_an_overruled_one_no_more(
    harness: ServerHarness, device: Device
) -> None:
    def counted() -> tuple[int, int]:
        accuracy = of(report(harness), "v1")["accuracy"]
        return (accuracy["labelled"], accuracy["correct"]) if accuracy else (0, 0)

    answer = answered(device)
    frame_id, right, wrong = answer["id"], answer["label"], other_than(answer["label"])
    labelled, correct = counted()
    put_label(device, frame_id, wrong)
    assert counted() == (labelled + 1, correct)
    review(harness, frame_id, right)  # of higher authority
    assert counted() == (labelled + 1, correct + 1)
    put_label(device, frame_id, wrong)  # of lower authority: changes nothing
    review(harness, frame_id, right)  # the same again
    assert counted() == (labelled + 1, correct + 1)
    review(harness, frame_id, wrong)
    assert counted() == (labelled + 1, correct)


def test_a_report_begins_with_the_full_hour_that_is_asked_for(harness: ServerHarness, device: Device) -> None:
    answered(device)
    long_ago = int(time.time()) // HOUR_SECONDS - 100
    with harness.database() as database:
        for shard in (0, 1):
            row = AnswerSum("digits", "v9", "exact", long_ago, shard, 10, 1000, 4, 3)
            for each in (row, row._replace(hour=long_ago + 1), row):
                sums.add_answer(database, each)
                add_what_waits(database)
    everything = of(report(harness), "v9")
    assert (everything["frames"], everything["accuracy"]["labelled"]) == (60, 24)
    assert everything["first_at"] == long_ago * HOUR_SECONDS
    assert (everything["bytes"], everything["saving"]) == (None, None)
    later = report(harness, since=(long_ago + 1) * HOUR_SECONDS + 1799.5)
    assert of(later, "v9")["frames"] == 20
    assert later["since"] == (long_ago + 1) * HOUR_SECONDS
    assert "v9" not in {version["tables"] for version in report(harness, since=time.time())["versions"]}


def test_a_family_that_nobody_published_has_no_report(harness: ServerHarness) -> None:
    answer = harness.client("operator").get("/v1/report", params={"family": "doorbel"})
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


@pytest.mark.system
def test_two_processes_of_which_one_is_killed_count_each_acknowledged_frame_once(
    outgrown: Any, tmp_path: Path, bundle_folders: dict[int, Path]
) -> None:
    state = outgrown.settings(tmp_path)
    one = ServerProcess(tmp_path / "one", **state)
    (tmp_path / "other" / "data").mkdir(parents=True)
    other = ServerProcess(tmp_path / "other", **state, keys=tmp_path / "one" / "data" / "keys")
    other.harness.first_data = one.harness.data
    one.harness.publish(bundle_folders[1])
    device = one.harness.enrol("digits")
    http = other.harness.client("device", headers={"authorization": f"Bearer {device.token}"})
    at_other = Device(http, device.device_id, device.token, "digits")
    enough = threading.Event()
    acknowledged: list[int] = []

    def post(through: Device, sequences: Sequence[int]) -> None:
        with contextlib.suppress(httpx.TransportError):
            for sequence in sequences:
                if through.post(frame(tables(50)), sequence).status_code == 200:
                    acknowledged.append(sequence)
                if len(acknowledged) > 60:
                    enough.set()

    threads = [
        threading.Thread(target=post, args=(device, range(0, 4000, 2))),
        threading.Thread(target=post, args=(at_other, range(1, 200, 2))),
    ]
    for thread in threads:
        thread.start()
    assert enough.wait(60)
    one.process.kill()
    for thread in threads:
        thread.join()
    one.finish()

    under_way = max(sequence for sequence in acknowledged if sequence % 2 == 0) + 2  # stored or not when the kill came
    answered_once = {*acknowledged, under_way}
    for sequence in sorted(answered_once):
        assert at_other.post(frame(tables(50)), sequence).status_code == 200
    assert of(report(other.harness), "v1")["frames"] == len(answered_once)
    assert other.terminate() == 0


def test_savings_are_measured_in_the_time_of_the_report_or_before_it_or_are_unknown() -> None:
    ordinary = Spent("interchange", 10, 5000, 6000, 1000, 2000, 500)
    learned = Spent("v2", 4, 400, 0, 200, 200, 80)
    assert baseline_of([learned, ordinary], []) == Baseline(source="measured", frames=10, bytes=1400.0)
    assert baseline_of([learned], [ordinary]) == Baseline(source="measured before", frames=10, bytes=1400.0)
    assert baseline_of([learned], [learned]) == UNKNOWN
    rows = [Answered("v2", match, hour, 2, 200, 0, 0) for match, hour in (("exact", 7), ("resized", 5))]
    again = Measured("v2", 10, 1000, 4000)
    counts = Counts(answered=rows, spent=[learned], measured=[again])
    (version,) = versions_of(counts, {"v2": 3}, baseline_of([learned, ordinary], []))
    assert version.saving == pytest.approx(1 - 200 / 1400)
    assert version.saving_source == "measured"
    assert (version.frames, version.devices) == (4, 3)
    assert (version.by_match, version.first_at) == ({"exact": 2, "resized": 2}, 5 * 3600)
    (unknown,) = versions_of(Counts(answered=rows, spent=[learned]), {}, UNKNOWN)
    assert (unknown.saving, unknown.saving_source, unknown.accuracy) == (None, None, None)


def test_without_ordinary_jpeg_savings_are_told_from_measured_frames_with_the_same_http_around_both() -> None:
    learned = Spent("v2", 4, 400, 0, 200, 200, 80)  # 50 bytes of HTTP a frame
    rows = [Answered("v2", "exact", 7, 4, 400, 0, 0)]
    counts = Counts(answered=rows, spent=[learned], measured=[Measured("v2", 10, 1000, 4500)])
    (version,) = versions_of(counts, {}, UNKNOWN)
    assert version.saving == pytest.approx(1 - 1500 / 5000)
    assert version.saving_source == "estimated"
    assert version.ordinary == OrdinaryEstimate(frames=10, bytes=450, sent=100)


def test_what_was_measured_of_frames_whose_cost_is_unknown_tells_no_saving() -> None:
    rows = [Answered("v2", "exact", 7, 4, 400, 0, 0)]
    counts = Counts(answered=rows, spent=[], measured=[Measured("v2", 10, 1000, 4500)])
    (version,) = versions_of(counts, {}, UNKNOWN)
    assert (version.bytes, version.saving) == (None, None)


def test_estimated_audited_and_labelled_accuracy_stand_beside_each_other() -> None:
    rows = [
        Answered("v2", "exact", 7, 10, 900, 6, 2, estimated=8, expected_millionths=6_000_000, audited=4),
        Answered("v2", "fallback", 7, 5, 900, 2, 2, audited=1, audited_correct=1),
    ]
    (version,) = versions_of(Counts(answered=rows, spent=[]), {}, UNKNOWN)
    assert version.estimated == Estimate(frames=8, share=0.75)
    assert (version.accuracy, version.audited) == (accuracy_of(8, 4), accuracy_of(5, 1))
    (silent,) = versions_of(Counts(answered=[Answered("v2", "exact", 7, 10, 900, 0, 0)], spent=[]), {}, UNKNOWN)
    assert (silent.estimated, silent.audited) == (None, None)


@pytest.mark.parametrize(
    ("correct", "labelled", "low", "high"),
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (81, 263, 0.2553, 0.3662), (1, 1, 0.2065, 1.0)],
)
def test_accuracy_has_wilsons_interval(correct: int, labelled: int, low: float, high: float) -> None:
    accuracy = accuracy_of(labelled, correct)
    assert accuracy is not None
    assert accuracy.low == pytest.approx(low, abs=5e-5)
    assert accuracy.high == pytest.approx(high, abs=5e-5)
    assert math.isclose(accuracy.share, correct / labelled)


def test_accuracy_of_no_labels_is_unknown() -> None:
    assert accuracy_of(0, 0) is None


def test_bytes_that_another_process_has_not_written_yet_are_said_to_come() -> None:
    shown = _said_of({"bytes": None, "frames": 0, "source": "unknown"}, [{"tables": "interchange", "ordinary": None}])
    assert "ask again" in shown


def test_estimated_savings_are_said_to_be_that() -> None:
    version = {"tables": "v2", "ordinary": {"frames": 12}, "saving": 0.7, "saving_source": "estimated"}
    shown = _said_of({"bytes": None, "frames": 0, "source": "unknown"}, [version, {"tables": "v3", "ordinary": None}])
    assert "estimated: of 12 frames" in shown
    assert _saving(version) == "about 70.0%"
    assert _saving(version | {"saving_source": "measured"}) == "70.0%"
    assert "no device" not in shown


def test_the_operator_reads_the_report_as_a_table_or_as_json(tmp_path: Path) -> None:
    def typed(*words: str, columns: str = "200") -> Result:
        environment = harness.as_operator | {"COLUMNS": columns}
        return CliRunner().invoke(app, ["report", *words], env=environment)

    with server_in_thread(tmp_path) as harness:
        write_bundle(tmp_path / "v1", "digits", 1, tables(50))
        harness.publish(tmp_path / "v1")
        assert "No frame of family digits was answered" in typed("digits").stdout
        device = harness.enrol("digits")
        answer = answered(device)
        put_label(device, answer["id"], answer["label"])
        shown = typed("digits").stdout
        assert "v1" in shown
        assert "100.0% (20.7% to 100.0%, n = 1)" in shown
        assert "Savings are unknown" in shown
        device.post(frame(tables(50), 1, Stream.INTERCHANGE))
        harness.client("device").get("/v2")  # the same loop has ended the exchange before it
        shown = typed("digits").stdout
        assert "Savings are against ordinary JPEG" in shown
        narrow = typed("digits", columns="40").stdout
        assert "100.0% (20.7% to 100.0%, n = 1)" in narrow
        document = json.loads(typed("digits", "--json").stdout)
        assert [version["tables"] for version in document["versions"]] == ["interchange", "v1"]
        assert document["baseline"]["source"] == "measured"
        tomorrow = datetime.fromtimestamp(time.time() + 86_400, UTC).strftime("%Y-%m-%d")
        assert json.loads(typed("digits", "--json", "--since", tomorrow).stdout)["versions"] == []
        unknown = typed("digit")
        assert (unknown.exit_code, "Did you mean digits?" in unknown.stderr) == (1, True)
