"""The facts of what is wrong, as a server gathers them."""

from cloud_server.console.situation import LATE_SECONDS, drifting, of_late, overdue_of, parted, unserved_of
from cloud_server.console.troubles import FAILURES
from cloud_server.drift_metrics import DriftFigures
from cloud_server.quality.estimates import GAP_SHARE
from cloud_server.quality_metrics import AccuracyFigures
from cloud_server.storage.rows.replicas import ReplicaRow
from cloud_server.trainer_metrics import TrainingFigures
from tests.cloud_server.harness.console import ConsoleClient
from tests.cloud_server.harness.server import ServerHarness
from tests.cloud_server.harness.trainings import fail, take


def known(gap: float | None) -> AccuracyFigures:
    return AccuracyFigures("digits", "v1", 0.9, 0.8, 0.75, 0.85, gap)


def test_a_replica_that_serves_less_than_another_one_is_named() -> None:
    live = [ReplicaRow("a", frozenset({"digits/1", "digits/2"}), ()), ReplicaRow("b", frozenset({"digits/1"}), ())]
    assert unserved_of(live) == {"b": "digits/2"}
    assert unserved_of(live[:1]) == {}
    assert unserved_of([]) == {}


def test_signals_that_drift_are_told_in_one_sentence_a_version() -> None:
    figures = [
        DriftFigures("digits", "v1", "zeros", 0.3, 100.0),
        DriftFigures("digits", "v1", "luma_high", 0.3, 90.0),
        DriftFigures("digits", "v1", "labels", 0.3, None),
        DriftFigures("digits", "v2", "zeros", None, None),
    ]
    assert [*drifting(figures)] == ["Frames of digits v1 look other than in training: luma high, zeros."]


def test_an_estimate_that_the_audit_contradicts_is_told_and_a_small_gap_is_not() -> None:
    assert [*parted([known(None), known(0.0), known(GAP_SHARE / 2)])] == []
    assert [*parted([known(0.05), known(-0.031)])] == [
        "The estimated accuracy of digits v1 lies 5.0 points above what labels say.",
        "The estimated accuracy of digits v1 lies 3.1 points below what labels say.",
    ]


def test_a_trainer_that_says_nothing_for_long_is_overdue_and_what_waits_is_not() -> None:
    now = 10_000.0
    leases = {"late": now - LATE_SECONDS - 1, "digits": now - LATE_SECONDS, "letters": None}
    figures = [TrainingFigures(family, "running", until, {}, 0) for family, until in leases.items()]
    assert overdue_of(figures, now) == ["late"]


def test_frames_of_late_are_those_since_the_oldest_look() -> None:
    assert of_late([(100, 7), (150, 8)], (160, 10)) == (60, 3)
    assert of_late([], (160, 10)) == (0, 0)


def test_trainings_that_fail_again_and_again_stand_on_the_overview(site: ServerHarness, admin: ConsoleClient) -> None:
    for _ in range(FAILURES):
        fail(site, take(site, "digits"))
    assert f"The last {FAILURES} trainings of digits failed." in admin.get("/")


def test_a_trouble_of_the_server_stands_on_the_overview(site: ServerHarness, admin: ConsoleClient) -> None:
    admin.get("/")
    device = site.enrol("digits")
    for _ in range(30):
        assert device.post(b"no jpeg").status_code >= 400
    assert "of the frames of the last minutes were refused" in admin.get("/")
