"""Where what happens is told: in the transaction that makes a change, or soon after what has none."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

import structlog

from cloud_server.events.kinds import EventKind
from cloud_server.storage.database import Database, Transaction
from cloud_server.storage.repeating import logged
from cloud_server.storage.rows import events as rows
from cloud_server.storage.rows.events import EventRow, NewEvent
from cloud_server.storage.witness import Facts, Witness
from shared.bundle import canonical_json

WAITING_MAX = 1000
SUBJECT_CHARACTERS = 256
_WRITE_SECONDS = 0.5
_log = structlog.get_logger()


class Events:
    """Takes events down. Lives on the event loop.

    Args:
        now: seconds since 1970.
    """

    def __init__(self, database: Database, now: Callable[[], float]) -> None:
        self._database = database
        self._now = now
        self._waiting: deque[NewEvent] = deque()
        self._is_told = asyncio.Event()

    def tell(self, kind: EventKind, subject: str, facts: Facts, *, once: str | None = None) -> None:
        """Have an event written soon; it is lost where the process is killed before.

        Args:
            once: names what happened, within its kind: of events with the same name the first one is kept, whichever
                process told it. Whoever tells of what comes back gives a name that changes, such as one with the hour.
        """
        if len(self._waiting) >= WAITING_MAX:
            _log.error("event-lost", kind=kind.value, subject=subject, cause=f"{WAITING_MAX} wait already")
            return
        self._waiting.append(self._event(kind, subject, facts, once))
        self._is_told.set()

    def witness(self, kind: EventKind, subject: str) -> Witness:
        """Who takes note of a change to `subject`, in its transaction; the facts are those after it."""
        return partial(self._note, kind, subject)

    async def page(self, before: int | None, limit: int) -> Sequence[EventRow]:
        """At most `limit` events, the newest first, all with lower numbers than `before`.

        Raises:
            StorageError: the database does not answer.
        """
        return await self._database.read(partial(rows.page, before=before, limit=limit))

    async def run(self) -> None:
        """Write what is told, until cancelled; while the database does not answer it waits."""
        while True:
            await self._is_told.wait()
            await asyncio.sleep(_WRITE_SECONDS)
            with logged("events-failed"):
                await self.save()

    async def save(self) -> None:
        """Write what was told so far.

        Raises:
            StorageError: the database does not answer; it waits on.
        """
        while self._waiting:
            await self._database.write(partial(rows.add, new=self._waiting[0]))
            self._waiting.popleft()
        self._is_told.clear()

    def _note(
        self, kind: EventKind, subject: str, transaction: Transaction, before: Facts | None, after: Facts | None
    ) -> None:
        if before != after:
            rows.add(transaction, self._event(kind, subject, after or {}, None))

    def _event(self, kind: EventKind, subject: str, facts: Facts, once: str | None) -> NewEvent:
        text = canonical_json(dict(facts)).decode()
        at_ms = round(self._now() * 1000)
        return NewEvent(at_ms, kind.value, subject[:SUBJECT_CHARACTERS], text, once and f"{kind.value} {once}"[:200])
