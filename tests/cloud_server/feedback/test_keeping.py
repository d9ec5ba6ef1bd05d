"""Storing and deleting kept frames, killed between any two steps: no sample without its file, no file left behind."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import func, insert, select

from cloud_server.feedback.frame_id import FrameId
from cloud_server.feedback.reasons import Dropped, Reason, SampleCaps
from cloud_server.feedback.recent_frames import RecentFrame
from cloud_server.feedback.retention import Lifetimes, Retention
from cloud_server.feedback.sample_store import Kept, NotKept, SampleStore
from cloud_server.feedback.samples import SampleFilter, Samples
from cloud_server.open_storage import engine_of, open_blobs
from cloud_server.storage.blobs import Blobs
from cloud_server.storage.database import Database
from cloud_server.storage.migrating import migrate
from cloud_server.storage.rows import baseline_sums, sums
from cloud_server.storage.rows import device_days as day_rows
from cloud_server.storage.rows import results as results_store
from cloud_server.storage.rows.results import StoredResult
from cloud_server.storage.rows.sample_files import SWEEP_AFTER_SECONDS
from cloud_server.storage.schema import (
    device_days,
    devices,
    labels,
    results,
    sample_files,
)
from cloud_server.storage.sum_tables import hourly_answers, hourly_baselines, hourly_bytes
from shared.jpeg import Decoder
from shared.wire import Kind
from tests.cloud_server.harness.engines import Embedded, Engine
from tests.cloud_server.harness.frames import frame, tables
from tests.cloud_server.harness.server import settings

DAY = 86_400.0
START = 20_000 * DAY
PLENTY = SampleCaps(hourly=1000, daily=1000)
Scenario = Callable[["Stand"], Awaitable[None]]


async def believed() -> bool:
    """A clock that nobody doubts."""
    return True


class Killed(BaseException):
    """The process is gone."""


class Fate:
    """Counts steps and ends the process at one of them."""

    def __init__(self) -> None:
        self.steps = 0
        self.last: int | None = None

    def step(self) -> None:
        """One step more; the last one is not reached alive."""
        self.steps += 1
        if self.last is not None and self.steps > self.last:
            raise Killed


class MortalDatabase:
    """A database whose process may die before or after each transaction."""

    def __init__(self, database: Database, fate: Fate) -> None:
        self.database = database
        self.fate = fate

    async def read(self, job: Callable[..., Any]) -> Any:
        """As `Database.read`."""
        return await self.database.read(job)

    async def write(self, job: Callable[..., Any]) -> Any:
        """As `Database.write`."""
        self.fate.step()
        value = await self.database.write(job)
        self.fate.step()
        return value


class MortalBlobs:
    """Blobs whose process may die before or after each change; it remembers every name."""

    def __init__(self, blobs: Blobs, fate: Fate) -> None:
        self.blobs = blobs
        self.fate = fate
        self.names: set[str] = set()

    def put(self, data: bytes) -> str:
        """As `Blobs.put`."""
        self.fate.step()
        name = self.blobs.put(data)
        self.names.add(name)
        self.fate.step()
        return name

    def delete(self, sha256: str) -> None:
        """As `Blobs.delete`."""
        self.fate.step()
        self.blobs.delete(sha256)
        self.fate.step()


class Stand:
    """A database, blobs, a clock, and what keeps and deletes frames with them."""

    def __init__(self, database: Database, blobs: Blobs, caps: SampleCaps = PLENTY) -> None:
        self.now = START
        self.fate = Fate()
        self.caps = caps
        self.database: Any = MortalDatabase(database, self.fate)
        self.blobs: Any = MortalBlobs(blobs, self.fate)
        self.samples = Samples(database, blobs)
        self.restart()

    def restart(self) -> None:
        """A new process."""
        self.fate.steps, self.fate.last = 0, None
        self.store = self.replica()
        self.retention = Retention(
            self.database, self.blobs, Lifetimes(samples_days=30, results_days=60), lambda: self.now, believed
        )

    def replica(self) -> SampleStore:
        """Another process that stores."""
        return SampleStore(self.database, self.blobs, self.caps, 1 << 20, lambda: self.now)

    async def answers(self, sequences: Iterable[int]) -> None:
        """Store answers."""
        at = int(self.now * 1e9)
        offers = [StoredResult(1, sequence, "one", 0.5, "digits/1", "exact", "v1", at, None) for sequence in sequences]
        await self.database.database.write(lambda connection: results_store.store(connection, offers))

    async def answer(self, sequence: int, seed: int) -> RecentFrame:
        """Store an answer; the frame that got it."""
        await self.answers([sequence])
        return RecentFrame(1, sequence, "digits", frame(tables(50), seed), tables(50))

    async def keep(self, sequence: int, seed: int = 0, reason: Reason = Reason.RANDOM) -> Kept | NotKept:
        """Answer a frame and keep it."""
        return await self.store.keep(await self.answer(sequence, seed), reason)

    async def dies(self, job: Callable[[], Awaitable[object]], after: int) -> bool:
        """Run a job in a process that dies after so many steps; whether it did. Then another process starts."""
        self.fate.steps, self.fate.last = 0, after
        try:
            await job()
        except Killed:
            return True
        finally:
            self.restart()
        return False

    async def shown(self) -> list[str]:
        """The names of all samples; each has a file that can be read."""
        page = await self.samples.page(SampleFilter(), None, 500)
        for sample in page.samples:
            file = await self.samples.file(FrameId.parse(sample.frame_id))
            assert Decoder().decode(file).planes[0].shape == (64, 4, 4)
        return [sample.frame_id for sample in page.samples]

    async def files(self) -> set[str]:
        """The files that are there, of all that ever were."""
        return {name for name in self.blobs.names if await asyncio.to_thread(self.blobs.blobs.__contains__, name)}

    async def count(self, table: Any) -> int:
        """Rows of a table."""
        query = select(func.count()).select_from(table)
        counted: int = await self.database.database.read(lambda connection: connection.execute(query).scalar_one())
        return counted

    async def tidy_up(self) -> None:
        """Let time pass until whatever nobody needs may go, and let it go."""
        self.now += SWEEP_AFTER_SECONDS + 1
        while await self.retention.tidy():
            pass


def run_on(engine: Engine, data: Path, scenario: Scenario, caps: SampleCaps = PLENTY) -> None:
    """Run a scenario on a new database with one device, and empty blobs."""
    data.mkdir(parents=True, exist_ok=True)
    chosen = settings(data, **engine.settings(data))
    connector = engine_of(chosen)
    migrate(connector)
    row = {"id": 1, "public_id": "dev1", "family": "digits", "token_sha256": b"x" * 32, "enrolled_at": 0.0}

    async def run() -> None:
        database = Database(connector, asyncio.get_running_loop(), 30)
        try:
            await database.write(lambda connection: connection.execute(insert(devices), row).rowcount)
            await scenario(Stand(database, open_blobs(chosen, "frames"), caps))
        finally:
            await asyncio.to_thread(database.close)

    asyncio.run(run())


@pytest.fixture
def run(engine: Engine, tmp_path: Path) -> Callable[..., None]:
    """Run a scenario on one of the engines."""
    return lambda scenario, caps=PLENTY: run_on(engine, tmp_path / "data", scenario, caps)


def test_a_process_that_dies_while_it_stores_leaves_a_whole_sample_or_none(run: Callable[..., None]) -> None:
    async def scenario(stand: Stand) -> None:
        steps = 0
        while await stand.dies(lambda: stand.keep(steps, seed=steps), after=steps):  # noqa: B023
            assert len(await stand.shown()) <= steps
            steps += 1
        assert steps == 6, "two transactions and a file, each with a before and an after"
        shown = await stand.shown()
        await stand.tidy_up()
        assert await stand.shown() == shown
        assert len(await stand.files()) == await stand.count(sample_files) == len(shown)

    run(scenario)


def test_a_process_that_dies_while_it_deletes_is_followed_by_one_that_finishes(run: Callable[..., None]) -> None:
    async def scenario(stand: Stand) -> None:
        for sequence in range(3):
            await stand.keep(sequence, seed=sequence)
        stand.now += 31 * DAY
        await stand.keep(3, seed=0)
        steps = 0
        while await stand.dies(stand.retention.tidy, after=steps % 12):
            assert "dev1.3" in await stand.shown()
            steps += 1
            stand.now += SWEEP_AFTER_SECONDS / 3
        await stand.tidy_up()
        assert await stand.shown() == ["dev1.3"]
        assert len(await stand.files()) == await stand.count(sample_files) == 1, (
            "the first frame's file is still needed"
        )

    run(scenario)


STEPS = st.one_of(
    st.tuples(st.just("keep"), st.integers(0, 3), st.integers(0, 7)),
    st.tuples(st.just("tidy"), st.just(0), st.integers(0, 12)),
    st.tuples(st.just("wait"), st.integers(0, 3), st.just(0)),
)
WAITS = (1.0, SWEEP_AFTER_SECONDS + 1, 10 * DAY, 31 * DAY)


@hypothesis_settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(STEPS, max_size=25))
def test_whatever_happens_in_whatever_order_no_sample_lacks_its_file(
    tmp_path_factory: pytest.TempPathFactory, steps: Sequence[tuple[str, int, int]]
) -> None:
    async def scenario(stand: Stand) -> None:
        for sequence, (what, which, last) in enumerate(steps):
            if what == "keep":
                await stand.dies(lambda: stand.keep(sequence, seed=which), after=last)  # noqa: B023
            elif what == "tidy":
                await stand.dies(stand.retention.tidy, after=last)
            else:
                stand.now += WAITS[which]
            await stand.shown()
        await stand.tidy_up()  # rows, and a while later their files
        await stand.tidy_up()
        needed = {sample.frame_id for sample in (await stand.samples.page(SampleFilter(), None, 500)).samples}
        assert set(await stand.shown()) == needed
        assert len(await stand.files()) == await stand.count(sample_files) <= len(needed)
        stand.now += 100 * DAY
        await stand.tidy_up()
        await stand.tidy_up()
        assert (await stand.shown(), await stand.files()) == ([], set())
        assert await stand.count(results) == await stand.count(sample_files) == 0

    run_on(Embedded(), tmp_path_factory.mktemp("kept"), scenario)


def test_two_replicas_that_keep_the_same_frame_keep_one(run: Callable[..., None]) -> None:
    async def scenario(stand: Stand) -> None:
        replicas = [stand.replica() for _ in range(4)]
        for sequence in range(5):
            sent = await stand.answer(sequence, seed=sequence % 2)
            kept = await asyncio.gather(*(replica.keep(sent, Reason.RANDOM) for replica in replicas))
            assert all(isinstance(one, Kept) for one in kept)
            assert sum(isinstance(one, Kept) and one.is_new for one in kept) == 1
        assert len(await stand.shown()) == 5
        await stand.tidy_up()
        assert len(await stand.files()) == await stand.count(sample_files) == 2

    run(scenario)


def test_a_file_that_is_needed_again_while_it_is_swept_is_kept_or_refused(run: Callable[..., None]) -> None:
    """The one who sweeps has a clock that is an hour ahead: nothing but the order of transactions protects a file."""

    async def scenario(stand: Stand) -> None:
        hasty = Retention(
            stand.database, stand.blobs, Lifetimes(samples_days=30, results_days=60), lambda: stand.now + 3600, believed
        )

        async def store(first: int) -> list[Kept | NotKept]:
            replica, outcomes = stand.replica(), []
            for sequence in range(first, first + 40):
                sent = await stand.answer(sequence, seed=sequence % 2)
                outcome, _ = await asyncio.gather(replica.keep(sent, Reason.RANDOM), hasty.tidy())
                outcomes.append(outcome)
            return outcomes

        outcomes = [one for each in await asyncio.gather(store(0), store(100)) for one in each]
        kept = sum(isinstance(one, Kept) for one in outcomes)
        assert kept >= 1
        assert len(await stand.shown()) == kept
        assert {one.cause for one in outcomes if isinstance(one, NotKept)} <= {Dropped.STORAGE}

    run(scenario)


def test_caps_count_what_every_replica_kept_by_the_hour_and_by_the_day(run: Callable[..., None]) -> None:
    async def scenario(stand: Stand) -> None:
        async def keep_ten(first: int, reason: Reason = Reason.RANDOM) -> list[bool]:
            stores = [stand.replica(), stand.replica()]
            sequences = range(first, first + 10)
            frames = [await stand.answer(sequence, seed=sequence) for sequence in sequences]
            outcomes = [await stores[number % 2].keep(sent, reason) for number, sent in enumerate(frames)]
            assert {one.cause for one in outcomes if isinstance(one, NotKept)} <= {Dropped.CAP}
            return [isinstance(one, Kept) for one in outcomes]

        assert sum(await keep_ten(0)) == 3
        assert sum(await keep_ten(10)) == 0
        assert sum(await keep_ten(20, Reason.DISAGREEMENT)) == 3, "each reason has its own"
        stand.now += 3600
        assert sum(await keep_ten(30)) == 2, "the day's five are full"
        stand.now += 3600
        assert sum(await keep_ten(40)) == 0
        stand.now += DAY
        assert sum(await keep_ten(50)) == 3

    run(scenario, SampleCaps(hourly=3, daily=5))


class Fleet:
    """Devices that send details of their frames."""

    def __init__(self, stand: Stand) -> None:
        self.stand = stand

    async def join(self, *ids: int) -> None:
        """Enrol devices beside the first."""
        rows = [
            {"id": n, "public_id": f"dev{n}", "family": "digits", "token_sha256": bytes([n]) * 32, "enrolled_at": 0.0}
            for n in ids
        ]
        await self.stand.database.database.write(lambda connection: connection.execute(insert(devices), rows).rowcount)

    async def keeps(self, device_id: int, sequence: int, of: int, kind: Kind = Kind.DETAIL) -> Kept | NotKept:
        """Answer a device's companion of a frame, and have it kept as a detail."""
        at = int(self.stand.now * 1e9)
        offer = StoredResult(
            device_id, sequence, "one", 0.5, "digits/1", "exact", "v1", at, None, kind.value, companion_of=of
        )
        await self.stand.database.database.write(lambda connection: results_store.store(connection, [offer]))
        data = frame(tables(90), sequence)
        return await self.stand.store.keep(
            RecentFrame(device_id, sequence, "digits", data, tables(90), of), Reason.DETAIL
        )


