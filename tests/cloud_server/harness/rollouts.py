"""Rollouts as another process would begin and change them: by their rows alone."""

import time
from collections.abc import Iterable

from sqlalchemy import Connection, insert

from cloud_server.fleet.exposure import Reach, text_of
from cloud_server.rollout.plan import standard
from cloud_server.storage.rows import rollouts as rows
from cloud_server.storage.rows.rollouts import NewRollout, RolloutRow
from cloud_server.storage.schema import devices, labels, results

EVERYBODY = Reach(100, frozenset())
NOW = 1_800_000_000.0
"""For rollouts of no running server, seconds since 1970."""


def new_rollout(rollout: str = "abcd2345", family: str = "digits", counter: int = 2) -> NewRollout:
    """A rollout that shall begin."""
    return NewRollout(rollout, family, counter, standard().model_dump_json(), "draft", -1, None, "admin", None)


def begun(
    connection: Connection, reaches: Iterable[Reach] = (), *, now: float = NOW, new: NewRollout | None = None
) -> RolloutRow:
    """A rollout that has begun, and exposes these."""
    row = rows.start(connection, new or new_rollout(), now)
    assert row is not None, "another one is active"
    return exposing(connection, row, reaches)


def exposing(connection: Connection, row: RolloutRow, reaches: Iterable[Reach]) -> RolloutRow:
    """The same rollout, after it was changed to expose these."""
    after = rows.change(connection, row._replace(state="stage", stage=0, reaches=text_of(reaches)))
    assert after is not None, "another change was first"
    return after


def ended(connection: Connection, row: RolloutRow, state: str = "rolled-back") -> RolloutRow:
    """The same rollout, after it went back."""
    after = rows.change(connection, row._replace(state=state, reaches="[]", ended_at=time.time()))
    assert after is not None, "another change was first"
    return after


def enrolled(connection: Connection, public_id: str, family: str = "digits") -> int:
    """A device of a family, as a row alone; returns which."""
    row = {"public_id": public_id, "family": family, "token_sha256": public_id.encode(), "enrolled_at": NOW}
    return int(connection.execute(insert(devices).returning(devices.c.id), row).scalar_one())


def answered(
    connection: Connection,
    device: int,
    sequence: int,
    model: str,
    *,
    at: float,
    label: str = "one",
    kind: str | None = None,
    of: int | None = None,
) -> None:
    """A frame of a device that was answered by a bundle at a time; or a companion `of` one."""
    row = {"device_id": device, "sequence": sequence, "label": label, "confidence": 0.5, "model": model}
    row |= {"match": "exact", "tables": "v1", "received_at_ns": int(at) * 10**9, "kind": kind, "companion_of": of}
    connection.execute(insert(results), row)


def labelled(connection: Connection, device: int, sequence: int, label: str, *, is_correct: bool, at: float) -> None:
    """A label for a frame that was answered."""
    row = {"device_id": device, "sequence": sequence, "label": label, "source": "human", "authority": 1}
    row |= {"is_correct": is_correct, "is_foreign": False, "labelled_at": at, "labelled_by": "ada"}
    connection.execute(insert(labels), row)
