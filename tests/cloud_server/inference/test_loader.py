"""Loads that do not come to an end are given up with their thread, and others are loaded: real graphs, real servers."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cloud_server.errors import LoadOverdueError, NotReadyError
from cloud_server.inference.loader import LOST_MAX, Loader
from shared.bundle import MODEL_NAME
from shared.errors import RefusedError
from tests.cloud_server.cli.test_cli import Operator
from tests.cloud_server.harness.bundles import named_anew, write_bundle
from tests.cloud_server.harness.classifiers import delay_first_run, delay_preparing
from tests.cloud_server.harness.frames import frame, tables
from tests.cloud_server.harness.process import ServerProcess
from tests.cloud_server.harness.server import ServerHarness, server_in_thread
from tests.cloud_server.harness.waiting import wait_until

SHORT_SECONDS = 0.05
LOAD_SECONDS = 1.0


@contextmanager
def started(max_seconds: float) -> Iterator[Loader]:
    """A loader, and its end."""
    loader = Loader(max_seconds)
    try:
        yield loader
    finally:
        loader.shutdown()


@contextmanager
def impatient(directory: Path) -> Iterator[ServerHarness]:
    """A server that gives loads up soon: a process of its own, which ends with the threads that it has lost."""
    server = ServerProcess(directory, classifier_load_max_seconds=LOAD_SECONDS)
    try:
        yield server.harness
    finally:
        server.kill()


def name() -> str:
    return threading.current_thread().name


def test_jobs_run_in_their_order_in_one_thread_and_their_errors_come_back() -> None:
    order: list[int] = []
    with started(60) as loader:
        jobs = [loader.submit(order.append, number) for number in range(20)]
        broken = loader.submit(int, "x")
        assert loader.submit(name).result(30) == "load"
        assert all(job.done() for job in jobs) and order == list(range(20))
        with pytest.raises(ValueError):
            broken.result(30)
        assert loader.lost == 0
        loader.require_thread()


def test_a_job_that_does_not_come_to_an_end_is_given_up_and_the_next_one_runs() -> None:
    gate = threading.Event()
    with started(SHORT_SECONDS) as loader:
        endless = loader.submit(gate.wait)
        with pytest.raises(LoadOverdueError, match=r"within 0\.05 s"):
            endless.result(30)
        assert loader.submit(name).result(30) == "load"
        assert loader.lost == 1
        loader.require_thread()
        gate.set()
        wait_until(lambda: loader.lost == 0)
        assert isinstance(endless.exception(), LoadOverdueError)
        assert loader.submit(name).result(30) == "load"


def test_so_many_threads_are_lost_and_no_more_and_the_first_that_comes_back_goes_on() -> None:
    gates = [threading.Event() for _ in range(LOST_MAX)]
    with started(SHORT_SECONDS) as loader:
        endless = [loader.submit(gate.wait) for gate in gates]
        waiting = loader.submit(name)
        for job in endless:
            with pytest.raises(LoadOverdueError):
                job.result(30)
        with pytest.raises(NotReadyError, match="do not come to an end"):
            waiting.result(30)
        with pytest.raises(NotReadyError, match="do not come to an end"):
            loader.submit(name).result(30)
        assert loader.lost == LOST_MAX
        with pytest.raises(NotReadyError):
            loader.require_thread()
        gates[2].set()
        wait_until(lambda: loader.lost == LOST_MAX - 1)
        loader.require_thread()
        assert loader.submit(name).result(30) == "load"
        for gate in gates:
            gate.set()
        wait_until(lambda: loader.lost == 0)
        assert loader.submit(name).result(30) == "load"


def test_a_server_ends_although_a_job_does_not() -> None:
    gate = threading.Event()
    with started(SHORT_SECONDS) as loader, pytest.raises(LoadOverdueError):
        loader.submit(gate.wait).result(30)
    assert not gate.is_set()
    gate.set()


def test_a_graph_that_does_not_come_to_an_end_when_it_is_tried_is_refused_and_others_are_published(
    tmp_path: Path,
) -> None:
    bundle = write_bundle(tmp_path / "endless", "endless", 1, tables(50))
    delay_first_run(tmp_path / "endless" / MODEL_NAME, 100_000)
    named_anew(tmp_path / "endless", bundle)
    write_bundle(tmp_path / "other", "other", 1, tables(50))
    with impatient(tmp_path / "server") as server:
        with pytest.raises(RefusedError, match=r"endless/1 was given up: it did not come to an end within 1 s"):
            server.publish(tmp_path / "endless")
        assert server.scrape().value("dctwire_lost_threads") == 1
        with pytest.raises(RefusedError, match="when it was tried before, and still keeps a thread"):
            server.publish(tmp_path / "endless")
        assert server.scrape().value("dctwire_lost_threads") == 1
        server.publish(tmp_path / "other")
        server.assign("other", 1)
        assert server.enrol("other").post(frame(tables(50))).status_code == 200
        assert server.client("ops").get("/livez").status_code == 200


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """Where a server's data lie that has published a classifier which takes long to prepare, and an ordinary one."""
    bundle = write_bundle(tmp_path / "endless", "endless", 1, tables(50))
    delay_preparing(tmp_path / "endless" / MODEL_NAME, 40)
    named_anew(tmp_path / "endless", bundle)
    write_bundle(tmp_path / "other", "other", 1, tables(50))
    with server_in_thread(tmp_path / "server") as server:
        for family in ("endless", "other"):
            server.publish(tmp_path / family)
            server.assign(family, 1)
    return tmp_path / "server"


def test_a_classifier_that_cannot_be_prepared_in_time_counts_as_failed_and_says_why_while_others_serve(
    published: Path,
) -> None:
    with impatient(published) as server:
        wait_until(lambda: _failure(server, "endless/1") is not None)
        assert "did not come to an end" in str(_failure(server, "endless/1"))
        other = server.enrol("other")
        wait_until(lambda: other.post(frame(tables(50))).status_code == 200, 60)
        assert server.scrape().value("dctwire_classifier_failed", model="endless/1") == 1
        assert server.scrape().value("dctwire_classifier_failed", model="other/1") == 0
        operator = Operator(server)
        bundles = operator.type("bundles").stdout
        assert "endless/1 is not loaded: " in bundles and "did not come to an end" in bundles
        status = {row["family"]: row["failed"] for row in operator.ask("status")["families"]}
        assert status == {"endless": 1, "other": 0}
        assert "failed" in operator.type("status").stdout


def _failure(server: ServerHarness, bundle: str) -> str | None:
    rows = server.client("operator").get("/v1/bundles").json()["bundles"]
    return next((row["failure"] for row in rows if row["name"] == bundle), None)
