"""What the sensor's log shows on a terminal of texts that a server, or whoever answers in its place, has written."""

import contextlib
import io
import json
import logging
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sensor_client.logs import (
    FAULTS_A_MINUTE,
    FILE_BYTES,
    OLD_FILES,
    PROGRAM,
    RECENT_LINES,
    EventLogger,
    configure,
    get_logger,
    recent_lines,
)

HOSTILE = "cat\x1b[2J\x9b31m\u202e\u2028\nforged"
SHOWN = r"cat\x1b[2J\x9b31m\u202e\u2028\nforged"


class Terminal(io.StringIO):
    """Standard error as people sit at it."""

    def isatty(self) -> bool:
        return True


def shown(
    log: Callable[[EventLogger], None], monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, file: Path | None = None
) -> str:
    """What standard error gets of a line."""
    logger = logging.getLogger(PROGRAM)
    before = (list(logger.handlers), logger.propagate, logger.level)
    monkeypatch.setattr(sys, "stderr", stream)
    try:
        configure("info", file)
        log(get_logger("sensor_client.any"))
    finally:
        with contextlib.suppress(OSError):  # what a full disk did not take
            logger.handlers[0].close()
        logger.handlers[:], logger.propagate, level = before
        logger.setLevel(level)
    return stream.getvalue()


def test_no_text_of_a_server_steers_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(lambda log: log.info(HOSTILE, label=HOSTILE, labels=[HOSTILE]), monkeypatch, Terminal())
    assert text.count(SHOWN) == 3
    assert text.count("\n") == 1
    assert not {"\x9b", "\u202e", "\u2028"} & set(text)
    assert "\x1b[2J" not in text


def test_a_fault_is_shown_by_lines_and_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(lambda log: log.error("fault", exc_info=ValueError(HOSTILE)), monkeypatch, Terminal())
    assert "ValueError: cat" in text
    assert not {"\x9b", "\u202e", "\u2028"} & set(text)
    assert "\x1b[2J" not in text


def test_a_file_gets_a_json_object_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(lambda log: log.warning("odd", of=HOSTILE, count=3), monkeypatch, io.StringIO())
    line = json.loads(text)
    assert text.count("\n") == 1
    assert (line["event"], line["level"], line["of"], line["count"]) == ("odd", "warning", HOSTILE, 3)
    assert line["timestamp"].endswith("Z")


def test_what_is_below_the_level_is_not_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(lambda log: log.debug("detail"), monkeypatch, io.StringIO()) == ""


@pytest.mark.parametrize("stream", [Terminal, io.StringIO])
def test_a_megabyte_of_a_server_is_a_short_line(stream: type[io.StringIO], monkeypatch: pytest.MonkeyPatch) -> None:
    huge = "x" * 2**20
    text = shown(lambda log: log.error(huge, of=huge, all=[huge], exc_info=ValueError(huge)), monkeypatch, stream())
    assert len(text) < 7000
    assert "(1048576 characters)" in text


def test_a_fault_that_comes_again_and_again_is_told_so_many_times_a_minute_and_then_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1_700_000_000.0
    monkeypatch.setattr(time, "time", lambda: now)

    def flood(log: EventLogger) -> None:
        nonlocal now
        for number in range(500):
            log.warning("lost", number=number)
        log.error("another")
        for _ in range(FAULTS_A_MINUTE + 5):
            log.info("wanted")
        now += 61
        log.warning("lost", number=500)
        now -= 3600  # the clock is set back
        log.warning("lost", number=501)

    lines = [json.loads(line) for line in shown(flood, monkeypatch, io.StringIO()).splitlines()]
    events = [line["event"] for line in lines]
    assert events.count("lost") == FAULTS_A_MINUTE + 2
    assert events.count("another") == 1 and events.count("wanted") == FAULTS_A_MINUTE + 5
    (passed_over,) = [line for line in lines if line["event"] == "passed-over"]
    assert (passed_over["of"], passed_over["lines"]) == ("lost", 500 - FAULTS_A_MINUTE)


def test_a_clock_that_is_set_back_silences_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_700_000_000.0
    monkeypatch.setattr(time, "time", lambda: now)

    def flood(log: EventLogger) -> None:
        nonlocal now
        for _ in range(FAULTS_A_MINUTE):
            log.warning("lost")
        now -= 86_400
        log.warning("lost", again=True)

    lines = [json.loads(line) for line in shown(flood, monkeypatch, io.StringIO()).splitlines()]
    assert len(lines) == FAULTS_A_MINUTE + 1 and lines[-1]["again"]


def test_of_a_long_fault_the_end_is_kept_which_says_what_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    fault = ValueError("x" * 2**20 + " and this is why")
    line = json.loads(shown(lambda log: log.error("fault", exc_info=fault), monkeypatch, io.StringIO()))
    assert line["exception"].endswith(" and this is why")


def test_a_log_file_is_private_and_rotated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "sensor.log"

    def flood(log: EventLogger) -> None:
        for number in range(12_000):
            log.info("detail", number=number, of="x" * 400)

    assert shown(flood, monkeypatch, io.StringIO(), file) == ""
    files = sorted(tmp_path.iterdir())
    assert [path.name for path in files] == ["sensor.log", *(f"sensor.log.{age}" for age in range(1, OLD_FILES + 1))]
    assert all(path.stat().st_size <= FILE_BYTES and stat.S_IMODE(path.stat().st_mode) == 0o600 for path in files)
    assert json.loads(file.read_text().splitlines()[-1])["number"] == 11_999


def test_a_full_disk_costs_lines_of_a_log_file_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(lambda log: log.warning("odd"), monkeypatch, io.StringIO(), Path("/dev/full")) == ""


def test_the_last_lines_are_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    def much(log: EventLogger) -> None:
        for number in range(RECENT_LINES + 7):
            log.info("detail", number=number)

    shown(much, monkeypatch, io.StringIO())
    lines = [json.loads(line) for line in recent_lines()]
    assert len(lines) == RECENT_LINES
    assert lines[-1]["number"] == RECENT_LINES + 6 and lines[-1]["event"] == "detail"
