"""What answers and labels say of a rollout's two bundles, by device; read when gates are judged.

A frame belongs to the bundle whose classifier answered it. A probe is the same picture under the other bundle.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Integer, case, cast, func, select

from cloud_server.storage.database import fetch_plain
from cloud_server.storage.rows.rollouts import RolloutRow
from cloud_server.storage.schema import labels as labels_table
from cloud_server.storage.schema import results

PROBE = "probe"
_NS = 10**9


class LabelRow(NamedTuple):
    """How many of a device's frames in one arm, `old` or `new`, have labels, and how many were answered with those."""

    device_id: int
    arm: str
    labelled: int
    correct: int


class PairRow(NamedTuple):
    """How often a device's pictures that were answered by both bundles were answered alike, and rightly."""

    device_id: int
    pairs: int
    differing: int
    only_old_right: int
    only_new_right: int
    labelled: int


def labels(connection: Connection, rollout: RolloutRow) -> Sequence[tuple[Any, ...]]:
    """The labels of frames that were answered since a rollout began, each as a `LabelRow`."""
    arm = case((results.c.model == _model(rollout, rollout.counter), "new"), else_="old").label("arm")
    both = labels_table.join(
        results,
        (results.c.device_id == labels_table.c.device_id) & (results.c.sequence == labels_table.c.sequence),
    )
    query = (
        select(results.c.device_id, arm, func.count(), func.sum(cast(labels_table.c.is_correct, Integer)))
        .select_from(both)
        .where(
            labels_table.c.labelled_at >= rollout.created_at,
            results.c.received_at_ns >= int(rollout.created_at) * _NS,
            results.c.model.in_(_models(rollout)),
        )
        .group_by(results.c.device_id, arm)
    )
    return fetch_plain(connection, query)


def pairs(connection: Connection, rollout: RolloutRow) -> Sequence[PairRow]:
    """The pictures that came as a frame and as its probe since a rollout began, one answered by each bundle."""
    frame, probe = results.alias("frame"), results.alias("probe")
    is_new = frame.c.model == _model(rollout, rollout.counter)
    old_label = case((is_new, probe.c.label), else_=frame.c.label)
    new_label = case((is_new, frame.c.label), else_=probe.c.label)
    truth = labels_table.c.label
    query = (
        select(
            frame.c.device_id,
            func.count(),
            _count(old_label != new_label),
            _count((old_label == truth) & (new_label != truth)),
            _count((new_label == truth) & (old_label != truth)),
            func.count(truth),
        )
        .select_from(
            probe.join(
                frame,
                (frame.c.device_id == probe.c.device_id) & (frame.c.sequence == probe.c.companion_of),
            ).outerjoin(
                labels_table,
                (labels_table.c.device_id == frame.c.device_id) & (labels_table.c.sequence == frame.c.sequence),
            )
        )
        .where(
            probe.c.kind == PROBE,
            probe.c.received_at_ns >= int(rollout.created_at) * _NS,
            probe.c.model.in_(_models(rollout)),
            frame.c.model.in_(_models(rollout)),
            frame.c.model != probe.c.model,
            frame.c.kind.is_(None),
        )
        .group_by(frame.c.device_id)
    )
    return [PairRow(*row) for row in connection.execute(query)]


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((condition, 1), else_=0))


def _model(rollout: RolloutRow, counter: int | None) -> str:
    return f"{rollout.family}/{counter}"


def _models(rollout: RolloutRow) -> tuple[str, str]:
    return _model(rollout, rollout.counter), _model(rollout, rollout.old_counter)
