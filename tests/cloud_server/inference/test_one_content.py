"""A device's number has one content, whatever its requests, two processes, their ends and the years make of it.

Random requests are made to two ways of frames on one real database: the same and other contents under few numbers,
alone and at once, broken off in the middle; processes that forget all they had in memory; answers that are deleted for
their age. Whatever was acknowledged under a number stays the only content that is.
"""

import asyncio
import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from sqlalchemy import insert

from cloud_server.errors import NotReadyError, SequenceTakenError, SequenceTooHighError
from cloud_server.fleet.devices import Device
from cloud_server.inference.frames import Frame
from cloud_server.inference.ingest import Ingest
from cloud_server.open_storage import engine_of
from cloud_server.storage.database import Database
from cloud_server.storage.migrating import migrate
from cloud_server.storage.rows import results
from cloud_server.storage.rows.results import StoredResult
from cloud_server.storage.schema import devices
from shared.wire import SEQUENCE_ALWAYS_MAX, SEQUENCE_STEP_MAX
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.engines import Engine
from tests.cloud_server.harness.frames import frame, tables
from tests.cloud_server.harness.server import settings
from tests.cloud_server.inference.test_ingest import Way

CONTENTS = tuple(frame(tables(50), seed) for seed in range(3))
PROCESSES = 2
QUEUE_MAX_FRAMES = 64
"""More than all that one step sends and earlier ones left, so that no frame is refused for want of room."""
processes = st.integers(0, PROCESSES - 1)
numbers = st.integers(0, 5)
contents = st.integers(0, len(CONTENTS) - 1)
requests = st.tuples(processes, st.dictionaries(numbers, contents, min_size=1, max_size=4))


class Stand:
    """The processes, on one database, and a new device for each example."""

    def __init__(self, runner: asyncio.Runner, ways: list[Way]) -> None:
        self.runner = runner
        self.ways = ways
        self._rows = itertools.count(100)

    @staticmethod
    def device(row_id: int) -> Device:
        return Device(row_id, f"dev{row_id}", "digits", row_id.to_bytes(32), 0.0)

    def new_device(self) -> int:
        """The row of a new device."""
        row_id = next(self._rows)
        row = {"id": row_id, "public_id": f"dev{row_id}", "family": "digits", "enrolled_at": 0.0}
        row["token_sha256"] = row_id.to_bytes(32)
        self.do(lambda connection: connection.execute(insert(devices), row).rowcount)
        return row_id

    def do(self, job: Any) -> Any:
        """Run a job in the database."""
        return self.runner.run(self.ways[0].database.write(job))


@pytest.fixture
def stand(engine: Engine, tmp_path: Path) -> Iterator[Stand]:
    """Two processes' ways of frames."""
    bundle = write_bundle(tmp_path / "v1", "digits", 1, tables(50), seed=1)
    (tmp_path / "data").mkdir()
    given = settings(tmp_path / "data", **engine.settings(tmp_path / "data"))
    connector = engine_of(given)
    migrate(connector)
    connector.dispose()
    with asyncio.Runner() as runner, ThreadPoolExecutor(1) as loader, closed_ways(runner) as ways:
        for _ in range(PROCESSES):
            database = Database(engine_of(given), runner.get_loop(), 30)
            ways.append(runner.run(_way(database, bundle, tmp_path / "v1" / "classifier.onnx", loader)))
        yield Stand(runner, ways)


@contextmanager
def closed_ways(runner: asyncio.Runner) -> Iterator[list[Way]]:
    """Ways whose threads end with the block."""
    ways: list[Way] = []
    try:
        yield ways
    finally:
        for way in ways:
            for part in (way.workers, way.resizers, way.database):
                runner.run(asyncio.to_thread(part.close))


async def _way(*arguments: Any) -> Way:
    return Way(*arguments)


