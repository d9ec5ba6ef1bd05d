"""What is known of the line."""

from pathlib import Path

import pytest

from sensor_client.line_health import FLOOR_SECONDS, REASON_LIMIT_CHARACTERS, LineHealth, read_line_fault
from tests.sensor_client.fakes import FakeClock


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "line.json"


def test_the_last_fault_is_told_with_the_time_of_the_first_until_an_upload_gets_through(
    file: Path, clock: FakeClock
) -> None:
    health, began = LineHealth(file, clock), clock.now()
    health.failed("no route to host")
    clock.elapsed_seconds += FLOOR_SECONDS
    health.failed("no TLS connection" + "x" * 1000)

    fault = read_line_fault(file)
    assert fault is not None and fault == health.fault and fault.since == began
    assert fault.reason.startswith("no TLS") and len(fault.reason) == REASON_LIMIT_CHARACTERS
    assert file.stat().st_mode & 0o777 == 0o600
    clock.elapsed_seconds += FLOOR_SECONDS
    health.works()
    assert read_line_fault(file) is None


def test_a_line_that_comes_and_goes_is_written_once_a_minute_at_most(file: Path, clock: FakeClock) -> None:
    health, written = LineHealth(file, clock), set()
    for _ in range(120):
        health.failed(f"at {clock.elapsed_seconds}")
        written.add(file.read_bytes())
        health.works()
        written.add(file.read_bytes())
        clock.elapsed_seconds += 1.0

    assert len(written) <= 3
    clock.elapsed_seconds += FLOOR_SECONDS
    health.works()
    assert read_line_fault(file) is None


def test_a_start_goes_on_with_the_fault_that_was(file: Path, clock: FakeClock) -> None:
    LineHealth(file, clock).failed("no route to host")
    again = LineHealth(file, clock)
    began = again.fault

    again.works()

    assert began is not None and began.reason == "no route to host" and read_line_fault(file) is None


def test_neither_a_damaged_file_nor_a_full_disk_ends_anything(tmp_path: Path, clock: FakeClock) -> None:
    (tmp_path / "line.json").write_bytes(b"\xff{")
    assert LineHealth(tmp_path / "line.json", clock).fault is None

    health = LineHealth(tmp_path / "gone" / "line.json", clock)
    health.failed("no route to host")

    assert health.fault is not None
