"""What a device's page says, made of what is known of the device. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cloud_server.console import words
from cloud_server.console.charts import Bar
from cloud_server.console.device_marks import Mark, marks_of, name_of
from cloud_server.console.kept_for import why_kept
from cloud_server.feedback.device_record import LABELLED_MAX
from cloud_server.fleet.exposure import Exposure
from cloud_server.fleet.heartbeat_facts import heartbeat_facts
from cloud_server.fleet.listing import Described, Listed
from cloud_server.registry.report import Accuracy, accuracy_of
from cloud_server.storage.rows.device_answers import AnswerRow, LabelledRow
from cloud_server.storage.rows.device_days import DayRow
from cloud_server.storage.rows.fleet import EventRow
from shared.wire import EventKind, LabelSource

DAY_SECONDS = 86_400
DAYS = 30
"""So many days are shown, today among them."""
_EVENTS = {
    EventKind.TRIAL: Mark("took it into use, on trial", "info"),
    EventKind.CONFIRMED: Mark("confirmed it", "good"),
    EventKind.ROLLED_BACK: Mark("rolled it back", "bad"),
    EventKind.REJECTED: Mark("refused it", "bad"),
}
_SOURCES = {
    LabelSource.SENSOR: "the device itself",
    LabelSource.HUMAN: "people",
    LabelSource.AUDIT: "an audit",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of a device; `today` is a day since 1970, in UTC.

    Args:
        exposure: the active rollout of its family, if there is one.
        days: what it sent on the last `DAYS` days.
        labelled: how right its labelled frames were.
        answers: to its newest frames, newest first.
        kept: its newest frames of which there are pictures; empty for whoever may not see them.
    """

    described: Described
    exposure: Exposure | None
    days: Sequence[DayRow]
    labelled: Sequence[LabelledRow]
    answers: Sequence[AnswerRow]
    kept: Sequence[AnswerRow]
    today: int


@dataclass(frozen=True, slots=True)
class Day:
    """What was sent on a day; `at` is its beginning in seconds since 1970."""

    at: float
    frames: int
    payload_bytes: int
    http_bytes: int
    answer_bytes: int

    @property
    def sent_bytes(self) -> int:
        """All that the device sent."""
        return self.payload_bytes + self.http_bytes


@dataclass(frozen=True, slots=True)
class Update:
    """What the device told of an assignment; `at` in seconds since 1970."""

    at: float
    bundle: str
    mark: Mark
    why: str


@dataclass(frozen=True, slots=True)
class Frame:
    """An answered frame; `at` in seconds since 1970, `kept_for` empty of one that was not kept."""

    sequence: int
    at: float
    label: str
    confidence: float
    model: str
    match: str
    true_label: str | None
    is_correct: bool | None
    kept_for: str


@dataclass(frozen=True, slots=True)
class Judged:
    """How right the frames are that somebody has labelled; `by` says who."""

    by: str
    accuracy: Accuracy


@dataclass(frozen=True, slots=True)
class DeviceView:
    """The page of a device."""

    listed: Listed
    name: str
    marks: Sequence[Mark]
    should_run: str
    why: str
    way_back: str
    is_behind: bool
    days: Sequence[Day]
    bars: Sequence[Bar]
    sent_bytes: int
    frames: int
    accuracy: Accuracy | None
    judged: Sequence[Judged]
    are_labels_cut: bool
    updates: Sequence[Update]
    told: Sequence[tuple[str, str]]
    answers: Sequence[Frame]
    kept: Sequence[Frame]

    @property
    def bytes_a_frame(self) -> float | None:
        """What a frame of the shown days cost on average; None without one."""
        return self.sent_bytes / self.frames if self.frames else None