def test_of_a_frame_one_detail_is_kept_and_of_a_companion_none(run: Callable[..., None]) -> None:
    async def scenario(stand: Stand) -> None:
        fleet = Fleet(stand)
        await fleet.join(2)
        assert await fleet.keeps(1, 1, of=0) == Kept(is_new=True)
        assert await fleet.keeps(1, 1, of=0) == Kept(is_new=False), "sent again"
        assert await fleet.keeps(1, 2, of=0) == NotKept(Dropped.CAP)
        assert await fleet.keeps(1, 3, of=1) == NotKept(Dropped.CAP), "that is itself a detail"
        assert await fleet.keeps(2, 3, of=0) == Kept(is_new=True), "another device's frame"
        assert await fleet.keeps(1, 5, of=4) == Kept(is_new=True)

    run(scenario)


def test_no_device_fills_a_familys_caps_with_details(run: Callable[..., None]) -> None:
    async def scenario(stand: Stand) -> None:
        fleet = Fleet(stand)
        await fleet.join(2)

        async def kept(device_id: int, first: int) -> int:
            outcomes = [await fleet.keeps(device_id, n + 1, of=n) for n in range(first, first + 12, 2)]
            closed = [one for one in outcomes if isinstance(one, NotKept)]
            assert {(one.cause, one.device_id, one.until > stand.now) for one in closed} <= {
                (Dropped.CAP, device_id, True)
            }
            return len(outcomes) - len(closed)

        assert (await kept(1, 0), await kept(2, 0)) == (2, 2), "a tenth of the hour's"
        assert isinstance(await stand.keep(100), Kept), "other reasons have their own"
        stand.now += 3600
        assert await kept(1, 20) == 1, "a tenth of the day's"

    run(scenario, SampleCaps(hourly=20, daily=30))


