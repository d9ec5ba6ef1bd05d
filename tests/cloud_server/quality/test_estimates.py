"""Accuracy without labels: whose confidences count, when an estimate and the audit part, and what is said of a week."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
from sqlalchemy import Connection
from sqlalchemy import Engine as Connector

from cloud_server.answered import AnsweredFrame, AnsweredFrames
from cloud_server.metrics import Metrics
from cloud_server.quality.estimates import AUDITED_MIN, WINDOW_HOURS, Estimates, figures_of, gap_of, wilson
from cloud_server.storage.database import Database, add_what_waits
from cloud_server.storage.rows import sums
from cloud_server.storage.rows.sums import HOUR_SECONDS, AnswerSum, Known
from shared.bundle import Reference
from shared.jpeg import Stream
from shared.wire import Match
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.feedback import KEEP_ALL, kept, other_than, review
from tests.cloud_server.harness.feedback import answered as upload
from tests.cloud_server.harness.frames import frame, tables
from tests.cloud_server.harness.server import ServerHarness, gained, server_in_thread

HOUR = 500_000


def answered(*confidences: float, is_counted: Sequence[bool] = ()) -> AnsweredFrames:
    """A micro-batch of a calibrated classifier's own frames."""
    counted = is_counted or [True] * len(confidences)
    return AnsweredFrames(
        family="digits",
        model="digits/1",
        labels=("zero", "one"),
        match=Match.EXACT,
        tables="v1",
        table_set=None,
        answered_at=1.0,
        frames=tuple(
            AnsweredFrame(1, number, b"", 2, 0, confidence, counted[number])
            for number, confidence in enumerate(confidences)
        ),
        reference=Reference(temperature=1.5),
    )


def series(metrics: Metrics, *names: str) -> dict[str, float]:
    """What Prometheus reads under these names."""
    lines = (line.rsplit(" ", 1) for line in metrics.exposition().decode().splitlines() if not line.startswith("#"))
    return {name: float(value) for name, value in lines if name.startswith(names) and "_created" not in name}


def observed(*batches: AnsweredFrames) -> dict[str, float]:
    """The counters after these micro-batches, by the families' names."""
    metrics = Metrics()
    estimates = Estimates(None, metrics, lambda: 0.0)  # type: ignore[arg-type]  # it reads nothing here
    for batch in batches:
        estimates.observe(batch)
    return series(metrics, "dctwire_estimated_")


def test_confidences_add_up_by_version() -> None:
    other = replace(answered(0.7), tables="v2")
    assert observed(answered(0.5, 0.25), answered(1.0), other) == {
        'dctwire_estimated_frames_total{family="digits",tables="v1"}': 3,
        'dctwire_estimated_frames_total{family="digits",tables="v2"}': 1,
        'dctwire_estimated_correct_frames_total{family="digits",tables="v1"}': 1.75,
        'dctwire_estimated_correct_frames_total{family="digits",tables="v2"}': 0.7,
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"match": Match.FALLBACK},
        {"match": Match.RESIZED},
        {"reference": None},
        {"reference": Reference()},
    ],
)
def test_confidences_that_are_not_calibrated_for_such_frames_count_nowhere(changes: dict[str, object]) -> None:
    assert observed(replace(answered(0.5), **changes)) == {}  # type: ignore[arg-type]


def test_frames_of_devices_in_quarantine_count_nowhere() -> None:
    counted = observed(answered(0.5, 0.25, is_counted=[False, True]), answered(0.9, is_counted=[False]))
    assert counted == {
        'dctwire_estimated_frames_total{family="digits",tables="v1"}': 1,
        'dctwire_estimated_correct_frames_total{family="digits",tables="v1"}': 0.25,
    }


@pytest.mark.parametrize(
    ("estimated", "gap"),
    [(0.8, 0.0), (0.86, 0.0), (0.95, 0.95 - 0.8673), (0.6, 0.6 - 0.7112)],
)
def test_an_estimate_parts_from_the_audit_by_what_lies_outside_of_its_interval(estimated: float, gap: float) -> None:
    assert wilson(80, 100) == pytest.approx((0.7112, 0.8666), abs=1e-4)
    assert gap_of(estimated, 100, 80) == pytest.approx(gap, abs=1e-3)


def test_few_audited_frames_say_nothing_of_an_estimate() -> None:
    assert gap_of(1.0, AUDITED_MIN - 1, 0) is None
    assert gap_of(1.0, AUDITED_MIN, 0) is not None


def test_what_nothing_is_known_of_has_no_figure() -> None:
    nothing = figures_of(Known("digits", "v1", 0, 0, 0, 0))
    assert (nothing.estimated, nothing.audited, nothing.low, nothing.high, nothing.gap) == (None,) * 5
    audited = figures_of(Known("digits", "v1", 0, 0, 200, 150))
    assert (audited.estimated, audited.audited, audited.gap) == (None, 0.75, None)
    estimated = figures_of(Known("digits", "v1", 4, 3_000_000, 0, 0))
    assert (estimated.estimated, estimated.audited, estimated.gap) == (0.75, None, None)


