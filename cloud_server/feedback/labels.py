"""Labels: what a frame really showed, and who says so.

One label a frame. The first one is counted (`dctwire_feedback_total`), exactly once, whether it agrees with the
answer or not. A later one that differs replaces what is stored, for whoever trains on it, and is not counted:
counters cannot be taken back.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, update

from cloud_server.database import Database
from cloud_server.errors import NotFoundError
from cloud_server.feedback.results import find
from cloud_server.fleet.devices import Device
from cloud_server.metrics import Metrics
from cloud_server.schema import labels
from shared.wire import LabelReport


@dataclass(frozen=True, slots=True)
class _Labelled:
    tables: str
    is_correct: bool
    is_first: bool


class Labels:
    """Takes labels for frames that were answered."""

    def __init__(self, database: Database, metrics: Metrics, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._metrics = metrics
        self._now = now

    async def put(self, device: Device, sequence: int, report: LabelReport) -> None:
        """Store a label; the same one again changes nothing.

        Raises:
            NotFoundError: the device has no answered frame with this sequence.
        """
        now = self._now()
        labelled = await self._database.write(
            lambda connection: _label(connection, (device.row_id, sequence), report, now)
        )
        if labelled is None:
            raise NotFoundError(f"frame {device.public_id}.{sequence} has no answer here; upload it first")
        if labelled.is_first:
            self._metrics.count_feedback(device.family, labelled.tables, is_correct=labelled.is_correct)


def _label(connection: Connection, key: tuple[int, int], report: LabelReport, now: float) -> _Labelled | None:
    result = find(connection, [key]).get(key)
    if result is None:
        return None
    is_correct = result.label == report.label
    values = {"label": report.label, "source": report.source.value, "is_correct": is_correct, "labelled_at": now}
    this = (labels.c.device_id == key[0]) & (labels.c.sequence == key[1])
    known = connection.execute(select(labels.c.label, labels.c.source).where(this)).one_or_none()
    if known is None:
        connection.execute(insert(labels), {"device_id": key[0], "sequence": key[1], **values})
    elif tuple(known) != (report.label, report.source.value):
        connection.execute(update(labels).where(this).values(**values))
    return _Labelled(result.tables, is_correct, is_first=known is None)