def test_answers_and_labels_expire_unless_their_frame_is_kept(run: Callable[..., None]) -> None:
    async def scenario(stand: Stand) -> None:
        label = {"label": "one", "source": "human", "authority": 1, "is_correct": True, "is_foreign": False}
        said = label | {"labelled_at": stand.now, "labelled_by": "dev1"}
        stand.retention = Retention(
            stand.database, stand.blobs, Lifetimes(samples_days=90, results_days=60), lambda: stand.now, believed
        )
        await stand.keep(0)
        await stand.answers(range(1, 1200))
        rows = [{"device_id": 1, "sequence": sequence, **said} for sequence in (0, 1, 2)]
        await stand.database.database.write(lambda connection: connection.execute(insert(labels), rows).rowcount)
        stand.now += 61 * DAY
        await stand.answer(2000, seed=0)
        assert await stand.retention.tidy() == 1199
        assert (await stand.count(results), await stand.count(labels)) == (2, 1)
        assert await stand.shown() == ["dev1.0"]
        stand.now += 30 * DAY
        await stand.tidy_up()
        assert (await stand.count(results), await stand.count(labels), await stand.shown()) == (1, 0, [])

    run(scenario)


def test_what_devices_sent_on_a_day_expires_as_answers_do(run: Callable[..., None]) -> None:
    async def scenario(stand: Stand) -> None:
        today = int(START / DAY)
        days = [day_rows.DayRow(1, day, 1, 100, 300, 200) for day in (today, today + 1)]
        await stand.database.database.write(partial(day_rows.add, rows=days))
        for seconds, left in ((60 * DAY, 2), (DAY, 1), (DAY, 0)):
            stand.now += seconds
            await stand.tidy_up()
            assert await stand.count(device_days) == left

    run(scenario)