def test_the_gauges_say_what_the_last_week_says_of_frames_that_fit(connector: Connector) -> None:
    def fill(connection: Connection) -> None:
        of_v1 = AnswerSum("digits", "v1", "exact", HOUR, 0, 400, 0, 0, 0, 400, 380_000_000, 200, 160)
        rows = [
            of_v1,
            of_v1._replace(hour=HOUR - WINDOW_HOURS, shard=1),
            of_v1._replace(hour=HOUR - WINDOW_HOURS - 1, audited_correct=0),  # too old
            of_v1._replace(match="resized", audited_correct=0),
            of_v1._replace(tables="v2", audited=0, audited_correct=0),
        ]
        for row in rows:
            sums.add_answer(connection, row)
        add_what_waits(connection)

    metrics = Metrics()

    async def refreshed() -> Sequence[object]:
        database = Database(connector, asyncio.get_running_loop(), 30)
        estimates = Estimates(database, metrics, lambda: (HOUR + 0.5) * HOUR_SECONDS)
        await database.write(fill)
        await estimates.refresh()
        await asyncio.to_thread(database.close)
        return estimates.latest

    latest = asyncio.run(refreshed())
    low, high = wilson(320, 400)
    assert series(metrics, "dctwire_estimated_acc", "dctwire_audited_acc", "dctwire_accuracy") == pytest.approx(
        {
            'dctwire_estimated_accuracy_ratio{family="digits",tables="v1"}': 0.95,
            'dctwire_estimated_accuracy_ratio{family="digits",tables="v2"}': 0.95,
            'dctwire_audited_accuracy_ratio{bound="share",family="digits",tables="v1"}': 0.8,
            'dctwire_audited_accuracy_ratio{bound="low",family="digits",tables="v1"}': low,
            'dctwire_audited_accuracy_ratio{bound="high",family="digits",tables="v1"}': high,
            'dctwire_accuracy_gap_ratio{family="digits",tables="v1"}': 0.95 - high,
        }
    )
    assert latest == tuple(
        figures_of(one)
        for one in (
            Known("digits", "v1", 800, 760_000_000, 400, 320),
            Known("digits", "v2", 400, 380_000_000, 0, 0),
        )
    )


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerHarness]:
    """A server whose first bundle has a temperature, and whose second one has none."""
    folder = tmp_path_factory.mktemp("server")
    write_bundle(folder / "v1", "digits", 1, tables(50), seed=1, reference=Reference(temperature=2.5))
    write_bundle(folder / "v2", "digits", 2, tables(25), seed=2)
    with server_in_thread(folder / "state", wait_max_seconds=30, **KEEP_ALL) as harness:
        harness.publish(folder / "v1")
        harness.publish(folder / "v2")
        harness.assign("digits", 1)
        yield harness


def test_report_and_counters_tell_the_mean_of_the_confidences_that_devices_were_given(server: ServerHarness) -> None:
    device, before = server.enrol("digits"), server.scrape()
    answers = [upload(device, seed) for seed in range(6)]
    uncalibrated = upload(device, data=frame(tables(25), 1))
    assert uncalibrated["match"] == "exact"
    review(server, answers[0]["id"], other_than(answers[0]["label"]), source="audit")  # of a frame that waits for it
    kept(server, answers[1]["id"])
    review(server, answers[1]["id"], answers[1]["label"], source="audit")
    versions = server.client("operator").get("/v1/report", params={"family": "digits"}).json()["versions"]
    v1, v2 = (next(one for one in versions if one["tables"] == name) for name in ("v1", "v2"))
    mean = sum(answer["confidence"] for answer in answers) / 6
    assert v1["estimated"] == {"frames": 6, "share": pytest.approx(mean, abs=1e-4)}
    assert (v2["estimated"], v2["audited"]) == (None, None)
    assert v1["audited"]["correct"] == 1
    of_v1 = {"family": "digits", "tables": "v1"}
    assert gained(server, before, "dctwire_estimated_frames_total", **of_v1) == 6
    assert gained(server, before, "dctwire_estimated_correct_frames_total", **of_v1) == pytest.approx(
        6 * mean, abs=1e-3
    )
    assert gained(server, before, "dctwire_estimated_frames_total", tables="v2") == 0


def test_frames_of_other_tables_are_answered_and_estimate_nothing(server: ServerHarness) -> None:
    device, before = server.enrol("digits"), server.scrape()
    assert upload(device, data=frame(tables(80), 1, Stream.INTERCHANGE))["match"] == "fallback"
    assert gained(server, before, "dctwire_estimated_frames_total") == 0


def test_a_companion_estimates_nothing(server: ServerHarness) -> None:
    device, before = server.enrol("digits"), server.scrape()
    upload(device, 1)
    headers = {"DW-Kind": "probe", "DW-Companion-Of": "0"}
    answer = device.http.post("/v1/frames", content=frame(tables(50), 2), headers={"DW-Sequence": "77", **headers})
    assert answer.status_code == 200, answer.text
    assert gained(server, before, "dctwire_estimated_frames_total") == 1
