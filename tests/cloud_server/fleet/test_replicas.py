"""Processes on one database: who waits for whom, and whose turn it is."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import monotonic

import pytest
from sqlalchemy import Connection, insert

from cloud_server.errors import ConflictError, QuotaError
from cloud_server.fleet.assignments import Assignments
from cloud_server.fleet.quota import Quota, Rate
from cloud_server.fleet.replicas import Lease, Replicas
from cloud_server.fleet.spending import Spending
from cloud_server.open_storage import engine_of
from cloud_server.storage.database import Database
from cloud_server.storage.migrating import migrate
from cloud_server.storage.schema import devices
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


def test_two_processes_that_assign_at_once_count_on(run: Run) -> None:
    async def scenario(pair: Pair) -> None:
        one, other = (Assignments(database, lambda: 0.0) for database in pair)
        for counter in range(1, 40, 2):
            await asyncio.gather(one.assign_family("digits", counter), other.assign_family("digits", counter + 1))
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