def test_hourly_sums_expire_by_a_lifetime_of_their_own(run: Callable[..., None]) -> None:
    async def scenario(stand: Stand) -> None:
        stand.retention = Retention(
            stand.database,
            stand.blobs,
            Lifetimes(samples_days=1, results_days=1, report_days=400),
            lambda: stand.now,
            believed,
        )
        for hour in (int(START) // sums.HOUR_SECONDS, int(START) // sums.HOUR_SECONDS + 1):
            answer = sums.AnswerSum("digits", "v1", "exact", hour, 0, 1, 100, 0, 0)
            spent = sums.ByteSum("digits", "v1", hour, 0, 1, 100, 0, 20, 300, 200)
            measured = baseline_sums.BaselineSum("digits", "v1", hour, 0, 1, 150, 800)
            await stand.database.database.write(partial(sums.add_answer, row=answer))
            await stand.database.database.write(partial(sums.add_bytes, rows=[spent]))
            await stand.database.database.write(partial(baseline_sums.add, rows=[measured]))
        for seconds, left in ((400 * DAY, 2), (sums.HOUR_SECONDS, 1), (sums.HOUR_SECONDS, 0)):
            stand.now += seconds
            await stand.tidy_up()
            tables_of_sums = (hourly_answers, hourly_bytes, hourly_baselines)
            assert [await stand.count(table) for table in tables_of_sums] == [left] * 3

    run(scenario)
