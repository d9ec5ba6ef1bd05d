"""Classifiers that do not come to an end: real ones, in servers of one thread, beside families that go on."""

import json
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from cloud_server.inference.watchdog import (
    AGAIN_FIRST_SECONDS,
    AGAIN_MAX_SECONDS,
    BLAMED_MAX,
    RETURN_SECONDS,
    STOPS_MAX,
    STOPS_WITHIN_SECONDS,
    Run,
    Stage,
    Watchdog,
    WatchLimits,
    again_seconds,
    next_stage,
)
from cloud_server.metrics import Metrics
from shared.errors import DctwireError
from shared.jpeg import EOI, Encoder
from shared.wire import BATCH_MEDIA_TYPE, Batch, BatchItem, Retry
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.classifiers import trap
from tests.cloud_server.harness.devices import Device
from tests.cloud_server.harness.fallbacks import write_fallback
from tests.cloud_server.harness.frames import batch_with_scans, frame, tables
from tests.cloud_server.harness.process import ServerProcess
from tests.cloud_server.harness.server import ServerHarness, server_in_thread
from tests.cloud_server.harness.waiting import wait_until

ABOVE = 40
LIMITS = WatchLimits(overdue_seconds=1, max_seconds=5)
IMPATIENT: dict[str, Any] = {
    "threads": 1,
    "classifier_overdue_seconds": 0.2,
    "classifier_max_seconds": 0.5,
    "wait_max_seconds": 60,
}


def bright(level: int = 255) -> bytes:
    """A frame that the trapped classifier does not come to an end with; another one for each level over 240."""
    return Encoder(tables(50)).encode(np.full((32, 32, 3), level, np.uint8))


def publish(harness: ServerHarness, folder: Path, *, is_one_operator: bool = False) -> tuple[Device, Device]:
    """A family with a trapped classifier and one with an ordinary one; a device of each."""
    change = partial(trap, above=ABOVE, is_one_operator=is_one_operator)
    write_bundle(folder / "trapped", "trapped", 1, tables(50), change=change)
    write_bundle(folder / "other", "other", 1, tables(50))
    for family in ("trapped", "other"):
        harness.publish(folder / family)
    devices = harness.enrol("trapped"), harness.enrol("other")
    for device in devices:
        assert device.post(frame(tables(50), 1)).status_code == 200
    return devices


@pytest.fixture
def impatient(tmp_path: Path) -> Iterator[ServerHarness]:
    """A server of one thread that stops classifiers soon."""
    with server_in_thread(tmp_path / "server", **IMPATIENT) as harness:
        yield harness


def codes_with_a_trap(device: Device) -> list[str | None]:
    """The problem codes of a batch of six frames, the fourth of which is a trap; None of frames that are answered."""
    good = batch_with_scans(50, range(6), first_sequence=100)
    items = list(good.items)
    items[3] = BatchItem(items[3].sequence, items[3].captured_at_ms, bright()[len(good.prefix) : -len(EOI)])
    body = Batch(good.prefix, tuple(items)).to_bytes()
    answer = device.http.post("/v1/frames:batch", content=body, headers={"content-type": BATCH_MEDIA_TYPE})
    if answer.status_code != 200:
        return [answer.json()["code"]] * len(items)
    return [result.get("problem", {}).get("code") for result in answer.json()["results"]]


def test_another_family_is_answered_while_a_classifier_is_caught_in_a_trap(tmp_path: Path) -> None:
    patient = {**IMPATIENT, "classifier_max_seconds": 6}
    with server_in_thread(tmp_path / "server", **patient) as harness, ThreadPoolExecutor(1) as thread:
        trapped, other = publish(harness, tmp_path)
        caught: Future[object] = thread.submit(trapped.post, bright())
        wait_until(lambda: harness.enrol("trapped").post(frame(tables(50), 2)).status_code == 503)
        for seed in range(2, 20):
            assert other.post(frame(tables(50), seed)).status_code == 200
        assert not caught.done(), "the trap was over before the other family was asked"


