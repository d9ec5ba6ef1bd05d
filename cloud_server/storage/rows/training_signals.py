"""What of the rows of labels and devices says whether a family should be trained anew."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, and_, func, or_, select

from cloud_server.storage.rows.assignments import HoldKind
from cloud_server.storage.schema import assignments, devices, labels, samples


class Labelled(NamedTuple):
    """How many kept frames have a label, and how many have got it since a time."""

    total: int
    since: int


_is_labelled = and_(labels.c.device_id == samples.c.device_id, labels.c.sequence == samples.c.sequence)
_quarantined = select(assignments.c.device_id).where(
    assignments.c.kind == HoldKind.QUARANTINE.value,
    assignments.c.ended_at.is_(None),
    assignments.c.device_id.is_not(None),
)


def labelled(connection: Connection, family: str, since: float | None) -> Labelled:
    """How many frames of a family there are to learn from: kept, with a label of the family's own.

    Frames of devices that are forgotten or in quarantine are left out.

    Args:
        since: seconds since 1970; None: all count.
    """
    total = _count(connection, _to_learn_from(family))
    if since is None:
        return Labelled(total, total)
    return Labelled(total, _count(connection, _to_learn_from(family).where(labels.c.labelled_at > since)))


def devices_out(connection: Connection, family: str, limit: int) -> Sequence[str]:
    """The public names of at most `limit` devices of a family of which nothing is learned, the newest first."""
    is_out = or_(devices.c.forgotten_at.is_not(None), devices.c.id.in_(_quarantined))
    query = select(devices.c.public_id).where(devices.c.family == family, is_out)
    return connection.execute(query.order_by(devices.c.id.desc()).limit(limit)).scalars().all()


def _to_learn_from(family: str) -> Select[Any]:
    query = select(func.count()).select_from(samples).join(labels, _is_labelled)
    return query.join(devices, devices.c.id == samples.c.device_id).where(
        samples.c.family == family,
        ~labels.c.is_foreign,
        devices.c.forgotten_at.is_(None),
        devices.c.id.not_in(_quarantined),
    )


def _count(connection: Connection, query: Select[Any]) -> int:
    return int(connection.execute(query).scalar_one())
