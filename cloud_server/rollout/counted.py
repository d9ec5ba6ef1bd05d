"""What the gates compare, read from the database: a row a device, into arrays at once and not one by one."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from cloud_server.rollout.counts import Arm, Counts, Pairs, Real, Whole
from cloud_server.storage.database import Transaction
from cloud_server.storage.rows import rollout_counts, rollout_evidence
from cloud_server.storage.rows.rollout_evidence import PairRow
from cloud_server.storage.rows.rollouts import RolloutRow

_COUNTED = ("frames", "bytes", "fallback", "refused", "encode_seconds")
_LABELLED = ("labelled", "correct")
_PAIRED = tuple(name for name in PairRow._fields if name != "device_id")


def counted(transaction: Transaction, row: RolloutRow, uncounted: Collection[int]) -> Counts:
    """All that is counted of a rollout, by device.

    Args:
        uncounted: devices, by row, that count nowhere.
    """
    frames = {arm: _Table(_COUNTED, rollout_counts.counts(transaction, row.id, arm)) for arm in rollout_counts.Arm}
    said = rollout_evidence.labels(transaction, row)
    labels = {arm: _labels(said, arm) for arm in rollout_counts.Arm}
    pairs = _Table(_PAIRED, rollout_evidence.pairs(transaction, row))
    every = np.unique(np.concatenate([table.ids for table in (*frames.values(), *labels.values(), pairs)]))
    ids = every[~np.isin(every, list(uncounted))] if uncounted else every
    old, new = (_arm(frames[arm].of(ids), labels[arm].of(ids)) for arm in rollout_counts.Arm)
    return Counts(old=old, new=new, pairs=Pairs(**{name: _whole(column) for name, column in pairs.of(ids).items()}))


class _Table:
    """Rows as the database gives them, each with a device's row in front of its numbers.

    Args:
        names: of the numbers.
    """

    def __init__(self, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        self._names = names
        self._numbers: Real = np.array(rows, np.float64).reshape(len(rows), 1 + len(names))
        self.ids: Whole = self._numbers[:, 0].astype(np.int64)

    def of(self, ids: Whole) -> Mapping[str, Real]:
        """The numbers of these devices, in ascending order, by name; NaN where there is none."""
        columns = np.full((len(self._names), ids.size), np.nan)
        is_wanted = np.isin(self.ids, ids, assume_unique=True)
        columns[:, np.searchsorted(ids, self.ids[is_wanted])] = self._numbers[is_wanted, 1:].T
        return dict(zip(self._names, columns, strict=True))


def _labels(said: Sequence[Sequence[Any]], arm: rollout_counts.Arm) -> _Table:
    """Those of one arm, of rows that are each a `LabelRow`."""
    return _Table(
        _LABELLED, [(device_id, labelled, correct) for device_id, its, labelled, correct in said if its == arm]
    )


def _arm(frames: Mapping[str, Real], labels: Mapping[str, Real]) -> Arm:
    return Arm(
        frames=_whole(frames["frames"]),
        bytes=_whole(frames["bytes"]),
        fallback=_whole(frames["fallback"]),
        refused=_whole(frames["refused"]),
        labelled=_whole(labels["labelled"]),
        correct=_whole(labels["correct"]),
        encode_seconds=frames["encode_seconds"],
    )


def _whole(column: Real) -> Whole:
    """Counts; nothing was counted where there is no row."""
    return np.nan_to_num(column).astype(np.int64)