class OneContent(RuleBasedStateMachine):
    """Requests of one device, and what was acknowledged to it."""

    def __init__(self, stand: Stand) -> None:
        super().__init__()
        self.stand = stand
        self.acknowledged: dict[int, tuple[int, str]] = {}
        self.wrong: list[str] = []
        self.happened: list[str] = []

    @initialize()
    def enrol(self) -> None:
        """A device that nobody knows, and two processes that have just begun."""
        self.row_id = self.stand.new_device()
        self.ingests: list[Ingest] = []
        self.devices: list[Device] = []
        for process in range(PROCESSES):
            self.ingests.append(self.stand.runner.run(self._begun(process)))
            self.devices.append(self.stand.device(self.row_id))

    async def _begun(self, process: int) -> Ingest:
        return self.stand.ways[process].ingest(queue_max_frames=QUEUE_MAX_FRAMES)

    @rule(process=processes)
    def begin_anew(self, process: int) -> None:
        """A process ends and begins: what it knew is forgotten."""
        self.happened.append(f"process {process} begins anew")
        self.ingests[process] = self.stand.runner.run(self._begun(process))
        self.devices[process] = self.stand.device(self.row_id)

    @rule(asked=st.lists(requests, min_size=1, max_size=3), expiring=st.sets(numbers))
    def send_at_once(self, asked: list[tuple[int, dict[int, int]]], expiring: set[int]) -> None:
        """One request, or several at once, at any of the processes, while answers may be deleted."""

        async def all_of_them() -> list[Any]:
            answering = (self._answers(process, frames) for process, frames in asked)
            deleting = self.stand.ways[0].database.write(partial(_expire, device_id=self.row_id, chosen=expiring))
            *answers, _ = await asyncio.gather(*answering, deleting)
            return answers

        self.happened.append(f"at once: {asked}, the answers to {expiring} expire")
        for (_, frames), outcomes in zip(asked, self.stand.runner.run(all_of_them()), strict=True):
            for (number, content), outcome in zip(frames.items(), outcomes, strict=True):
                self._judge(number, content, outcome)

    @rule(request=requests, turns=st.integers(0, 40))
    def break_off(self, request: tuple[int, dict[int, int]], turns: int) -> None:
        """The connection is gone after so many turns of the loop: nobody knows what was stored."""
        process, frames = request
        self.happened.append(f"process {process}: {frames} is broken off after {turns} turns")

        async def broken_off() -> None:
            asking = asyncio.ensure_future(self._answers(process, frames))
            for _ in range(turns):
                await asyncio.sleep(0)
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)

        self.stand.runner.run(broken_off())

    @rule(chosen=st.sets(numbers))
    def expire(self, chosen: set[int]) -> None:
        """The answers under these numbers are deleted, where there are any, whatever is under way."""
        self.happened.append(f"the answers to {chosen} expire")
        self.stand.do(partial(_expire, device_id=self.row_id, chosen=chosen))

    async def _answers(self, process: int, frames: dict[int, int]) -> list[Any]:
        sent = [Frame(number, CONTENTS[content]) for number, content in sorted(frames.items())]
        answers = await self.ingests[process].answer(self.devices[process], sent, 30)
        by_number = dict(zip(sorted(frames), answers.outcomes, strict=True))
        return [by_number[number] for number in frames]

    def _judge(self, number: int, content: int, outcome: Any) -> None:
        """Note what was wrong: the draws of a run shall not depend on how fast the machine is."""
        self.happened.append(f"number {number}, content {content}: {type(outcome).__name__}")
        if isinstance(outcome, StoredResult):
            first = self.acknowledged.setdefault(number, (content, outcome.label))
            if first != (content, outcome.label):
                self.wrong.append(f"number {number}: {first}, then {(content, outcome.label)}")
        elif not isinstance(outcome, SequenceTakenError):
            self.wrong.append(f"number {number}: {outcome!r}")

    def teardown(self) -> None:
        """Each number had one content."""
        assert not self.wrong, "\n".join([*self.happened, *self.wrong])


def _expire(connection: Any, device_id: int, chosen: set[int]) -> None:
    found = results.find(connection, [(device_id, number) for number in chosen]) if chosen else {}
    if found:
        results.remove(connection, list(found))


