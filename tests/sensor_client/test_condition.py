"""How a device does: what is wrong is told by a word, and what is told fits a heartbeat whatever happened."""

import json
from pathlib import Path

from sensor_client.budget import Window
from sensor_client.condition import DeviceLooks, last_fault, traffic_state, troubles_of
from sensor_client.sources import Condition, SourceReport, Stillness
from sensor_client.spool import Priority, Spool, SpoolLimits
from sensor_client.traffic import Purpose, Traffic
from shared.wire import Fault
from tests.sensor_client.fakes import FakeClock

GIVING = SourceReport(condition=Condition.GIVING, since=1_700_000_000)
SPENT = Traffic(
    sent={Purpose.FRAMES: 700, Purpose.LABELS: 50},
    received={Purpose.FRAMES: 90},
    spent={Window.HOUR: 500, Window.DAY: 840},
    limits={Window.HOUR: 500},
)
LINES = [
    '{"event": "line-down", "reason": "no route", "level": "warning", "timestamp": "2023-11-14T22:13:20.000000Z"}',
    '{"event": "line-up", "level": "info", "timestamp": "2023-11-14T22:14:20.000000Z"}',
    "no JSON",
]
AT = 1_700_000_000.0  # the time of the first line


def test_each_trouble_has_its_word() -> None:
    assert troubles_of(GIVING, Traffic(), is_disk_nearly_full=False) == frozenset()
    still = SourceReport(condition=Condition.LOST, since=0, stillness=Stillness.FROZEN)
    found = troubles_of(still, SPENT, is_disk_nearly_full=True)
    assert found == {"source-lost", "picture-frozen", "budget-exhausted", "disk-nearly-full"}
    over = SourceReport(condition=Condition.ENDED, since=0, has_broken_off=True)
    assert troubles_of(over, Traffic(), is_disk_nearly_full=False) == {"source-lost"}


def test_bytes_are_told_in_sum_and_by_period() -> None:
    told = traffic_state(SPENT).model_dump()
    assert (told["sent"], told["received"]) == (750, 90)
    assert told["spent"] == {"hour": {"bytes": 500, "limit": 500}, "day": {"bytes": 840, "limit": None}}


def test_the_last_fault_is_the_newest_warning_or_error_of_the_log() -> None:
    assert last_fault(LINES, AT + 60) == Fault(code="line-down", reason="no route", ago_seconds=60.0)
    assert last_fault(LINES[1:], AT) is None
    later = '{"event": "disk-full", "level": "error", "timestamp": "2023-11-14T22:14:00Z"}'
    assert last_fault([*LINES, later], AT + 60) == Fault(code="disk-full", reason=None, ago_seconds=20.0)
    long = json.dumps({"event": "x", "level": "error", "reason": "y\n" * 5000, "timestamp": "2023-11-14T22:13:20Z"})
    told = last_fault([long], AT)
    assert told is not None and told.reason is not None and len(told.reason) == 200 and "\n" not in told.reason


def test_drops_are_told_by_reason_whatever_the_frames_priority_was(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.sqlite3", SpoolLimits(frames=1))
    for priority in (Priority.ORDINARY, Priority.ORDINARY, Priority.CHANGE, Priority.RARE):
        spool.append(b"jpeg", 0, priority=priority)
    looks = DeviceLooks(
        folder=tmp_path,
        spool=spool,
        traffic=Traffic,
        source=lambda: GIVING,
        restarts={},
        log_lines=tuple,
        clock=FakeClock(),
    )
    assert looks.condition().dropped == {"quota": 3}
    spool.close()


def test_a_line_that_is_no_fault_of_ours_is_passed_over() -> None:
    for line in ('{"level": "error"}', '{"level": "error", "event": "No Word", "timestamp": "2023-11-14"}', "[]"):
        assert last_fault([line], AT) is None


def test_a_device_looks_at_itself(spool: Spool, tmp_path: Path) -> None:
    clock = FakeClock()
    looks = DeviceLooks(
        folder=tmp_path,
        spool=spool,
        traffic=lambda: SPENT,
        source=lambda: GIVING,
        restarts={"updater": 2},
        log_lines=lambda: LINES,
        clock=clock,
    )
    assert looks.condition().oldest_frame_seconds is None
    spool.append(b"jpeg", round(clock.now() * 1000) - 90_000, tables_id=None, target="signs/1.json", label=None)
    told = looks.condition()
    assert (told.oldest_frame_seconds, told.restarts, told.dropped) == (90.0, {"updater": 2}, {})
    assert told.troubles == ["budget-exhausted"]
    assert told.source is not None and told.source.since_seconds == 1000.0
    assert told.board is not None and told.board.free_disk_bytes
