"""Labels: what a frame really showed, who says so, and whose word stands.

A frame has one label, that of the highest authority. The operator plane's word stands above a device's, whatever
the device calls its source, for nobody who breaks into a camera may overrule the people who review it; on one plane an
audit stands above a person and a person above a sensor. Of equals the later one stands. A label of less authority
is taken and changes nothing, so that whoever sends it need not ask first.

The first label of a frame is counted (`dctwire_feedback_total`), exactly once, whether it agrees with the answer or
not. Later ones are not: counters cannot be taken back.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from cloud_server.errors import NotFoundError
from cloud_server.feedback.frame_id import FrameId
from cloud_server.metrics import Metrics
from cloud_server.storage.database import Database, Transaction
from cloud_server.storage.rows import devices, labels, results, samples, sums
from shared.wire import LabelReport, LabelSource

_RANKS = {LabelSource.SENSOR: 0, LabelSource.HUMAN: 1, LabelSource.AUDIT: 2}


def authority(source: LabelSource, *, is_operator: bool) -> int:
    """The authority of a label: the highest one's label stands, and of equal ones the latest."""
    return _RANKS[source] + (len(_RANKS) if is_operator else 0)


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


@dataclass(frozen=True, slots=True)
class _Outcome:
    labelled: Labelled
    tables: str
    is_news: bool
    is_sampled: bool


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
        """
        said = _Said(report, authority(report.source, is_operator=False), frame.device, self._now())
        await self._put(frame, device_id, family, said)

    async def review(self, frame: FrameId, report: LabelReport, by: str) -> Labelled:
        """Take a label from the operator plane, for any device's frame; `by` is whoever looked.

        Raises:
            NotFoundError: there is no such answered frame.
        """
        device = await self._database.read(partial(devices.by_public_id, public_id=frame.device))
        if device is None:
            raise NotFoundError(f"there is no device {frame.device}")
        said = _Said(report, authority(report.source, is_operator=True), by, self._now())
        return await self._put(frame, device.id, device.family, said)

    async def _put(self, frame: FrameId, device_id: int, family: str, said: _Said) -> Labelled:
        is_foreign = said.report.label not in await self._label_set(family)
        key = (device_id, frame.sequence)
        counted = _Counted(family, self._shard)
        outcome = await self._database.write(
            partial(_label, key=key, said=said, is_foreign=is_foreign, counted=counted)
        )
        if outcome is None:
            raise NotFoundError(f"frame {frame} has no answer here: it was never uploaded, or its answer has expired")
        labelled = outcome.labelled
        if labelled.is_first:
            self._metrics.count_feedback(family, outcome.tables, is_correct=labelled.is_correct)
        if outcome.is_news and not labelled.is_correct and not outcome.is_sampled:
            self._contradicted(*key)
        return labelled


def _label(
    transaction: Transaction, key: tuple[int, int], said: _Said, counted: _Counted, *, is_foreign: bool
) -> _Outcome | None:
    result = results.find(transaction, [key]).get(key)
    if result is None:
        return None
    is_correct = result.label == said.report.label
    row = labels.LabelRow(
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
    was_correct = not is_first and labels.is_correct(transaction, *key)
    is_news = is_first or labels.replace(transaction, row)
    if is_news:  # it counts in the hour of its frame
        changed = (0, 0, int(is_first), is_correct - was_correct)
        sums.add_answer(transaction, sums.AnswerSum(*sums.key_of(counted.family, result), counted.shard, *changed))
    stands = is_news or labels.authority_of(transaction, *key) == said.authority
    is_sampled = samples.is_there(transaction, *key)
    return _Outcome(Labelled(is_correct, is_foreign, is_first, stands), result.tables, is_news, is_sampled)
