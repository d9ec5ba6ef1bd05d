"""The audit: who changed what, when, from where, and how it was before. A chain, so that no row changes unnoticed.

Each row holds the hash of the row before it, and its own (`chain`). Whoever remembers the hash of the last row can tell
whether anything up to it was changed, left out or cut off.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import structlog

from cloud_server.errors import BrokenAuditError
from cloud_server.metrics import Metrics
from cloud_server.operators.accounts import Caller
from cloud_server.operators.chain import BEGINNING, Entry, hash_of, require_whole, text_of
from cloud_server.operators.roles import Role
from cloud_server.storage.audit_row import AuditRow, Head
from cloud_server.storage.database import Database, Transaction
from cloud_server.storage.rows import audit as rows
from cloud_server.storage.rows.audit import AuditFilter
from cloud_server.storage.witness import Facts, Witness

CHECKED_AT_START = 1000
SERVER = "dctwire-server"
"""Who changes what no operator asked for at the time."""
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Call:
    """Who asks for a change, and in which request."""

    caller: Caller
    request_id: str


_OWN = Call(Caller(SERVER, Role.OPERATOR, "", "local"), "")


class Audit:
    """Keeps the record.

    Args:
        now: seconds since 1970.
        tell: who is told of a record that is not as it was written: its name, and what is wrong.

    Attributes:
        fault: what is not as it was written, as far as this process has looked; empty: nothing.
    """

    def __init__(
        self, database: Database, metrics: Metrics, now: Callable[[], float], tell: Callable[[str, Facts], None]
    ) -> None:
        self._database = database
        self._metrics = metrics
        self._now = now
        self._tell_others = tell
        self._head = BEGINNING
        self.fault = ""

    def witness(self, call: Call, action: str, subject: str) -> Witness:
        """Who takes note of a change that `call` makes to `subject`; what stays as it was is not noted."""
        return partial(note, call=call, action=action, subject=subject, at_ms=round(self._now() * 1000))

    def own(self, action: str, subject: str) -> Witness:
        """Who takes note of a change that the server makes to `subject` by itself."""
        return self.witness(_OWN, action, subject)

    async def page(self, wanted: AuditFilter, limit: int) -> tuple[Sequence[Entry], Head]:
        """Rows that fit, as `wanted` orders them, and the end of the whole chain.

        Raises:
            StorageError: the database does not answer.
        """
        found, head = await self._database.read(lambda transaction: _page(transaction, wanted, limit))
        return [Entry.of(row) for row in found], head

    async def check(self) -> None:
        """Check the newest rows, once, at start; what is wrong is logged and counted, and the server goes on.

        Raises:
            StorageError: the database does not answer.
        """
        newest = AuditFilter(before=None)
        found, self._head = await self._database.read(lambda transaction: _page(transaction, newest, CHECKED_AT_START))
        self._metrics.audit_rows.set(self._head.seq)
        try:
            require_whole(found[::-1], self._head)
        except BrokenAuditError as error:
            self._tell(error)

    async def refresh(self) -> None:
        """Look how far the chain has come: what was its end is still in it, with the same hash.

        Raises:
            StorageError: the database does not answer.
        """
        head, hash_now = await self._database.read(lambda transaction: _since(transaction, self._head))
        if head.seq < self._head.seq:
            self._tell(BrokenAuditError(head.seq + 1, "was there, and is not any more"))
        elif hash_now != self._head.hash:
            self._tell(BrokenAuditError(self._head.seq, "is another one than it was"))
        self._head = head
        self._metrics.audit_rows.set(head.seq)

    def _tell(self, error: BrokenAuditError) -> None:
        self._metrics.audit_is_broken.set(1)
        self.fault = str(error)
        _log.error("audit-broken", cause=str(error))
        self._tell_others("audit", {"cause": str(error)})


def note(
    transaction: Transaction,
    before: Facts | None,
    after: Facts | None,
    *,
    call: Call,
    action: str,
    subject: str,
    at_ms: int,
) -> None:
    """Add a row to the chain, as part of the transaction that makes the change; none where nothing changed."""
    if before == after:
        return
    head = rows.lock_head(transaction)
    row = AuditRow(
        seq=head.seq + 1,
        at_ms=at_ms,
        operator=call.caller.name,
        role=call.caller.role.value,
        address=call.caller.address,
        request_id=call.request_id,
        action=action,
        subject=subject,
        before=text_of(before),
        after=text_of(after),
        previous=head.hash,
        hash="",
    )
    rows.add(transaction, row._replace(hash=hash_of(row)))


def _page(transaction: Transaction, wanted: AuditFilter, limit: int) -> tuple[Sequence[AuditRow], Head]:
    head = rows.head(transaction)
    return rows.page(transaction, wanted, head, limit), head


def _since(transaction: Transaction, known: Head) -> tuple[Head, str | None]:
    """The end of the chain, and the hash that the row at a known end has now."""
    return rows.head(transaction), rows.hash_at(transaction, known.seq) if known.seq else known.hash
