"""Heartbeats and events: what they may say, and within which limits."""

from typing import Any

import pytest
from pydantic import ValidationError

from shared.wire import (
    HEARTBEAT_MAX_BYTES,
    LINE_MAX_CHARACTERS,
    REASON_MAX_CHARACTERS,
    AssignmentEvent,
    BoardState,
    DeviceCondition,
    EventKind,
    Fault,
    Heartbeat,
    SettingsState,
    SourceState,
    SpentState,
    TrafficState,
)
from shared.wire.heartbeat import COUNT_MAX

LEAST: dict[str, Any] = {
    "program": "0.1.0",
    "boot": "0123456789abcdef",
    "boots": 1,
    "uptime_seconds": 0,
    "schemas": [1, 2],
    "features": [],
    "spool": {"frames": 0, "bytes": 0, "dropped": 0},
}
EVENT: dict[str, Any] = {"event": "rolled-back", "target": "digits/7.json", "code": "encoder-failed", "reason": "why"}


def test_a_heartbeat_comes_back_as_it_was() -> None:
    whole = LEAST | {
        "active": {"target": "digits/6.json", "tables": "00112233aabbccdd"},
        "trial": {"target": "digits/7.json", "proofs": 2, "boots": 1},
        "outcome": {"seq": 3} | EVENT,
        "encode_seconds_median": 0.0013,
        "highest_sequence": 2**63 - 1,
        "tuf": {"root_version": 1, "targets_version": 3, "signed_at": "2026-11-29T07:15:00Z", "is_stale": False},
        "time_floor": "2026-11-29T07:15:00Z",
    }
    heartbeat = Heartbeat.model_validate(whole)
    assert Heartbeat.model_validate_json(heartbeat.model_dump_json()) == heartbeat
    assert heartbeat.outcome is not None and heartbeat.outcome.event is EventKind.ROLLED_BACK


def test_a_device_that_has_not_begun_says_little_and_what_a_newer_one_says_is_passed_over() -> None:
    assert Heartbeat.model_validate(LEAST | {"moon": "full"}) == Heartbeat.model_validate(LEAST)


@pytest.mark.parametrize(
    "changed",
    [
        {"boot": "0123456789ABCDEF"},
        {"boot": "0123"},
        {"boots": -1},
        {"boots": 2**53},
        {"uptime_seconds": float("inf")},
        {"uptime_seconds": -1},
        {"program": ""},
        {"program": "1 0"},
        {"program": "a" * 65},
        {"schemas": [1] * 33},
        {"features": ["lapping"] * 33},
        {"features": ["a\nb"]},
        {"highest_sequence": 2**63},
        {"active": {"target": "../../etc/passwd", "tables": "00112233aabbccdd"}},
        {"active": {"target": "digits/0.json", "tables": "00112233aabbccdd"}},
        {"time_floor": "yesterday"},
        {"spool": {"frames": 0, "bytes": 0}},
    ],
)
def test_a_heartbeat_outside_the_limits_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Heartbeat.model_validate(LEAST | changed)


@pytest.mark.parametrize(
    "changed",
    [
        {"event": "exploded"},
        {"target": "digits/7"},
        {"code": "Encoder failed"},
        {"reason": "x" * (REASON_MAX_CHARACTERS + 1)},
    ],
)
def test_an_event_outside_the_limits_is_refused(changed: dict[str, Any]) -> None:
    AssignmentEvent.model_validate(EVENT)
    with pytest.raises(ValidationError):
        AssignmentEvent.model_validate(EVENT | changed)


def test_the_longest_heartbeat_that_a_device_sends_fits_its_limit() -> None:
    line, word = "é" * LINE_MAX_CHARACTERS, "w" * 20
    condition = DeviceCondition(
        oldest_frame_seconds=1e9,
        dropped={f"{word}-{number}": COUNT_MAX for number in range(8)},
        traffic=TrafficState(
            sent=COUNT_MAX,
            received=COUNT_MAX,
            spent={name: SpentState(bytes=COUNT_MAX, limit=COUNT_MAX) for name in ("hour", "day", "month")},
        ),
        source=SourceState(
            condition=word, since_seconds=1e9, pictures=COUNT_MAX, losses=COUNT_MAX, fault=line, stillness=word
        ),
        board=BoardState(temperature_celsius=56.123, free_disk_bytes=COUNT_MAX, memory_bytes=COUNT_MAX),
        last_fault=Fault(code="c" * 64, reason=line, ago_seconds=1e9),
        restarts={f"{word}-{number}": COUNT_MAX for number in range(8)},
        troubles=[f"{word}-{number}" for number in range(8)],
    )
    outcome = EVENT | {"seq": 1, "reason": "é" * REASON_MAX_CHARACTERS}
    settings = SettingsState(named="f" * 128, in_effect=COUNT_MAX, code="c" * 64, reason="é" * REASON_MAX_CHARACTERS)
    longest = Heartbeat.model_validate(LEAST | {"outcome": outcome, "condition": condition, "settings": settings})
    assert len(longest.model_dump_json(exclude_none=True).encode()) < HEARTBEAT_MAX_BYTES


def test_a_heartbeat_of_an_older_program_has_no_condition() -> None:
    assert Heartbeat.model_validate(LEAST).condition is None
