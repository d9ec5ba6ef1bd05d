"""What tells the endpoints: one process at a time, whoever holds the lease, each endpoint in order, at least once.

How far an endpoint was told stands in the database and is written after it has answered. So whoever is killed between
the two, or loses the lease there, has the same message told again, under the same id.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import structlog

from cloud_server.errors import ConflictError, NotFoundError
from cloud_server.event_metrics import EventMetrics
from cloud_server.events.backoff import delay_seconds
from cloud_server.events.endpoints import Endpoint
from cloud_server.events.kinds import EventKind
from cloud_server.events.messages import Message, in_order
from cloud_server.events.posting import Outcome, Poster
from cloud_server.events.signing import signed_headers
from cloud_server.storage.database import Database, Transaction
from cloud_server.storage.repeating import logged
from cloud_server.storage.rows import events as rows
from cloud_server.storage.rows import known_time
from cloud_server.storage.rows.events import Backlog, EventRow, NewEvent
from cloud_server.storage.witness import Witness
from shared.bundle import canonical_json
from shared.errors import DctwireError

LOOK_SECONDS = 1.0
WATCH_SECONDS = 5.0
MESSAGES_AT_ONCE = 100
WAITING_DAYS = 7.0
"""What could not be told for so long is given up,"""
WAITING_ROWS_MAX = 10_000
"""and so is what has more than so many changes, or events, behind it that the endpoint wants."""
KEPT_DAYS = 90.0
"""How long events are kept for `dctwire events list`,"""
KEPT_ROWS_MAX = 100_000
"""and how many."""
_DAY_MS = 86_400_000
_log = structlog.get_logger()


class Webhooks:
    """Tells endpoints of what the audit and the events say.

    Args:
        may_lead: whether this process is to tell them, of several that share a database; asking keeps the lease.
        now: seconds since 1970.
        random: uniform in [0, 1).
    """

    def __init__(
        self,
        *,
        endpoints: Sequence[Endpoint],
        database: Database,
        poster: Poster,
        may_lead: Callable[[], Awaitable[bool]],
        metrics: EventMetrics,
        now: Callable[[], float],
        random: Callable[[], float],
    ) -> None:
        self.endpoints = tuple(endpoints)
        self._names = tuple(endpoint.name for endpoint in endpoints)
        self._database = database
        self._poster = poster
        self._may_lead = may_lead
        self._metrics = metrics
        self._now = now
        self._random = random
        metrics.set_endpoints(self._names)

    async def run(self) -> None:
        """Tell the endpoints, each at its own pace, until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._watch())
                for endpoint in self.endpoints:
                    tasks.create_task(self._follow(endpoint))
        finally:
            await self._poster.close()

    async def standings(self) -> Sequence[rows.Standing]:
        """How the endpoints do.

        Raises:
            StorageError: the database does not answer.
        """
        return await self._database.read(partial(rows.standings, endpoints=self._names))

    async def test(self, endpoint: str, witness: Witness) -> EventRow:
        """Have an endpoint told of a test, and nobody else; returns the event.

        Args:
            witness: takes note that it was asked for.

        Raises:
            NotFoundError: there is no such endpoint.
            StorageError: the database does not answer.
        """
        if endpoint not in self._names:
            raise NotFoundError(f"no endpoint of webhooks is named {endpoint}")
        asked = partial(_ask_for_test, endpoint=endpoint, now_ms=round(self._now() * 1000), witness=witness)
        return await self._database.write(asked)

    async def skip(self, endpoint: str, witness: Witness) -> Message:
        """Pass an endpoint over the message that it refused the last time; returns that message.

        Args:
            witness: takes note of it.

        Raises:
            NotFoundError: there is no such endpoint.
            ConflictError: it refused nothing that still waits.
            StorageError: the database does not answer.
        """
        named = next((one for one in self.endpoints if one.name == endpoint), None)
        if named is None:
            raise NotFoundError(f"no endpoint of webhooks is named {endpoint}")
        return await self._database.write(partial(_skip, endpoint=named, witness=witness))

    async def _follow(self, endpoint: Endpoint) -> None:
        """Tell one endpoint, again and again."""
        wait = LOOK_SECONDS
        while True:
            await asyncio.sleep(wait)
            wait = LOOK_SECONDS
            with logged("webhooks-failed", endpoint=endpoint.name):
                wait = await self._tell(endpoint)

    async def _tell(self, endpoint: Endpoint) -> float:
        """Tell an endpoint what waits for it; returns after how many seconds to look again."""
        name = endpoint.name
        found = await self._database.read(partial(rows.backlog, endpoint=name, limit=MESSAGES_AT_ONCE))
        if found is None:
            await self._database.write(partial(rows.begin, endpoints=self._names))
            return LOOK_SECONDS
        told = passed = found.cursor
        for message in in_order(found):
            if not message.is_for(endpoint):
                passed = message.cursor
                continue
            if not await self._may_lead():
                return LOOK_SECONDS
            outcome = await self._post(endpoint, message)
            if outcome.fault is not None:
                return await self._put_off(endpoint, found, message, outcome)
            advance = partial(rows.advance, endpoint=name, before=told, after=message.cursor, delivered_at=self._now())
            if not await self._database.write(advance):
                return LOOK_SECONDS  # somebody else has told it meanwhile
            found = found._replace(failures=0)
            told = passed = message.cursor
            self._metrics.count_delivery(name, is_delivered=True)
        if passed != told:
            await self._database.write(partial(rows.advance, endpoint=name, before=told, after=passed))
        is_more = MESSAGES_AT_ONCE in (len(found.changes), len(found.events))
        return 0.0 if is_more else LOOK_SECONDS

    async def _post(self, endpoint: Endpoint, message: Message) -> Outcome:
        try:
            secrets = await asyncio.to_thread(endpoint.secrets)
        except (OSError, DctwireError) as error:
            return Outcome(f"its secret_file cannot be used: {error}")
        headers = signed_headers(message.id, int(self._now()), message.body, secrets)
        return await self._poster.post(endpoint, headers, message.body)

    async def _put_off(self, endpoint: Endpoint, found: Backlog, message: Message, outcome: Outcome) -> float:
        """Note that an endpoint could not be told; returns how long to leave it alone."""
        fault = str(outcome.fault)
        self._metrics.count_delivery(endpoint.name, is_delivered=False)
        await self._database.write(partial(rows.note_fault, endpoint=endpoint.name, fault=fault))
        failures = found.failures + 1
        seconds = delay_seconds(failures, outcome.retry_after_seconds, self._random)
        _log.warning(
            "webhook-failed",
            endpoint=endpoint.name,
            host=endpoint.host,
            message=message.id,
            kind=message.kind,
            fault=fault,
            failures=failures,
            again_seconds=round(seconds, 1),
        )
        return seconds

    async def _watch(self) -> None:
        """Say how the endpoints do, give up what waited for too long, and delete old events."""
        while True:
            with logged("webhooks-failed"):
                await self.look()
            await asyncio.sleep(WATCH_SECONDS)

    async def look(self) -> None:
        """Do that once.

        Raises:
            StorageError: the database does not answer.
        """
        if await self._may_lead():
            now_ms = round(self._now() * 1000)
            for endpoint in self.endpoints:
                dropped = await self._database.write(partial(_give_up, endpoint=endpoint, now_ms=now_ms))
                if dropped:
                    self._metrics.count_dropped(endpoint.name, dropped)
                    _log.error("webhooks-dropped", endpoint=endpoint.name, messages=dropped)
            await self._database.write(partial(_forget, now_ms=now_ms))
        self._metrics.set_waiting([(row.endpoint, row.pending, row.oldest_ms) for row in await self.standings()])


