"""Rows of diagnostics that devices were asked for, and of what they sent."""

from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import Connection, delete, func, insert, select, update

from cloud_server.storage.schema import devices, diagnostics


class DiagnosticsRow(NamedTuple):
    """A request, when it was made and answered (seconds since 1970), and the archive; None before it came."""

    request: str
    asked_at: float
    answered_at: float | None
    archive: bytes | None


_columns = diagnostics.c


def ask(connection: Connection, device_id: int, request: str, since: float, now: float) -> DiagnosticsRow:
    """Ask a device; where it is asked already, since `since`, that stands."""
    found = newest(connection, device_id)
    if found is not None and found.answered_at is None and found.asked_at >= since:
        return found
    connection.execute(insert(diagnostics), {"device_id": device_id, "request": request, "asked_at": now})
    return DiagnosticsRow(request, now, None, None)


def asked(connection: Connection, since: float) -> Mapping[str, str]:
    """The open requests made since then, by the public names of devices that are let in."""
    both = select(devices.c.public_id, _columns.request).join(devices, devices.c.id == _columns.device_id)
    is_open = _columns.answered_at.is_(None) & (_columns.asked_at >= since) & devices.c.revoked_at.is_(None)
    return {row.public_id: row.request for row in connection.execute(both.where(is_open))}


def answer(connection: Connection, device_id: int, request: str, archive: bytes, now: float) -> bool:
    """Keep what a device sent, the first time; False where it was not asked for this."""
    this = (_columns.device_id == device_id) & (_columns.request == request)
    found = connection.execute(select(_columns.answered_at).where(this)).one_or_none()
    if found is not None and found.answered_at is None:
        connection.execute(update(diagnostics).where(this).values(answered_at=now, archive=archive))
    return found is not None


def newest(connection: Connection, device_id: int) -> DiagnosticsRow | None:
    """The last request to a device; None where there was none, or it was deleted for its age."""
    query = select(*(_columns[name] for name in DiagnosticsRow._fields)).where(_columns.device_id == device_id)
    row = connection.execute(query.order_by(_columns.asked_at.desc(), _columns.request).limit(1)).one_or_none()
    return None if row is None else DiagnosticsRow(*row)


def count(connection: Connection, before: float) -> tuple[int, int]:
    """How many there are, and how many of them were asked for before then."""
    old = select(func.count()).select_from(diagnostics).where(_columns.asked_at < before)
    every = select(func.count()).select_from(diagnostics)
    return connection.execute(every).scalar_one(), connection.execute(old).scalar_one()


def expire(connection: Connection, before: float, kept: int) -> None:
    """Delete those asked for before then, and all but the newest `kept`."""
    connection.execute(delete(diagnostics).where(_columns.asked_at < before))
    first_kept = select(_columns.asked_at).order_by(_columns.asked_at.desc()).offset(kept - 1).limit(1)
    oldest = connection.execute(first_kept).scalar_one_or_none()
    if oldest is not None:
        connection.execute(delete(diagnostics).where(_columns.asked_at < oldest))
