"""Diagnostics: an operator asks a device for an archive, the device sends it once, and it is kept for a week."""

from collections.abc import Callable, Mapping
from functools import partial

from cloud_server.errors import NotFoundError
from cloud_server.fleet.devices import Device
from cloud_server.fleet.secrets import new_request
from cloud_server.storage.database import Database, Transaction
from cloud_server.storage.rows import devices as device_rows
from cloud_server.storage.rows import diagnostics as rows
from cloud_server.storage.rows.diagnostics import DiagnosticsRow
from cloud_server.storage.witness import Witness

KEPT_SECONDS = 7 * 86_400.0
"""So long a request stays open, and an archive is kept, both from when it was asked for."""
KEPT_MAX = 200
"""So many requests with their archives are kept, the newest: 50 MiB at most."""


class Diagnostics:
    """The open requests, in memory, and what was sent, in the database.

    Args:
        now: seconds since 1970.
    """

    def __init__(self, database: Database, now: Callable[[], float]) -> None:
        self._database = database
        self._now = now
        self._asked: Mapping[str, str] = {}

    async def load(self) -> None:
        """Read what is open, and delete what is too old or too much: at start, and often.

        Raises:
            StorageError: the database does not answer.
        """
        before = self._now() - KEPT_SECONDS
        every, old = await self._database.read(partial(rows.count, before=before))
        if old or every > KEPT_MAX:
            await self._database.write(partial(rows.expire, before=before, kept=KEPT_MAX))
        self._asked = await self._database.read(partial(rows.asked, since=before)) if every else {}

    def asked(self, device: Device) -> str | None:
        """The request that a device shall answer; None: none."""
        return self._asked.get(device.public_id)

    async def ask(self, public_id: str, witness: Witness) -> DiagnosticsRow:
        """Ask a device; one that is asked already stays so.

        Raises:
            NotFoundError: no such device is enrolled.
            StorageError: the database does not answer.
        """
        request, now = new_request(), self._now()

        def job(transaction: Transaction) -> DiagnosticsRow:
            row = rows.ask(transaction, _row_id(transaction, public_id), request, now - KEPT_SECONDS, now)
            witness(transaction, None, {"request": row.request} if row.request == request else None)
            return row

        made = await self._database.write(job)
        await self.load()
        return made

    async def answer(self, device: Device, request: str, archive: bytes) -> None:
        """Keep what a device sent; the same again changes nothing.

        Raises:
            NotFoundError: it was not asked for this.
            StorageError: the database does not answer.
        """
        keep = partial(rows.answer, device_id=device.row_id, request=request, archive=archive, now=self._now())
        if not await self._database.write(keep):
            raise NotFoundError(f"this device was not asked for diagnostics {request}")
        await self.load()

    async def newest(self, public_id: str) -> DiagnosticsRow:
        """The last request to a device, and what it sent.

        Raises:
            NotFoundError: no such device is enrolled, or it was not asked within a week.
            StorageError: the database does not answer.
        """
        found = await self._database.read(lambda at: rows.newest(at, _row_id(at, public_id)))
        if found is None:
            raise NotFoundError(
                f"device {public_id} was asked for no diagnostics within a week: dctwire devices diagnose {public_id}"
            )
        return found


def _row_id(transaction: Transaction, public_id: str) -> int:
    row = device_rows.by_public_id(transaction, public_id)
    if row is None:
        raise NotFoundError(f"no device {public_id} is enrolled")
    return row.id