def test_a_number_has_one_content_whatever_happens(stand: Stand) -> None:
    class OnStand(OneContent):
        def __init__(self) -> None:
            super().__init__(stand)

    run_state_machine_as_test(
        OnStand,
        settings=hypothesis_settings(
            max_examples=40, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


def test_a_number_whose_answer_was_deleted_is_given_to_no_other_frame(stand: Stand) -> None:
    machine = OneContent(stand)
    machine.enrol()
    machine.send_at_once([(0, {2: 0, 5: 1})], set())
    machine.expire({5})
    machine.begin_anew(0)
    for process in range(PROCESSES):
        answers = stand.runner.run(machine._answers(process, {1: 0, 2: 0, 5: 2, 6: 2}))
        late, known, other, new = answers
        assert isinstance(late, SequenceTakenError)  # it may be one of those: the device numbers it anew
        assert isinstance(known, StoredResult) and known.sequence == 2
        assert isinstance(other, SequenceTakenError) and other.highest_sequence == (5 if process == 0 else 6)
        assert isinstance(new, StoredResult)


def test_a_process_that_does_not_know_how_far_another_counted_stores_nothing_under_a_deleted_number(
    stand: Stand,
) -> None:
    machine = OneContent(stand)
    machine.enrol()
    machine.send_at_once([(1, {0: 0}), (0, {0: 0})], set())  # process 1 knows of number 0 from now on
    machine.send_at_once([(0, {3: 0, 4: 1, 5: 1})], set())
    machine.expire({4})
    assert machine.devices[1].last_sequence == 0
    late, deleted, known, new = stand.runner.run(machine._answers(1, {2: 2, 4: 2, 5: 1, 6: 2}))
    assert isinstance(late, SequenceTakenError) and late.highest_sequence == 6
    assert isinstance(deleted, SequenceTakenError) and deleted.highest_sequence == 6
    assert isinstance(known, StoredResult) and known.sequence == 5
    assert isinstance(new, StoredResult) and new.sequence == 6
    found = stand.do(partial(results.find, keys=[(machine.row_id, number) for number in range(7)]))
    assert sorted(number for _, number in found) == [0, 3, 5, 6]


def test_a_process_that_does_not_know_how_far_another_counted_refuses_no_number_that_is_not_too_high(
    stand: Stand,
) -> None:
    machine = OneContent(stand)
    machine.enrol()
    far = SEQUENCE_ALWAYS_MAX
    for process, number in ((1, 0), (0, far), (0, far + SEQUENCE_STEP_MAX)):
        machine.send_at_once([(process, {number: 0})], set())
    assert machine.devices[1].last_sequence == 0
    sent = {far + 2 * SEQUENCE_STEP_MAX: 1, far + 2 * SEQUENCE_STEP_MAX + 1: 2}
    taken, too_high = stand.runner.run(machine._answers(1, sent))
    assert isinstance(taken, StoredResult)
    assert isinstance(too_high, SequenceTooHighError)
    assert too_high.highest_sequence == far + 2 * SEQUENCE_STEP_MAX


def test_the_bound_of_a_devices_numbers_stays_when_the_answers_under_them_are_deleted(stand: Stand) -> None:
    machine = OneContent(stand)
    machine.enrol()
    far = SEQUENCE_ALWAYS_MAX
    machine.send_at_once([(0, {far: 0})], set())
    machine.expire({far})
    for process in range(PROCESSES):
        machine.begin_anew(process)
        late, new = stand.runner.run(machine._answers(process, {5: 1, far + SEQUENCE_STEP_MAX + process: 1}))
        assert isinstance(late, SequenceTakenError) and late.highest_sequence == far + process * SEQUENCE_STEP_MAX
        assert isinstance(new, StoredResult)


def test_an_answer_that_is_deleted_while_another_frame_is_stored_under_its_number_leaves_it_to_nobody(
    stand: Stand,
) -> None:
    machine = OneContent(stand)
    machine.enrol()
    machine.send_at_once([(0, {5: 0})], set())
    machine.devices[1].last_sequence = -1  # process 1 has not seen it

    async def store_while_it_is_deleted() -> list[Any]:
        deleting, may_end = asyncio.Event(), threading.Event()
        loop = asyncio.get_running_loop()

        def delete(connection: Any) -> None:
            _expire(connection, machine.row_id, {5})
            loop.call_soon_threadsafe(deleting.set)
            may_end.wait(30)

        removing = asyncio.ensure_future(stand.ways[0].database.write(delete))
        await deleting.wait()
        storing = asyncio.ensure_future(machine._answers(1, {5: 2}))
        await _until_its_writer_waits(stand.ways[1])
        may_end.set()
        await removing
        return await storing

    (outcome,) = stand.runner.run(store_while_it_is_deleted())
    assert isinstance(outcome, SequenceTakenError)
    assert outcome.highest_sequence == 5


async def _until_its_writer_waits(way: Way) -> None:
    while True:
        try:
            way.database.require_turning(0.1)
        except NotReadyError:
            return
        await asyncio.sleep(0.001)
