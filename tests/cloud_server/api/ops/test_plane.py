"""Probes: alive while loop and writer turn, ready between loading and draining, whatever the database does."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from shared.wire import ProblemCode
from tests.cloud_server.harness.problems import assert_problem
from tests.cloud_server.harness.server import ServerHarness, server_in_thread

STALL_SECONDS = 0.3


@pytest.fixture
def touchy(tmp_path: Path, bundle_folders: dict[int, Path]) -> Iterator[ServerHarness]:
    """A server that counts as dead when its writer stands still for a moment."""
    with server_in_thread(tmp_path, stall_max_seconds=STALL_SECONDS) as harness:
        harness.publish(bundle_folders[1])
        yield harness


def until(status: int, ask: Callable[[], httpx.Response]) -> httpx.Response:
    """Ask until the answer has this status."""
    deadline = time.monotonic() + 30
    while (answer := ask()).status_code != status:
        assert time.monotonic() < deadline, f"still {answer.status_code}"
    return answer


def test_a_writer_that_stands_still_is_no_life_but_no_reason_to_send_frames_elsewhere(touchy: ServerHarness) -> None:
    ops, operator = touchy.client("ops"), touchy.client("operator")
    with sqlite3.connect(touchy.data / "dctwire.sqlite3", isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        writing = threading.Thread(target=operator.post, args=("/v1/claims",), kwargs={"json": {"family": "digits"}})
        writing.start()
        dead = until(503, lambda: ops.get("/livez"))
        ready = ops.get("/readyz")
        other.execute("ROLLBACK")
    other.close()
    writing.join()
    assert_problem(dead, 503, ProblemCode.NOT_READY)
    assert dead.headers["retry-after"]
    assert "database-write" in dead.json()["detail"]
    assert ready.status_code == 200
    assert until(200, lambda: ops.get("/livez")).text == "ok\n"


def test_metrics_are_compressed_for_whoever_asks_for_it_and_plain_for_others(touchy: ServerHarness) -> None:
    ops = touchy.client("ops")
    plain, compressed = (ops.get("/metrics", headers={"accept-encoding": coding}) for coding in ("identity", "gzip"))
    assert "content-encoding" not in plain.headers
    assert compressed.headers["content-encoding"] == "gzip"
    assert int(compressed.headers["content-length"]) < len(plain.content) / 2
    named = [
        {line.split()[2] for line in one.text.splitlines() if line.startswith("# TYPE")} for one in (plain, compressed)
    ]
    assert named[0] == named[1]
