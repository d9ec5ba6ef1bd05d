"""Labels: what a frame really showed, who says so, and whose word stands.

A frame has one label, that of the highest authority. The operator plane's word stands above a device's, whatever
the device calls its source, for nobody who breaks into a camera may overrule the people who review it; on one plane an
audit stands above a person and a person above a sensor. Of equals the later one stands. A label of less authority
is taken and changes nothing, so that whoever sends it need not ask first.

The first label of a frame is counted (`dctwire_feedback_total`), exactly once, whether it agrees with the answer or
not. Later ones are not: counters cannot be taken back. Labels of frames that a device sent while it was in quarantine
are kept and count nowhere.

Labels of frames that somebody found doubtful say little of how often answers are right. So those of the *random audit*
are counted once more by themselves (`dctwire_audited_frames_total`): frames that were kept at random, labelled on the
operator plane as an audit.

A companion has no label: what its frame shows is said of the frame.

Who reviews may take the last label back: the frame has again what it had before. The hourly sums forget it; the counter
cannot, so the frame's next first label is not counted there once more.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from cloud_server.errors import ConflictError, NotFoundError
from cloud_server.feedback.frame_id import FrameId
from cloud_server.feedback.reasons import Reason
from cloud_server.metrics import Metrics
from cloud_server.storage.database import Database, Transaction
from cloud_server.storage.rows import assignments, devices, labels, results, reviews, samples, sums
from cloud_server.storage.rows.labels import LabelRow
from cloud_server.storage.rows.results import StoredResult
from cloud_server.storage.witness import Facts, Witness, unwitnessed
from shared.wire import LabelReport, LabelSource

Noted = Callable[[Transaction, LabelRow | None, LabelRow], None]
"""Told of the label that a frame had and of the one that it has now, in the transaction that changes it."""
_RANKS = {LabelSource.SENSOR: 0, LabelSource.HUMAN: 1, LabelSource.AUDIT: 2}


def authority(source: LabelSource, *, is_operator: bool) -> int:
    """The authority of a label: the highest one's label stands, and of equal ones the latest."""
    return _RANKS[source] + (len(_RANKS) if is_operator else 0)


_BY_AUDIT = authority(LabelSource.AUDIT, is_operator=True)


def _unnoted(_transaction: Transaction, _before: LabelRow | None, _after: LabelRow) -> None:
    """Nobody will take it back."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """What came of a label.

    Args:
        is_correct: whether the answer was this label.
        is_foreign: whether no classifier of the family knows the label, so that no answer could have been right.
        is_first: whether the frame had no label before.
        stands: whether it is the frame's label now.
    """

    is_correct: bool
    is_foreign: bool
    is_first: bool
    stands: bool


@dataclass(frozen=True, slots=True)
class _Said:
    report: LabelReport
    authority: int
    by: str
    at: float


@dataclass(frozen=True, slots=True)
class _Counted:
    """Where the hourly sums count a label."""

    family: str
    shard: int


class _Tally(NamedTuple):
    """What a frame's label counts as in the hourly sums, each 0 or 1; or how much that changed."""

    labelled: int = 0
    correct: int = 0
    audited: int = 0
    audited_correct: int = 0


@dataclass(frozen=True, slots=True)
class _Outcome:
    labelled: Labelled
    tables: str
    match: str
    is_news: bool
    is_newly_audited: bool
    is_sampled: bool
    is_counted: bool
    was_undone: bool


class Labels:
    """Takes labels for frames that were answered.

    Args:
        label_set: the labels that a family's classifiers know.
        contradicted: told (device's row, sequence) when a label that stands contradicts the answer to a frame that
            is not among the samples.
        shard: of the hourly sums, this process's.
    """

    def __init__(
        self,
        database: Database,
        metrics: Metrics,
        label_set: Callable[[str], Awaitable[frozenset[str]]],
        contradicted: Callable[[int, int], None],
        now: Callable[[], float] = time.time,
        shard: int = 0,
    ) -> None:
        self._database = database
        self._metrics = metrics
        self._shard = shard
        self._label_set = label_set
        self._contradicted = contradicted
        self._now = now

    async def put(self, frame: FrameId, device_id: int, family: str, report: LabelReport) -> None:
        """Take a label from a device, for a frame of its own; the same label again changes nothing.

        Args:
            device_id: the device's row.
            family: the device's family.

        Raises:
            NotFoundError: the device has no answered frame with this sequence.
            ConflictError: the frame is a companion.
        """
        said = _Said(report, authority(report.source, is_operator=False), frame.device, self._now())
        await self._put(frame, device_id, family, said, unwitnessed)

    async def review(
        self, frame: FrameId, report: LabelReport, by: str, witness: Witness, noted: Noted = _unnoted
    ) -> Labelled:
        """Take a label from the operator plane, for any device's frame; `by` is the operator who looked.

        Args:
            noted: told of it where it stands and is another one than before.

        Raises:
            NotFoundError: there is no such answered frame.
            ConflictError: the frame is a companion.
        """
        device = await self._database.read(partial(devices.by_public_id, public_id=frame.device))
        if device is None:
            raise NotFoundError(f"there is no device {frame.device}")
        said = _Said(report, authority(report.source, is_operator=True), by, self._now())
        return await self._put(frame, device.id, device.family, said, witness, noted)

    async def _put(
        self, frame: FrameId, device_id: int, family: str, said: _Said, witness: Witness, noted: Noted = _unnoted
    ) -> Labelled:
        is_foreign = said.report.label not in await self._label_set(family)
        key = (device_id, frame.sequence)
        counted = _Counted(family, self._shard)
        outcome = await self._database.write(
            partial(_label, key=key, said=said, is_foreign=is_foreign, counted=counted, witness=witness, noted=noted)
        )
        if not isinstance(outcome, _Outcome):
            raise _refusal(frame, outcome)
        labelled = outcome.labelled
        if outcome.is_counted and not outcome.was_undone:
            self._count(family, outcome)
        if outcome.is_news and outcome.is_counted and not labelled.is_correct and not outcome.is_sampled:
            self._contradicted(*key)
        return labelled

    def _count(self, family: str, outcome: _Outcome) -> None:
        """Count a frame's first label, and its first one from an audit."""
        is_correct = outcome.labelled.is_correct
        if outcome.labelled.is_first:
            self._metrics.count_feedback(family, outcome.tables, is_correct=is_correct)
        if outcome.is_newly_audited:
            self._metrics.count_audited(family, outcome.tables, outcome.match, is_correct=is_correct)


