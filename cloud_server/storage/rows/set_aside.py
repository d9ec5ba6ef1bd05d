"""Devices whose frames nobody shall learn from: those that were forgotten, are in quarantine, or are revoked."""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import Connection, case, exists, or_, select

from cloud_server.storage.rows.assignments import HoldKind
from cloud_server.storage.schema import assignments, devices


class WhySetAside(StrEnum):
    """Why nobody shall learn from a device's frames: the first of these that holds."""

    FORGOTTEN = "forgotten"
    QUARANTINED = "quarantined"
    REVOKED = "revoked"


class SetAsideRow(NamedTuple):
    """One such device."""

    id: int
    public_id: str
    why: WhySetAside


_is_forgotten = devices.c.forgotten_at.is_not(None)
_is_quarantined = exists().where(
    assignments.c.device_id == devices.c.id,
    assignments.c.kind == HoldKind.QUARANTINE.value,
    assignments.c.ended_at.is_(None),
)
_is_revoked = devices.c.revoked_at.is_not(None)
is_set_aside = or_(_is_forgotten, _is_revoked, _is_quarantined)
"""Whether a row of devices is one of these."""
_why = case(
    (_is_forgotten, WhySetAside.FORGOTTEN.value),
    (_is_quarantined, WhySetAside.QUARANTINED.value),
    else_=WhySetAside.REVOKED.value,
)


def page(connection: Connection, family: str, after: int | None, limit: int) -> Sequence[SetAsideRow]:
    """At most `limit` of a family's, oldest first; a device that was forgotten stays among them for ever."""
    ours = (devices.c.family == family) & is_set_aside
    following = ours if after is None else ours & (devices.c.id > after)
    query = select(devices.c.id, devices.c.public_id, _why).where(following).order_by(devices.c.id).limit(limit)
    return [SetAsideRow(row[0], row[1], WhySetAside(row[2])) for row in connection.execute(query)]
