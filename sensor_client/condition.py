"""How the device does, for whoever looks after it: what the heartbeat tells beside what it runs."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sensor_client.board import board_state, is_nearly_full
from sensor_client.clock import Clock
from sensor_client.sources import SourceReport
from sensor_client.spool import Spool
from sensor_client.traffic import Traffic
from shared.wire import (
    LINE_MAX_CHARACTERS,
    DeviceCondition,
    Fault,
    SourceState,
    SpentState,
    TrafficState,
)

_FAULTS = ("warning", "error", "critical")


@dataclass(frozen=True, kw_only=True)
class DeviceLooks:
    """Looks at the device. What cannot be read is left out; no call raises but for the spool.

    Args:
        folder: the state directory.
        log_lines: the last lines of the log, as JSON, the newest last.
    """

    folder: Path
    spool: Spool
    traffic: Callable[[], Traffic]
    source: Callable[[], SourceReport]
    restarts: Mapping[str, int]
    log_lines: Callable[[], Sequence[str]]
    clock: Clock

    def condition(self) -> DeviceCondition:
        """How it does now.

        Raises:
            SpoolError: the spool cannot be read.
        """
        now = self.clock.now()
        return DeviceCondition(
            oldest_frame_seconds=self._oldest_seconds(now),
            dropped=self._dropped(),
            traffic=traffic_state(self.traffic()),
            source=source_state(self.source(), now),
            board=board_state(self.folder),
            last_fault=last_fault(self.log_lines(), now),
            restarts=dict(self.restarts),
            troubles=sorted(self.troubles()),
        )

    def troubles(self) -> frozenset[str]:
        """What is wrong now, each by a word; cheap."""
        return troubles_of(self.source(), self.traffic(), is_disk_nearly_full=is_nearly_full(self.folder))

    def _oldest_seconds(self, now: float) -> float | None:
        oldest = self.spool.oldest(1)
        return max(0.0, now - oldest[0].captured_at_ms / 1000) if oldest else None

    def _dropped(self) -> dict[str, int]:
        dropped: Counter[str] = Counter()
        for (reason, _), frames in self.spool.drops().items():
            dropped[reason.value] += frames
        return dict(dropped)


def troubles_of(source: SourceReport, traffic: Traffic, *, is_disk_nearly_full: bool) -> frozenset[str]:
    """What an operator would want to know before the next heartbeat is due."""
    found = {
        "source-lost": source.is_lost,
        f"picture-{source.stillness}": source.stillness is not None,
        "budget-exhausted": traffic.is_used_up,
        "disk-nearly-full": is_disk_nearly_full,
    }
    return frozenset(name for name, is_so in found.items() if is_so)


def traffic_state(traffic: Traffic) -> TrafficState:
    """The device's traffic in the words of a heartbeat."""
    spent = {
        window.value: SpentState(bytes=spent_bytes, limit=traffic.limits.get(window))
        for window, spent_bytes in traffic.spent.items()
    }
    return TrafficState(sent=sum(traffic.sent.values()), received=sum(traffic.received.values()), spent=spent)


def source_state(report: SourceReport, now: float) -> SourceState:
    """The source in the words of a heartbeat."""
    return SourceState(
        condition=report.condition.value,
        since_seconds=max(0.0, now - report.since),
        pictures=report.pictures,
        losses=report.losses,
        fault=None if report.fault is None else report.fault[:LINE_MAX_CHARACTERS],
        stillness=None if report.stillness is None else report.stillness.value,
    )


def last_fault(lines: Sequence[str], now: float) -> Fault | None:
    """The newest warning or error in a log; None where there is none."""
    for line in reversed(lines):
        found = _parsed(line)
        if found.get("level") in _FAULTS:
            return _fault(found, now)
    return None


def _parsed(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _fault(found: Mapping[str, Any], now: float) -> Fault | None:
    try:
        at = datetime.fromisoformat(str(found["timestamp"])).timestamp()
        reason = found.get("reason")
        return Fault(
            code=str(found["event"]),
            reason=None if reason is None else str(reason)[:LINE_MAX_CHARACTERS],
            ago_seconds=max(0.0, now - at),
        )
    except (KeyError, ValueError, OverflowError):  # also pydantic's: an event's name that is no word
        return None