def take_back(
    transaction: Transaction, label: LabelRow, previous: LabelRow | None, family: str, shard: int, witness: Witness
) -> None:
    """Give a frame the label again that it had before `label`, which it has now; None: it had none."""
    key = (label.device_id, label.sequence)
    result = results.find(transaction, [key])[key]
    labels.restore(transaction, label, previous)
    witness(transaction, _shown(label), previous and _shown(previous))
    if not assignments.was_quarantined(transaction, label.device_id, result.received_at_ns / 1e9):
        changed = _change(label, previous, samples.reason_of(transaction, *key))
        sums.add_answer(transaction, _sum_of(changed, _Counted(family, shard), result))


def _refusal(frame: FrameId, result: StoredResult | None) -> NotFoundError | ConflictError:
    """Why a frame with this answer can have no label."""
    if result is None:
        return NotFoundError(f"frame {frame} has no answer here: it was never uploaded, or its answer has expired")
    assert result.companion_of is not None
    of = FrameId(frame.device, result.companion_of)
    return ConflictError(f"frame {frame} is a {result.kind} of frame {of} and can have no label: label {of}")


def _label(
    transaction: Transaction,
    key: tuple[int, int],
    said: _Said,
    counted: _Counted,
    witness: Witness,
    noted: Noted,
    *,
    is_foreign: bool,
) -> _Outcome | StoredResult | None:
    """Give a frame a label; returns what came of it, or the frame's answer, if any, where it can have none."""
    result = results.find(transaction, [key]).get(key)
    if result is None or result.kind is not None:
        return result
    is_correct = result.label == said.report.label
    row = LabelRow(
        *key,
        label=said.report.label,
        source=said.report.source.value,
        authority=said.authority,
        is_correct=is_correct,
        is_foreign=is_foreign,
        labelled_at=said.at,
        labelled_by=said.by,
    )
    is_first = labels.add(transaction, row)
    before = None if is_first else labels.find(transaction, *key)
    is_news = before is None or labels.replace(transaction, row)
    if is_news:
        witness(transaction, before and _shown(before), _shown(row))
        noted(transaction, before, row)
    is_counted = not assignments.was_quarantined(transaction, key[0], result.received_at_ns / 1e9)
    reason = samples.reason_of(transaction, *key)
    changed = _change(before, row, reason) if is_news else _Tally()
    if is_news and is_counted:
        sums.add_answer(transaction, _sum_of(changed, counted, result))
    stands = is_news or labels.authority_of(transaction, *key) == said.authority
    return _Outcome(
        Labelled(is_correct, is_foreign, is_first, stands),
        result.tables,
        result.match,
        is_news,
        is_newly_audited=changed.audited > 0,
        is_sampled=reason is not None,
        is_counted=is_counted,
        was_undone=reviews.was_undone(transaction, *key),
    )


def _tally(label: LabelRow | None, reason: str | None) -> _Tally:
    """What a frame counts as that has this label and was kept for this reason; None: neither."""
    if label is None:
        return _Tally()
    is_audited = label.authority == _BY_AUDIT and reason == Reason.RANDOM
    return _Tally(1, int(label.is_correct), int(is_audited), int(is_audited and label.is_correct))


def _change(before: LabelRow | None, after: LabelRow | None, reason: str | None) -> _Tally:
    """What a frame counts as more, now that its label is another one."""
    return _Tally(*(now - then for now, then in zip(_tally(after, reason), _tally(before, reason), strict=True)))


def _sum_of(changed: _Tally, counted: _Counted, result: StoredResult) -> sums.AnswerSum:
    """The same as a row of sums: it counts in the hour of its frame."""
    return sums.AnswerSum(
        *sums.key_of(counted.family, result), counted.shard, frames=0, scan_bytes=0, **changed._asdict()
    )


def _shown(row: LabelRow) -> Facts:
    return {"label": row.label, "source": row.source, "by": row.labelled_by}