def test_a_classifier_that_does_not_come_to_an_end_is_stopped_and_the_frame_is_to_come_later(
    impatient: ServerHarness, tmp_path: Path
) -> None:
    trapped, other = publish(impatient, tmp_path)
    answer = trapped.post(bright())
    assert (answer.status_code, answer.json()["code"]) == (503, "classifier-overdue")
    assert (answer.json()["retry"], int(answer.headers["retry-after"]) >= 1) == (Retry.LATER, True)
    assert impatient.scrape().value("dctwire_classifier_stops_total", model="trapped/1") == 1
    wait_until(lambda: trapped.post(frame(tables(50), 3)).status_code == 200)
    assert other.post(frame(tables(50), 3)).status_code == 200
    assert impatient.scrape().value("dctwire_lost_threads") == 0


def test_a_frame_that_is_a_trap_again_is_refused_for_good_and_those_beside_it_get_their_answers(
    impatient: ServerHarness, tmp_path: Path
) -> None:
    trapped, _ = publish(impatient, tmp_path)
    assert codes_with_a_trap(trapped)[3] == "classifier-overdue"
    wait_until(lambda: codes_with_a_trap(trapped)[3] == "classifier-fault")
    stops = impatient.scrape().value("dctwire_classifier_stops_total")
    wait_until(lambda: codes_with_a_trap(trapped) == [None, None, None, "classifier-fault", None, None])
    assert impatient.scrape().value("dctwire_classifier_stops_total") == stops == 2


def test_a_classifier_that_is_stopped_often_is_left_alone_and_said_to_have_failed(
    impatient: ServerHarness, tmp_path: Path
) -> None:
    trapped, other = publish(impatient, tmp_path)
    for level in (255, 252, 249):
        wait_until(lambda: trapped.post(frame(tables(50), 4)).status_code == 200)
        assert trapped.post(bright(level)).status_code == 503
    answer = trapped.post(frame(tables(50), 5))
    assert (answer.status_code, answer.json()["code"]) == (503, "not-ready")
    assert 1 < int(answer.headers["retry-after"]) <= AGAIN_FIRST_SECONDS
    rows = {row["name"]: row for row in impatient.client("operator").get("/v1/bundles").json()["bundles"]}
    assert (rows["trapped/1"]["state"], rows["other/1"]["state"]) == ("failed", "loaded")
    assert "stopped 3 times" in rows["trapped/1"]["failure"]
    assert impatient.scrape().value("dctwire_classifier_failed", model="trapped/1") == 1
    assert other.post(frame(tables(50), 5)).status_code == 200


def test_a_family_with_a_fallback_is_answered_by_it_when_its_classifier_is_left_alone(
    impatient: ServerHarness, tmp_path: Path
) -> None:
    trapped, _ = publish(impatient, tmp_path)
    fallback = write_fallback(tmp_path / "any", "trapped")
    impatient.publish(tmp_path / "any")
    impatient.release(fallback.name)
    for level in (255, 252, 249):
        wait_until(lambda: trapped.post(frame(tables(50), 4)).status_code == 200)
        assert trapped.post(bright(level)).status_code == 503
    wait_until(lambda: trapped.post(frame(tables(50), 5)).json().get("match") == "fallback")


def test_a_thread_that_cannot_be_stopped_is_given_up_and_too_many_of_them_end_the_life_of_the_process(
    tmp_path: Path,
) -> None:
    server = ServerProcess(tmp_path / "server", **IMPATIENT)
    try:
        harness = server.harness
        trapped, other = publish(harness, tmp_path, is_one_operator=True)
        write_bundle(
            tmp_path / "again", "trapped", 2, tables(50), change=partial(trap, above=ABOVE, is_one_operator=True)
        )
        harness.publish(tmp_path / "again")
        ops = harness.client("ops")
        for lost in (1, 2):
            assert trapped.post(bright(255 - 3 * lost)).status_code == 503
            wait_until(lambda lost=lost: harness.scrape().value("dctwire_lost_threads") == lost)  # type: ignore[misc]
            assert other.post(frame(tables(50), lost)).status_code == 200
            assert ops.get("/livez").status_code == (503 if lost == 2 else 200)
        server.process.terminate()
        log = server.finish()[1]
        assert server.process.returncode == 0
    finally:
        server.process.kill()
    lost_line = next(line for line in map(json.loads, log.splitlines()) if line["event"] == "thread-lost")
    assert lost_line["devices"] == [trapped.device_id]


def a_run(began: float | None = None) -> Run:
    """A run of a classifier that nobody asks anything."""
    run = Run(lane=None, batch=(), submitted=0.0)  # type: ignore[arg-type]
    run.attempt.began = began
    return run


