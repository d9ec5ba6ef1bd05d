"""PostgreSQL or the S3 store gone, killed or silent: what was acknowledged stays, and all comes back by itself."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.wire import ProblemCode
from tests.cloud_server.harness.devices import Device
from tests.cloud_server.harness.engines import Engine, Outgrown
from tests.cloud_server.harness.frames import frame, tables
from tests.cloud_server.harness.postgresql import PostgreSQL
from tests.cloud_server.harness.problems import assert_problem
from tests.cloud_server.harness.server import ServerHarness, server_in_thread
from tests.cloud_server.harness.waiting import wait_until

pytestmark = pytest.mark.system

RECOVERED_SECONDS = 60.0


class OwnPostgreSQL(Engine):
    """A PostgreSQL server of a test's own, to be stopped."""

    def __init__(self) -> None:
        self.server = PostgreSQL()

    def settings(self, data: Path) -> dict[str, Any]:
        """Its database, and little patience."""
        return {"database_url": self.server.url("postgres"), "database_max_seconds": 2}


@pytest.fixture
def own() -> Iterator[OwnPostgreSQL]:
    """Started for this test."""
    engine = OwnPostgreSQL()
    yield engine
    engine.server.close()


def post_until(stop: threading.Event, device: Device, given: dict[int, Any], refused: list[httpx.Response]) -> None:
    """Upload frame after frame; keep answers and refusals."""
    while not stop.is_set():
        answer = device.post(frame(tables(50), device.next_sequence % 7))
        if answer.status_code == 200:
            given[device.next_sequence - 1] = answer.json()
        else:
            refused.append(answer)


@pytest.mark.parametrize("is_silent", [False, True], ids=["killed", "silent"])
def test_frames_are_refused_while_the_database_is_gone_and_no_answer_is_lost(
    own: OwnPostgreSQL, tmp_path: Path, bundle_folders: dict[int, Path], *, is_silent: bool
) -> None:
    with server_in_thread(tmp_path, own) as harness:
        harness.publish(bundle_folders[1])
        stop, refused = threading.Event(), list[httpx.Response]()
        devices: list[tuple[Device, dict[int, Any]]] = [(harness.enrol("digits"), {}) for _ in range(3)]
        threads = [threading.Thread(target=post_until, args=(stop, one, given, refused)) for one, given in devices]
        for thread in threads:
            thread.start()
        wait_until(lambda: all(len(given) > 5 for _, given in devices))
        own.server.freeze() if is_silent else own.server.kill()
        wait_until(lambda: len(refused) > 5)
        assert harness.client("ops").get("/readyz").status_code == 200
        answered_before = sum(len(given) for _, given in devices)
        own.server.thaw() if is_silent else own.server.start()
        wait_until(lambda: sum(len(given) for _, given in devices) > answered_before + 10, RECOVERED_SECONDS)
        stop.set()
        for thread in threads:
            thread.join()
        for answer in refused:
            assert_problem(answer, 503, ProblemCode.NOT_READY)
            assert "retry-after" in answer.headers
        for device, given in devices:
            for sequence, answer in given.items():
                assert device.post(frame(tables(50), sequence % 7), sequence).json() == answer


def test_a_silent_s3_store_stops_publishing_and_nothing_else(
    outgrown: Outgrown, tmp_path: Path, bundle_folders: dict[int, Path]
) -> None:
    with server_in_thread(tmp_path, outgrown, s3_timeout_seconds=0.5) as harness:
        harness.publish(bundle_folders[1])
        device = harness.enrol("digits")
        outgrown.s3.freeze()
        try:
            assert device.post(frame(tables(50))).json()["model"] == "digits/1"
            assert harness.client("ops").get("/readyz").status_code == 200
            answer = put_blob(harness)
            assert_problem(answer, 503, ProblemCode.NOT_READY)
            assert "retry-after" in answer.headers
        finally:
            outgrown.s3.thaw()
        wait_until(lambda: put_blob(harness).status_code in (201, 204), RECOVERED_SECONDS)
        harness.publish(bundle_folders[2])
        assert device.post(frame(tables(25))).json()["model"] == "digits/2"


def put_blob(harness: ServerHarness) -> httpx.Response:
    """Upload two bytes."""
    sha256 = "8f434346648f6b96df89dda901c5176b10a6d83961dd3c1ac88b59b2dc327aa4"
    return harness.client("operator").put(f"/v1/blobs/{sha256}", content=b"hi")
