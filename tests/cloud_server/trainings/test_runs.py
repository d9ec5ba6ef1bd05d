"""Trainings in the database: one open run a family whoever asks, kept for a while, and told to the audit."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Engine as Connector
from sqlalchemy import delete

from cloud_server.errors import ConflictError, NotFoundError
from cloud_server.metrics import Metrics
from cloud_server.open_storage import engine_of
from cloud_server.registry.catalogue import Catalogue, Registered
from cloud_server.storage.database import Database, Transaction
from cloud_server.storage.rows import published as published_rows
from cloud_server.storage.rows import training_runs as rows
from cloud_server.storage.rows.published import PublishedRow
from cloud_server.storage.rows.training_runs import RunRow
from cloud_server.storage.training_tables import training_runs
from cloud_server.storage.witness import Facts, unwitnessed
from cloud_server.trainings import runs as trainings
from cloud_server.trainings.document import RunDocument
from cloud_server.trainings.following import Following, figures
from cloud_server.trainings.runs import Runs
from cloud_server.trainings.standing import Outcome, State, Trigger
from shared.errors import PeerError
from tests.cloud_server.harness.engines import Embedded, Engine
from tests.cloud_server.harness.server import settings
from tests.shared.bundle.test_bundle import make

Scenario = Callable[["Stand"], Awaitable[None]]
PASSED = RunDocument.model_validate(
    {"verdicts": [{"gate": "accuracy", "opinion": "pass", "words": "It holds."}], "counter": 2, "data_until": 5.0}
)
FAILED = RunDocument(reason="no space is left")


@dataclass
class Stand:
    """A record of trainings of two families, what it told, and a clock."""

    database: Database
    catalogue: Catalogue
    now: float = 1_000.0
    told: list[tuple[Facts | None, Facts | None]] = field(default_factory=list)
    metrics: Metrics = field(default_factory=Metrics)

    @property
    def runs(self) -> Runs:
        """The use cases of a process; each time those of another one."""
        return Runs(self.database, self.catalogue, self.metrics, lambda: self.now)

    def witness(self, _transaction: Transaction, before: Facts | None, after: Facts | None) -> None:
        """Take note as the audit does."""
        if before != after:
            self.told.append((before, after))

    async def taken(self, worker: str = "one", family: str = "digits", trigger: Trigger = Trigger.LABELS) -> RunRow:
        """A run that a worker has taken for a minute."""
        return await self.runs.take(family, trigger, worker, 60, "ada", self.witness)

    async def over(self, outcome: Outcome, document: RunDocument) -> RunRow:
        """A run that has ended so, a minute later."""
        self.now += 60
        run = await self.taken()
        return await self.runs.end(run.id, "one", outcome, document, self.witness)

    def series(self) -> dict[str, float]:
        """What Prometheus reads of trainings."""
        lines = (line.rsplit(" ", 1) for line in self.metrics.exposition().decode().splitlines())
        return {
            name: float(value)
            for name, value in lines
            if name.startswith("dctwire_trainer_") and "_created" not in name
        }


def published(database: Database) -> Catalogue:
    """A catalogue with a bundle of each of two families."""
    catalogue = Catalogue(database)
    for family in ("digits", "letters"):
        bundle = make(family=family)
        catalogue.add(Registered(bundle, bundle.to_bytes(), 1.0))
    return catalogue


@pytest.fixture
def play(connector: Connector) -> Callable[[Scenario], None]:
    """Play a scenario on a record that is empty."""

    def played(scenario: Scenario) -> None:
        async def run() -> None:
            database = Database(connector, asyncio.get_running_loop(), 30)
            try:
                await scenario(Stand(database, published(database)))
            finally:
                await asyncio.to_thread(database.close)

        asyncio.run(run())

    with connector.begin() as connection:
        connection.execute(delete(training_runs))
    return played


def test_what_an_operator_asks_for_waits_for_a_worker_and_is_the_run_that_it_takes(
    play: Callable[[Scenario], None],
) -> None:
    async def scenario(stand: Stand) -> None:
        asked = await stand.runs.ask("digits", "new lamps", "ada", stand.witness)
        assert (asked.state, asked.asked_by, asked.reason) == ("queued", "ada", "new lamps")
        taken = await stand.taken()
        assert (taken.id, taken.trigger, taken.reason) == (asked.id, "operator", "new lamps")
        assert [after and after["state"] for _, after in stand.told] == ["queued", "running"]
        assert await stand.runs.find(asked.id) == taken

    play(scenario)


def test_a_family_has_one_open_run_and_others_have_theirs(play: Callable[[Scenario], None]) -> None:
    async def scenario(stand: Stand) -> None:
        first = await stand.taken()
        with pytest.raises(ConflictError, match=rf"\({first.id}, running\)"):
            await stand.runs.ask("digits", None, "ada", unwitnessed)
        with pytest.raises(ConflictError, match="one has it"):
            await stand.taken("two")
        assert (await stand.taken("two", "letters")).id != first.id
        with pytest.raises(NotFoundError, match="no bundle of family birds"):
            await stand.taken("two", "birds")
        with pytest.raises(NotFoundError, match="no bundle of family birds"):
            await stand.runs.ask("birds", None, "ada", unwitnessed)

    play(scenario)


def test_a_worker_that_repeats_itself_changes_nothing(play: Callable[[Scenario], None]) -> None:
    async def scenario(stand: Stand) -> None:
        first = await stand.taken()
        stand.now += 5
        again = await stand.taken()
        assert (again.id, again.attempts, again.lease_until) == (first.id, 1, stand.now + 60)
        ended = await stand.runs.end(first.id, "one", Outcome.PUBLISHED, PASSED, stand.witness)
        stand.now += 5
        assert await stand.runs.end(first.id, "one", Outcome.PUBLISHED, PASSED, stand.witness) == ended
        assert len(stand.told) == 2, "taken and ended, each told once"
        assert stand.series()['dctwire_trainer_runs_total{family="digits",outcome="published"}'] == 1
        with pytest.raises(ConflictError, match="has ended: published"):
            await stand.runs.end(first.id, "one", Outcome.FAILED, FAILED, stand.witness)

    play(scenario)


def test_a_run_of_a_worker_that_fell_silent_goes_on_with_another_one(play: Callable[[Scenario], None]) -> None:
    async def scenario(stand: Stand) -> None:
        first = await stand.taken()
        told = await stand.runs.tell(first.id, "one", 60, "train", 0.5)
        assert (told.stage, told.share) == ("train", 0.5)
        stand.now += 61
        second = await stand.taken("two")
        assert (second.id, second.attempts, second.stage, second.share) == (first.id, 2, None, None)
        for attempt in (
            stand.runs.tell(first.id, "one", 60, None, None),
            stand.runs.end(first.id, "one", Outcome.PUBLISHED, PASSED, stand.witness),
        ):
            with pytest.raises(ConflictError, match="two has it"):
                await attempt
        assert (await stand.runs.find(first.id)).outcome is None

    play(scenario)


def test_a_run_that_an_operator_ends_is_taken_from_its_worker_and_makes_room(
    play: Callable[[Scenario], None],
) -> None:
    async def scenario(stand: Stand) -> None:
        run = await stand.taken()
        assert (await stand.runs.cancel(run.id, stand.witness)).outcome == "cancelled"
        with pytest.raises(ConflictError, match="has ended: cancelled; stop"):
            await stand.runs.tell(run.id, "one", 60, None, None)
        assert (await stand.taken()).id != run.id
        with pytest.raises(NotFoundError, match="no run aaaa2222"):
            await stand.runs.cancel("aaaa2222", stand.witness)

    play(scenario)


def test_what_is_published_is_there_and_what_waits_for_a_signature_need_not_be(
    play: Callable[[Scenario], None],
) -> None:
    async def scenario(stand: Stand) -> None:
        run = await stand.taken()
        unknown, led = PASSED.model_copy(update={"counter": 999}), PASSED.model_copy(update={"rollout": "aaaaaaaa"})
        for document, said in ((unknown, "no bundle digits/999"), (led, "digits has no rollout aaaaaaaa")):
            with pytest.raises(PeerError, match=said):
                await stand.runs.end(run.id, "one", Outcome.PUBLISHED, document, stand.witness)
        assert (await stand.runs.find(run.id)).outcome is None
        assert (await stand.over(Outcome.DRAFT, unknown)).counter == 999
        row = PublishedRow(b"", 1.0)
        await stand.database.write(partial(published_rows.add_bundle, family="digits", counter=998, row=row))
        by_another = PASSED.model_copy(update={"counter": 998})
        assert (await stand.over(Outcome.PUBLISHED, by_another)).counter == 998

    play(scenario)


def test_of_the_runs_of_a_family_the_newest_are_kept(
    play: Callable[[Scenario], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainings, "KEPT", 3)

    async def scenario(stand: Stand) -> None:
        other = await stand.taken("two", "letters")
        ended = [(await stand.over(Outcome.PUBLISHED, PASSED)).id for _ in range(5)]
        kept = [row.id for row in await stand.runs.page("digits", None, 10)]
        assert kept == ended[:1:-1]
        assert [row.id for row in await stand.runs.page(None, kept[1], 10)] == [kept[2], other.id]

    play(scenario)


def test_what_is_told_of_trainings_follows_from_the_rows_in_every_process(play: Callable[[Scenario], None]) -> None:
    async def scenario(stand: Stand) -> None:
        await stand.over(Outcome.PUBLISHED, PASSED)
        published_at = stand.now
        for _ in range(2):
            await stand.over(Outcome.FAILED, FAILED)
        failed_at = stand.now
        await stand.runs.cancel((await stand.taken()).id, stand.witness)
        await stand.taken()
        await stand.runs.ask("letters", None, "ada", unwitnessed)
        await Following(stand.database, stand.metrics).refresh()
        told = stand.series()
        assert told['dctwire_trainer_failures_in_a_row{family="digits"}'] == 2
        assert told['dctwire_trainer_run_state{family="digits",state="running"}'] == 1
        assert told['dctwire_trainer_run_state{family="letters",state="queued"}'] == 1
        assert told['dctwire_trainer_lease_timestamp_seconds{family="digits"}'] == stand.now + 60
        assert 'dctwire_trainer_lease_timestamp_seconds{family="letters"}' not in told
        ends = 'dctwire_trainer_last_end_timestamp_seconds{family="digits",outcome='
        assert (told[f'{ends}"published"}}'], told[f'{ends}"failed"}}']) == (published_at, failed_at)
        await stand.runs.end((await stand.taken()).id, "one", Outcome.PUBLISHED, PASSED, unwitnessed)
        found = {one.family: one for one in await stand.database.read(figures)}
        assert (found["digits"].failures, found["digits"].state) == (0, None)

    play(scenario)


@contextmanager
def processes(engine: Engine, folder: Path) -> Iterator[list[Connector]]:
    """A way into the same database for each process that may have it: two of PostgreSQL, one of SQLite."""
    engine.prepare(folder)
    given = settings(folder, **engine.settings(folder))
    yield [engine_of(given) for _ in range(1 if isinstance(engine, Embedded) else 2)]


def test_of_two_that_take_at_once_one_wins(engine: Engine, tmp_path: Path) -> None:
    async def run(connectors: list[Connector]) -> None:
        databases = [Database(each, asyncio.get_running_loop(), 30) for each in connectors]
        stands = [Stand(database, published(database)) for database in (databases[0], databases[-1])]
        for _ in range(10):
            attempts = (stand.taken(f"trainer-{place}") for place, stand in enumerate(stands))
            outcomes = await asyncio.gather(*attempts, return_exceptions=True)
            [won] = [one for one in outcomes if isinstance(one, RunRow)]
            [lost] = [one for one in outcomes if not isinstance(one, RunRow)]
            assert isinstance(lost, ConflictError), lost
            assert won.worker is not None
            await stands[0].runs.end(won.id, won.worker, Outcome.PUBLISHED, PASSED, unwitnessed)
        assert len(await databases[-1].read(lambda connection: rows.page(connection, "digits", None, 100))) == 10
        assert {row.state for row in await stands[1].runs.page(None, None, 100)} == {State.ENDED}
        for database in databases:
            await asyncio.to_thread(database.close)

    with processes(engine, tmp_path) as connectors:
        asyncio.run(run(connectors))