def test_a_run_is_overdue_stopped_and_lost_one_after_the_other() -> None:
    run = a_run(began=100.0)
    assert next_stage(run, 100.9, LIMITS) is Stage.RUNNING
    run.stage, run.since = next_stage(run, 101.0, LIMITS), 101.0
    assert run.stage is Stage.OVERDUE
    assert next_stage(run, 104.9, LIMITS) is Stage.OVERDUE
    run.stage, run.since = next_stage(run, 105.0, LIMITS), 105.0
    assert run.stage is Stage.STOPPED
    assert next_stage(run, 104.9 + RETURN_SECONDS, LIMITS) is Stage.STOPPED
    assert next_stage(run, 105.0 + RETURN_SECONDS, LIMITS) is Stage.LOST


def test_time_in_which_nobody_looked_stops_no_run() -> None:
    run = a_run(began=100.0)
    assert next_stage(run, 1000.0, LIMITS) is Stage.OVERDUE


def test_a_batch_that_is_still_being_decoded_is_not_overdue() -> None:
    assert next_stage(a_run(), 1000.0, LIMITS) is Stage.RUNNING


@dataclass
class GivenUp:
    """What a watchdog asks of the models: which of them were let go of."""

    names: list[str] = field(default_factory=list)

    def give_up(self, model: Any, error: DctwireError, seconds: float) -> None:
        """As `ModelCache`."""
        self.names.append(model.name)


def a_run_of(name: str, digest: int = 0) -> Run:
    """A run of one frame with the classifier of this name."""
    model = SimpleNamespace(name=name, published=SimpleNamespace(name=name, family=name.partition("/")[0]))
    waiting = SimpleNamespace(scan_digest=digest, device=SimpleNamespace(public_id="dev1"))
    return Run(lane=SimpleNamespace(model=model), batch=[waiting], submitted=0.0)  # type: ignore[arg-type, list-item]


def stops(times: Iterable[float]) -> tuple[GivenUp, Watchdog]:
    """A classifier is stopped at these times, each with another frame."""
    given_up, now = GivenUp(), [0.0]
    watchdog = Watchdog(LIMITS, 1, given_up, Metrics(), lambda: now[0])  # type: ignore[arg-type]
    for digest, now[0] in enumerate(times):
        watchdog.note_stopped(a_run_of("digits/1", digest))
    return given_up, watchdog


@pytest.mark.parametrize(("apart_seconds", "is_given_up"), [(1.0, True), (STOPS_WITHIN_SECONDS / 2, False)])
def test_a_classifier_that_is_stopped_now_and_then_goes_on(apart_seconds: float, is_given_up: bool) -> None:
    given_up, _ = stops(number * apart_seconds for number in range(STOPS_MAX))
    assert given_up.names == ["digits/1"] * is_given_up


def test_only_so_many_frames_are_remembered_that_a_classifier_was_stopped_with() -> None:
    _, watchdog = stops(number * STOPS_WITHIN_SECONDS for number in range(BLAMED_MAX + 1))
    assert len(watchdog.blamed) == BLAMED_MAX
    assert ("digits/1", 0) not in watchdog.blamed


def test_a_lost_thread_that_comes_back_opens_no_lane_that_another_run_keeps_closed() -> None:
    _, watchdog = stops([])
    lost, later = a_run_of("digits/1"), a_run_of("digits/1")
    watchdog.note_overdue(lost)
    lost.stage = Stage.LOST
    watchdog.note_lost(lost)
    watchdog.note_overdue(later)
    watchdog.note_returned(lost)
    assert watchdog.is_closed(later.lane)
    watchdog.note_returned(later)
    assert not watchdog.is_closed(later.lane)


def test_a_family_with_too_many_overdue_runs_waits_with_all_of_its_classifiers() -> None:
    _, watchdog = stops([])
    watchdog.note_overdue(a_run_of("digits/1"))
    assert [watchdog.is_closed(a_run_of(name).lane) for name in ("digits/2", "letters/1")] == [True, False]


def test_a_classifier_is_left_alone_twice_as_long_each_time() -> None:
    assert [again_seconds(times) for times in (1, 2, 3, 50)] == [
        AGAIN_FIRST_SECONDS,
        2 * AGAIN_FIRST_SECONDS,
        4 * AGAIN_FIRST_SECONDS,
        AGAIN_MAX_SECONDS,
    ]
