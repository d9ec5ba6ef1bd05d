"""What says whether it is time to train, as a real server gathers it of labels, devices, drift and estimates."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloud_server.operators.roles import Role
from cloud_server.quality.estimates import GAP_SHARE
from cloud_server.quality_metrics import AccuracyFigures
from cloud_server.storage.rows import drift, training_runs
from cloud_server.storage.rows.drift import DriftRow
from cloud_server.storage.rows.training_runs import RunRow
from cloud_server.trainings.signals import Champion, Drifting, Gap, drifting_of, gap_of
from shared.wire import ProblemCode
from tests.cloud_server.conftest import FAMILY
from tests.cloud_server.harness.classifiers import LABELS
from tests.cloud_server.harness.engines import Engine
from tests.cloud_server.harness.feedback import KEEP_ALL, answered, kept, put_label, review
from tests.cloud_server.harness.problems import assert_problem
from tests.cloud_server.harness.server import ServerHarness, server_in_thread

RUNS = Champion(2, "digits/2", "0" * 64)


@pytest.fixture(scope="module")
def site(
    engine: Engine, tmp_path_factory: pytest.TempPathFactory, bundle_folders: dict[int, Path]
) -> Iterator[ServerHarness]:
    """A server that keeps every frame, with the first of two bundles assigned."""
    with server_in_thread(tmp_path_factory.mktemp("signals"), engine, wait_max_seconds=30, **KEEP_ALL) as harness:
        for folder in bundle_folders.values():
            harness.publish(folder)
        harness.assign(FAMILY, 1)
        yield harness


def signals(site: ServerHarness, family: str = FAMILY) -> dict[str, Any]:
    """What is known of a family."""
    answer = site.client("operator").get("/v1/training-signals", params={"family": family})
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def labelled(site: ServerHarness, device: Any, seed: int, label: str | None = None) -> None:
    """A kept frame with a label; the one it was answered with unless another is given."""
    answer = answered(device, seed)
    kept(site, answer["id"])
    put_label(device, answer["id"], answer["label"] if label is None else label)


def ended(site: ServerHarness, name: str, outcome: str, data_until: float | None) -> None:
    """A run that ended just now."""
    now = time.time()
    row = RunRow(
        name, FAMILY, "labels", None, "ada", now, "ended", ended_at=now, outcome=outcome, data_until=data_until
    )
    with site.database() as connection:
        training_runs.add(connection, row._replace(ended_at=None, state="queued"))
        training_runs.change(connection, row)


def test_labels_count_that_there_are_to_learn_from_and_are_new_since_the_last_run_with_a_result(
    site: ServerHarness,
) -> None:
    good, bad, gone, out = (site.enrol(FAMILY) for _ in range(4))
    for number, device in enumerate((good, good, bad, gone, out)):
        labelled(site, device, number)
    labelled(site, good, 9, "no label of the classifier")
    kept(site, answered(good, 10)["id"])
    assert (signals(site)["labels_total"], signals(site)["devices_out"]) == (5, [])
    admin = site.client("operator")
    held = admin.put(f"/v1/devices/{bad.device_id}/quarantine", json={"reason": "dirty"})
    assert held.status_code == 200, held.text
    forgotten = admin.delete(f"/v1/devices/{gone.device_id}")
    assert forgotten.status_code < 300, forgotten.text
    revoked = admin.put(f"/v1/devices/{out.device_id}/revocation")
    assert revoked.status_code < 300, revoked.text
    told = signals(site)
    assert (told["labels_total"], told["labels_since"]) == (2, 2)
    assert sorted(told["devices_out"]) == sorted((bad.device_id, gone.device_id, out.device_id))
    ended(site, "aaaa2222", "refused", told["at"])
    assert signals(site)["labels_since"] == 0
    labelled(site, good, 11)
    ended(site, "bbbb2222", "failed", None)
    told = signals(site)
    assert (told["labels_total"], told["labels_since"], told["failures"]) == (3, 1, 1)
    assert (told["last_run"]["id"], told["last_run"]["outcome"]) == ("bbbb2222", "failed")


def test_a_device_that_labels_its_own_frames_anew_makes_no_new_labels_and_who_reviews_does(site: ServerHarness) -> None:
    device = site.enrol(FAMILY)
    first, second = (answered(device, seed)["id"] for seed in (20, 21))
    for frame_id in (first, second):
        kept(site, frame_id)
        put_label(device, frame_id, LABELS[0])
    ended(site, "cccc2222", "published", signals(site)["at"])
    for label in LABELS[1:3]:
        put_label(device, first, label)
    assert signals(site)["labels_since"] == 0
    review(site, second, LABELS[1])
    assert signals(site)["labels_since"] == 1
    labelled(site, device, 22)
    assert signals(site)["labels_since"] == 2


def test_the_drift_of_what_the_family_runs_is_told_and_no_other(site: ServerHarness) -> None:
    rows = [
        DriftRow(FAMILY, 1, "zeros", 0.75, 900, 1, 1_700_000_000.0),
        DriftRow(FAMILY, 1, "luma_low", 0.01, 900, 0, None),
        DriftRow(FAMILY, 2, "zeros", 0.5, 900, 1, 1_700_000_000.0),
    ]
    with site.database() as connection:
        drift.save(connection, "another", rows)
    told = signals(site)
    assert told["drift"] == [{"signal": "zeros", "since": 1_700_000_000.0, "score": 0.75}]
    assert (told["assigned"]["counter"], told["assigned"]["bundle"]) == (1, "digits/1")
    assert len(told["assigned"]["classifier_sha256"]) == 64


def test_a_family_that_nothing_is_published_for_has_no_signals_and_viewers_do_not_see_any(site: ServerHarness) -> None:
    asked = site.client("operator").get("/v1/training-signals", params={"family": "birds"})
    assert_problem(asked, 404, ProblemCode.NOT_FOUND)
    viewer = site.operator("vera", Role.VIEWER).get("/v1/training-signals", params={"family": FAMILY})
    assert_problem(viewer, 403, ProblemCode.ROLE_NEEDED)


def row(signal: str, since: float | None, score: float | None, counter: int = 2) -> DriftRow:
    """How a signal stands in a process."""
    return DriftRow("digits", counter, signal, score, 100, 1, since)


def test_a_signal_drifts_since_the_first_process_saw_it_and_as_far_as_any_does() -> None:
    rows = [row("zeros", 20.0, 0.25), row("zeros", 10.0, None), row("zeros", None, 9.0), row("labels", 5.0, None)]
    assert drifting_of(RUNS, "digits", [*rows, row("zeros", 1.0, 8.0, counter=1)]) == [
        Drifting("labels", 5.0, None),
        Drifting("zeros", 10.0, 0.25),
    ]


@pytest.mark.parametrize(
    ("gap", "parts"), [(0.0, False), (GAP_SHARE / 2, False), (GAP_SHARE, True), (-GAP_SHARE, True)]
)
def test_an_estimate_parts_from_labels_that_contradict_it_either_way(gap: float, parts: bool) -> None:
    known = AccuracyFigures("digits", "v2", 0.75, 0.5, 0.25, 0.625, gap)
    others = (AccuracyFigures("digits", "v1", 0.75, 0.5, 0.25, 0.625, 0.5), known)
    assert gap_of(RUNS, "digits", others) == Gap(0.75, 0.25, 0.625, parts)


def test_without_enough_audited_frames_there_is_no_gap() -> None:
    assert gap_of(RUNS, "digits", [AccuracyFigures("digits", "v2", 0.75, None, None, None, None)]) is None
    assert gap_of(RUNS, "digits", [AccuracyFigures("digits", "v2", 0.75, 1.0, 0.5, 1.0, None)]) is None
    assert gap_of(RUNS, "digits", []) is None
