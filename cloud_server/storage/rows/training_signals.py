"""What of the rows of labels and devices says whether a family should be trained anew."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, and_, func, or_, select

from cloud_server.storage.rows.set_aside import is_set_aside
from cloud_server.storage.schema import devices, labels, samples


class Labelled(NamedTuple):
    """How many kept frames have a label, and how many of them are new since a time."""

    total: int
    since: int


_is_labelled = and_(labels.c.device_id == samples.c.device_id, labels.c.sequence == samples.c.sequence)


def labelled(connection: Connection, family: str, since: float | None, authority: int) -> Labelled:
    """How many frames of a family there are to learn from: kept, with a label of the family's own.

    Frames of devices that are forgotten, in quarantine or revoked are left out. A frame is new when it was kept since,
    or when somebody who reviews has labelled it since. A device's word alone makes no frame new that was there already:
    it could label its own frames anew for ever.

    Args:
        since: seconds since 1970; None: all count.
        authority: whatever label somebody who reviews gave has at least this one.
    """
    total = _count(connection, _to_learn_from(family))
    if since is None:
        return Labelled(total, total)
    is_reviewed = and_(labels.c.labelled_at > since, labels.c.authority >= authority)
    is_new = or_(samples.c.stored_at > since, is_reviewed)
    return Labelled(total, _count(connection, _to_learn_from(family).where(is_new)))


def devices_out(connection: Connection, family: str, limit: int) -> Sequence[str]:
    """The public names of at most `limit` devices of a family of which nothing is learned, the newest first."""
    query = select(devices.c.public_id).where(devices.c.family == family, is_set_aside)
    return connection.execute(query.order_by(devices.c.id.desc()).limit(limit)).scalars().all()


def _to_learn_from(family: str) -> Select[Any]:
    query = select(func.count()).select_from(samples).join(labels, _is_labelled)
    return query.join(devices, devices.c.id == samples.c.device_id).where(
        samples.c.family == family,
        ~labels.c.is_foreign,
        ~is_set_aside,
    )


def _count(connection: Connection, query: Select[Any]) -> int:
    return int(connection.execute(query).scalar_one())
