"""How the source does is on disk: seldom written, and told of a run that is over as such."""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from sensor_client.source_record import (
    COUNTS_SECONDS,
    FLOOR_SECONDS,
    LOOK_SECONDS,
    SourceRecorder,
    is_written_by_a_run,
    read_source_record,
)
from sensor_client.sources import Condition, SourceHealth, SourceReport
from tests.sensor_client.fakes import FakeClock


class Rig:
    """A recorder of a source's health, and its file."""

    def __init__(self, file: Path, clock: FakeClock) -> None:
        self.file, self.clock, self.stop = file, clock, threading.Event()
        self.health = SourceHealth(clock)
        self.recorder = SourceRecorder(file, lambda: self.health.report, clock, self.stop)

    def told(self, after_seconds: float = 0.0) -> SourceReport:
        self.clock.elapsed_seconds += after_seconds
        self.recorder.step()
        record = read_source_record(self.file)
        assert record is not None
        return record.report


@pytest.fixture
def rig(tmp_path: Path, clock: FakeClock) -> Rig:
    return Rig(tmp_path / "source-report.json", clock)


def test_a_change_is_written_a_minute_after_the_last_one_at_the_earliest(rig: Rig) -> None:
    assert rig.told().condition is Condition.WAITING
    rig.health.lost("unplugged")
    assert rig.told(FLOOR_SECONDS - 1).condition is Condition.WAITING
    now = rig.told(1)
    assert (now.condition, now.fault, now.losses) == (Condition.LOST, "unplugged", 1)
    assert rig.file.stat().st_mode & 0o777 == 0o600


def test_pictures_alone_are_written_every_ten_minutes(rig: Rig) -> None:
    rig.health.came()
    rig.told()
    rig.health.came()
    assert rig.told(COUNTS_SECONDS - 1).pictures == 1
    assert rig.told(1).pictures == 2


def test_a_file_is_of_a_run_that_goes_on_until_that_ends_and_then_says_how_the_source_did_at_last(rig: Rig) -> None:
    assert not is_written_by_a_run(rig.file)
    rig.told()
    assert is_written_by_a_run(rig.file)
    rig.health.ended()
    rig.recorder.close()
    rig.recorder.close()
    assert not is_written_by_a_run(rig.file)
    record = read_source_record(rig.file)
    assert record is not None and record.report.condition is Condition.ENDED


def test_a_disk_that_cannot_be_written_is_told_and_tried_again_a_minute_later(
    tmp_path: Path, clock: FakeClock, lines: list[Mapping[str, Any]]
) -> None:
    rig = Rig(tmp_path / "not there" / "source-report.json", clock)
    for _ in range(int(FLOOR_SECONDS / LOOK_SECONDS)):
        rig.recorder.step()
        clock.elapsed_seconds += LOOK_SECONDS
    assert [line["event"] for line in lines] == ["source-report-not-written"]
    (tmp_path / "not there").mkdir()
    assert rig.told().condition is Condition.WAITING
    assert is_written_by_a_run(rig.file)


def test_a_damaged_file_tells_nothing(rig: Rig) -> None:
    for data in (b"", b"{", b'{"report": {"condition": "flying", "since": 1}, "written_at": 1}'):
        rig.file.write_bytes(data)
        assert read_source_record(rig.file) is None


def test_it_looks_until_a_stop(rig: Rig, clock: FakeClock) -> None:
    clock.on_wait = lambda _: rig.stop.set() if len(clock.waits) == 3 else None
    rig.recorder.run()
    assert clock.waits == [LOOK_SECONDS] * 3 and read_source_record(rig.file) is not None
