"""Processes on one database: who waits for whom, and whose turn it is."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from sqlalchemy import Connection, delete, insert, update

from cloud_server.errors import ConflictError, DatabaseReplacedError, QuotaError
from cloud_server.fleet.assignments import Assignments
from cloud_server.fleet.quota import Quota, Rate
from cloud_server.fleet.replicas import FORGET_SECONDS, Lease, Replicas
from cloud_server.fleet.spending import Spending
from cloud_server.open_storage import engine_of
from cloud_server.storage.database import Database
from cloud_server.storage.migrating import migrate
from cloud_server.storage.rows import replicas as rows
from cloud_server.storage.schema import devices, leases, replicas
from cloud_server.storage.witness import unwitnessed
from tests.cloud_server.harness.engines import Engine
from tests.cloud_server.harness.server import settings

Pair = tuple[Database, Database]
Run = Callable[[Callable[[Pair], Awaitable[None]]], None]


@pytest.fixture
def run(engine: Engine, tmp_path: Path) -> Run:
    """Runs a scenario on two doors to one database, as two processes have them."""

    def run(scenario: Callable[[Pair], Awaitable[None]]) -> None:
        async def all_of_it() -> None:
            connectors = [engine_of(settings(tmp_path, **engine.settings(tmp_path))) for _ in range(2)]
            migrate(connectors[0])
            one, other = (Database(connector, asyncio.get_running_loop(), 10) for connector in connectors)
            try:
                await scenario((one, other))
            finally:
                for database in (one, other):
                    await asyncio.to_thread(database.close)

        asyncio.run(all_of_it())

    return run


def test_what_every_live_process_serves_may_be_assigned(run: Run) -> None:
    async def scenario(pair: Pair) -> None:
        one, other = (Replicas(database, monotonic) for database in pair)
        await one.note(["digits/1", "digits/2"])
        await other.note(["digits/1"])
        await one.require_served("digits/1", 0)
        with pytest.raises(ConflictError, match="does not serve digits/2"):
            await one.require_served("digits/2", 0.3)
        waiting = asyncio.ensure_future(one.require_served("digits/2", 30))
        await other.note(["digits/1", "digits/2"])
        await waiting

    run(scenario)


def test_who_has_left_holds_nobody_up(run: Run) -> None:
    async def scenario(pair: Pair) -> None:
        one, other = (Replicas(database, monotonic) for database in pair)
        await one.note(["digits/1"])
        await other.note([])
        await other.leave()
        await one.require_served("digits/1", 0)

    run(scenario)


def test_after_the_database_was_gone_others_are_waited_for_though_they_have_said_nothing_yet(run: Run) -> None:
    """Who could not be heard for a minute may serve, and be behind, all the same."""

    async def scenario(pair: Pair) -> None:
        time = [0.0]
        one, other = (Replicas(database, lambda: time[0]) for database in pair)
        await one.note(["digits/1"])
        await other.note([])
        a_minute_ago = update(replicas).where(replicas.c.serves == "[]").values(seen_at=replicas.c.seen_at - 60)
        await pair[0].write(lambda transaction: transaction.execute(a_minute_ago).rowcount)
        time[0] += 60
        assert len(await one.live()) == 2, "the database is there again"
        await one.note(["digits/1"])
        with pytest.raises(ConflictError, match="does not serve digits/1"):
            await one.require_served("digits/1", -1)
        time[0] += 9
        assert len(await one.live()) == 2
        await one.note(["digits/1"])
        time[0] += 2
        assert [one.is_own(row.id) for row in await one.live()] == [True], "the other has ended"
        await one.require_served("digits/1", 0)

    run(scenario)


def test_a_lease_that_was_given_before_the_clock_was_set_back_holds_nobody_up(run: Run) -> None:
    async def scenario(pair: Pair) -> None:
        one, other = (Replicas(database, monotonic) for database in pair)
        assert await one.may_lead(Lease.ROLLOUTS)
        assert not await other.may_lead(Lease.ROLLOUTS)
        a_day_later = update(leases).values(until=leases.c.until + 86_400)
        await pair[0].write(lambda transaction: transaction.execute(a_day_later).rowcount)
        assert await other.may_lead(Lease.ROLLOUTS)
        assert not await one.may_lead(Lease.ROLLOUTS)

    run(scenario)


def test_one_process_at_a_time_leads_until_it_leaves(run: Run) -> None:
    async def scenario(pair: Pair) -> None:
        one, other = (Replicas(database, monotonic) for database in pair)
        turns = await asyncio.gather(one.may_lead(Lease.SIGNING), other.may_lead(Lease.SIGNING))
        assert sorted(turns) == [False, True]
        leader, follower = (one, other) if turns[0] else (other, one)
        assert await leader.may_lead(Lease.SIGNING)
        assert not await follower.may_lead(Lease.SIGNING)
        await leader.leave()
        assert await follower.may_lead(Lease.SIGNING)

    run(scenario)


def test_each_lease_has_a_holder_of_its_own(run: Run) -> None:
    async def scenario(pair: Pair) -> None:
        one, other = (Replicas(database, monotonic) for database in pair)
        assert await one.may_lead(Lease.SIGNING)
        assert await other.may_lead(Lease.RETENTION)
        assert not await one.may_lead(Lease.RETENTION)
        assert not await other.may_lead(Lease.SIGNING)

    run(scenario)


def test_whoever_gives_a_lease_up_lets_another_have_it_at_once_and_nobody_gives_up_anothers(run: Run) -> None:
    async def scenario(pair: Pair) -> None:
        one, other = (Replicas(database, monotonic) for database in pair)
        assert await one.may_lead(Lease.SIGNING)
        await other.give_up(Lease.SIGNING)
        assert not await other.may_lead(Lease.SIGNING)
        await one.give_up(Lease.SIGNING)
        assert await other.may_lead(Lease.SIGNING)

    run(scenario)


def test_each_process_tells_the_others_which_keys_it_lacks_and_when_it_has_them(run: Run) -> None:
    async def scenario(pair: Pair) -> None:
        one, other = (Replicas(database, monotonic) for database in pair)
        await one.note([])
        await other.note([], ("timestamp-3fa1b2c4",))
        assert {row.missing_keys: one.is_own(row.id) for row in await one.live()} == {
            (): True,
            ("timestamp-3fa1b2c4",): False,
        }
        await other.note([])
        assert [row.missing_keys for row in await one.live()] == [(), ()]

    run(scenario)


@pytest.mark.parametrize("fate", ["older", "gone"])
def test_a_process_whose_database_was_restored_is_told_so_and_writes_nothing(run: Run, fate: str) -> None:
    async def scenario(pair: Pair) -> None:
        one, other = (Replicas(database, monotonic) for database in pair)
        await one.note([])
        await other.note([])
        restored = update(replicas).values(seen_at=1.0) if fate == "older" else delete(replicas)
        await pair[0].write(lambda transaction: transaction.execute(restored).rowcount)
        with pytest.raises(DatabaseReplacedError, match="Start it again"):
            await one.note(["digits/1"])
        assert one.database_replaced.is_set() and not other.database_replaced.is_set()
        assert not await other.live()

    run(scenario)


def test_a_process_that_was_silent_for_hours_is_still_known_and_one_that_was_for_more_than_a_day_is_not(
    run: Run,
) -> None:
    hours = 3600.0
    silent = {name: rows.ReplicaRow(name, frozenset(), ()) for name in ("for-hours", "for-days")}

    def fall_silent(transaction: Connection) -> float:
        now = rows.database_time(transaction)
        for name, seconds in (("for-hours", 23 * hours), ("for-days", 25 * hours)):
            values = {"id": name, "seen_at": now - seconds, "serves": "[]", "missing_keys": "[]"}
            transaction.execute(insert(replicas), values)
        return now

    async def scenario(pair: Pair) -> None:
        now = await pair[0].write(fall_silent)
        await Replicas(pair[0], monotonic).note([])
        for name, was_forgotten in (("for-hours", False), ("for-days", True)):
            back = partial(rows.note, row=silent[name], before=now - 25 * hours, forget_seconds=FORGET_SECONDS)
            with pytest.raises(DatabaseReplacedError) if was_forgotten else nullcontext():
                await pair[0].write(back)

    run(scenario)


def test_a_process_says_once_which_keys_it_lacks_and_once_that_it_has_them(
    run: Run, lines: list[MutableMapping[str, Any]]
) -> None:
    async def scenario(pair: Pair) -> None:
        one = Replicas(pair[0], monotonic)
        for missing in ((), ("timestamp-1",), ("timestamp-1",), ("timestamp-1", "snapshot-2"), (), ()):
            await one.note([], missing)

    run(scenario)
    told = [(line["event"], line.get("keys")) for line in lines if line["event"].startswith("online-keys-")]
    assert told == [
        ("online-keys-missing", ("timestamp-1",)),
        ("online-keys-missing", ("timestamp-1", "snapshot-2")),
        ("online-keys-found", None),
    ]


def test_two_processes_that_assign_at_once_count_on(run: Run) -> None:
    async def scenario(pair: Pair) -> None:
        one, other = (Assignments(database, lambda: 0.0) for database in pair)
        for counter in range(1, 40, 2):
            await asyncio.gather(
                one.assign_family("digits", counter, unwitnessed, require=lambda _: None),
                other.assign_family("digits", counter + 1, unwitnessed, require=lambda _: None),
            )
        for assignments in (one, other):
            await assignments.load()
            assert {family: newest.seq for family, newest in assignments.by_family().items()} == {"digits": 40}

    run(scenario)


def test_what_a_device_takes_at_one_process_is_missing_at_the_other(run: Run) -> None:
    async def scenario(pair: Pair) -> None:
        device = await pair[0].write(_device)
        replicas = [Replicas(database, monotonic) for database in pair]
        quotas: list[Quota[int]] = [Quota(Rate(frames_per_second=1, burst_frames=100)) for _ in pair]
        shares = [Spending(*args, monotonic=lambda: 0) for args in zip(pair, quotas, replicas, strict=True)]
        for replica in replicas:
            await replica.note([])
        for frames in (1, 30, 10):
            for quota, share in zip(quotas, shares, strict=True):
                quota.take(device, frames, 0)
                await share.share()
        left = 100 - (1 + 30 + 10) - (30 + 10)  # the other's first frame was taken before both were there
        quotas[1].check(device, left, 0)
        with pytest.raises(QuotaError):
            quotas[1].check(device, left + 1, 0)

    run(scenario)


def test_a_deleted_devices_quota_keeps_no_others_from_being_shared(run: Run) -> None:
    async def scenario(pair: Pair) -> None:
        there = await pair[0].write(_device)
        replicas = [Replicas(database, monotonic) for database in pair]
        quotas: list[Quota[int]] = [Quota(Rate(frames_per_second=1, burst_frames=100)) for _ in pair]
        shares = [Spending(*args, monotonic=lambda: 0) for args in zip(pair, quotas, replicas, strict=True)]
        for replica in replicas:
            await replica.note([])
        for _ in range(2):
            for quota, share in zip(quotas, shares, strict=True):
                quota.take(there, 10, 0)
                quota.take(there + 1, 10, 0)
                await share.share()
        with pytest.raises(QuotaError):
            quotas[1].check(there, 100 - 10 - 10 - 10 + 1, 0)

    run(scenario)


def _device(connection: Connection) -> int:
    row = {"public_id": "abc", "family": "digits", "token_sha256": b"x", "enrolled_at": 0.0}
    return int(connection.execute(insert(devices).returning(devices.c.id), row).scalar_one())