def _ask_for_test(transaction: Transaction, endpoint: str, now_ms: int, witness: Witness) -> EventRow:
    rows.begin(transaction, [endpoint])  # whoever is told from now on is told of this, too
    rows.add(transaction, NewEvent(now_ms, EventKind.WEBHOOK_TEST.value, endpoint, "{}"))
    [event] = rows.page(transaction, None, 1)
    witness(transaction, None, {"event": event.seq})
    return event


def _skip(transaction: Transaction, endpoint: Endpoint, witness: Witness) -> Message:
    found = rows.backlog(transaction, endpoint.name, MESSAGES_AT_ONCE)
    waiting = () if found is None or not found.failures else in_order(found)
    refused = next((message for message in waiting if message.is_for(endpoint)), None)
    if found is None or refused is None or not rows.skip(transaction, endpoint.name, found.cursor, refused.cursor):
        raise ConflictError(f"{endpoint.name} refused nothing that still waits for it")
    witness(transaction, None, {"message": refused.id, "kind": refused.kind, "of": refused.subject})
    return refused


def _give_up(transaction: Transaction, endpoint: Endpoint, now_ms: int) -> int:
    """Pass an endpoint over what waits for too long, and have that told to all of them; returns how many messages."""
    before_ms = _before_ms(transaction, now_ms, WAITING_DAYS)
    dropped = rows.give_up(transaction, endpoint.name, endpoint.kinds, before_ms, WAITING_ROWS_MAX)
    if dropped:
        facts = canonical_json({"dropped": dropped}).decode()
        rows.add(transaction, NewEvent(now_ms, EventKind.WEBHOOK_DROPPED.value, endpoint.name, facts))
    return dropped


def _forget(transaction: Transaction, now_ms: int) -> int:
    return rows.remove_before(transaction, _before_ms(transaction, now_ms, KEPT_DAYS), KEPT_ROWS_MAX)


def _before_ms(transaction: Transaction, now_ms: int, days: float) -> int | None:
    """What is older than so many days; None while the clock is not believed (`feedback.clock`)."""
    known = known_time.read(transaction)
    is_believed = known is not None and known.doubted is None
    return now_ms - round(days * _DAY_MS) if is_believed else None