def device_view(known: Known, now: float) -> DeviceView:
    """The page; `now` in seconds since 1970."""
    listed, days = known.described.listed, _days(known.days, known.today)
    row, target = listed.row, listed.target
    should_run = "" if target is None or row.revoked_at is not None else f"v{target.counter}"
    labelled = sum(one.labelled for one in known.labelled)
    return DeviceView(
        listed=listed,
        name=name_of(row.public_id, row.name),
        marks=marks_of(listed, now),
        should_run=should_run,
        why=why_it_runs(listed, known.exposure),
        way_back=way_back(listed, known.described.events),
        is_behind=bool(should_run and row.last_tables) and row.last_tables != should_run,
        days=days,
        bars=[_bar(day) for day in days],
        sent_bytes=sum(day.sent_bytes for day in days),
        frames=sum(day.frames for day in days),
        accuracy=accuracy_of(labelled, sum(one.correct for one in known.labelled)),
        judged=_judged(known.labelled),
        are_labels_cut=labelled >= LABELLED_MAX,
        updates=[_update(event) for event in known.described.events],
        told=heartbeat_facts(known.described.heartbeat or {}),
        answers=[_frame(answer) for answer in known.answers],
        kept=[_frame(answer) for answer in known.kept],
    )


def why_it_runs(listed: Listed, exposure: Exposure | None) -> str:
    """Why the device should run what it should, in a sentence.

    Args:
        exposure: the active rollout of its family, if there is one.
    """
    target = listed.target
    if listed.row.revoked_at is not None:
        return "It is revoked: whatever it sends is refused, so it runs on with what it has."
    if target is None:
        return "Nothing is assigned to its family yet."
    if listed.quarantine is not None and listed.quarantine.assignment == target:
        return f"It is held there in quarantine: {listed.quarantine.reason or 'no reason was given'}."
    if listed.pin is not None and listed.pin.assignment == target:
        return "It is pinned there, whatever its family runs."
    if exposure is not None and exposure.assignment == target:
        return f"Rollout {exposure.rollout} leads it there."
    return "Its family is assigned that."


def way_back(listed: Listed, events: Sequence[EventRow]) -> str:
    """What an operator may do where the device has failed or refused what it should run; empty where it has not.

    Args:
        events: what it told of its assignments, newest first.
    """
    newest, target = next(iter(events), None), listed.target
    if newest is None or target is None or newest.seq != target.seq:
        return ""
    if EventKind(newest.event) not in {EventKind.ROLLED_BACK, EventKind.REJECTED}:
        return ""
    return (
        f"It does not try v{target.counter} again by itself. Once the reason is gone, pin it to v{target.counter} or "
        "start another rollout: a new assignment is tried anew."
    )


def _days(found: Sequence[DayRow], today: int) -> list[Day]:
    """Every one of the last `DAYS` days, also those on which nothing came."""
    by_day = {row.day: row for row in found}
    rows = [by_day.get(day, DayRow(0, day, 0, 0, 0, 0)) for day in range(today - DAYS + 1, today + 1)]
    return [Day(row.day * DAY_SECONDS, row.frames, row.payload_bytes, row.http_bytes, row.answer_bytes) for row in rows]


def _bar(day: Day) -> Bar:
    label = f"{datetime.fromtimestamp(day.at, UTC):%m-%d}"
    hint = f"{words.day(day.at)}: {words.size(day.sent_bytes)} in {words.plural(day.frames, 'frame')}"
    return Bar(label, (day.payload_bytes, day.http_bytes), hint)


def _judged(labelled: Sequence[LabelledRow]) -> list[Judged]:
    found = [(_SOURCES[LabelSource(row.source)], accuracy_of(row.labelled, row.correct)) for row in labelled]
    return [Judged(by, accuracy) for by, accuracy in found if accuracy is not None]


def _update(event: EventRow) -> Update:
    why = ": ".join(part for part in (event.code, event.reason) if part)
    return Update(event.received_at, event.target.removesuffix(".json"), _EVENTS[EventKind(event.event)], why)


def _frame(answer: AnswerRow) -> Frame:
    return Frame(
        sequence=answer.sequence,
        at=answer.received_at_ns / 1e9,
        label=answer.label,
        confidence=answer.confidence,
        model=answer.model,
        match=answer.match,
        true_label=answer.true_label,
        is_correct=answer.is_correct,
        kept_for=why_kept(answer.kept_for),
    )
