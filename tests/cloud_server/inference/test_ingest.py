"""A frame's way through a real database, codec and classifier, and what observers are told of it."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from sqlalchemy import func, insert, select

from cloud_server.answered import AnsweredFrames, Observer, Observers
from cloud_server.errors import SequenceTakenError
from cloud_server.fleet.devices import Device
from cloud_server.inference.classifier import Classifier
from cloud_server.inference.frames import Companion, Frame
from cloud_server.inference.ingest import Answers, Ingest
from cloud_server.inference.lanes import Lanes
from cloud_server.inference.model_cache import ModelCache
from cloud_server.inference.routing import Model, Published, RoutingTable
from cloud_server.inference.storing import AnswerStore
from cloud_server.inference.watchdog import Watchdog, WatchLimits
from cloud_server.inference.workers import Workers
from cloud_server.metrics import Metrics
from cloud_server.open_storage import engine_of
from cloud_server.storage.database import Database
from cloud_server.storage.migrating import migrate
from cloud_server.storage.rows.results import StoredResult
from cloud_server.storage.schema import devices, results
from cloud_server.storage.sum_tables import hourly_answers
from shared.bundle import Bundle
from shared.errors import PeerError
from shared.jpeg import EOI, Encoder, Stream, inspect
from shared.wire import FrameResult, Kind, Match
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.classifiers import LABELS, expected_label
from tests.cloud_server.harness.frames import frame, picture, tables
from tests.cloud_server.harness.server import settings

TOKEN = b"x" * 32
Scenario = Callable[["Way"], Awaitable[None]]


class Way:
    """Everything on a frame's way: a family's bundle in memory, a device, and the events that an observer got."""

    def __init__(self, database: Database, bundle: Bundle, model: Path, loader: ThreadPoolExecutor) -> None:
        self.database = database
        self.metrics = Metrics()
        self.told: list[AnsweredFrames] = []
        self.quarantined: set[int] = set()
        self.seconds = 0.0
        self.workers = Workers(1, asyncio.get_running_loop())
        self.resizers = Workers(1, asyncio.get_running_loop())
        self._classifier = model
        self._models = ModelCache(self._load, loader, 1 << 30, self.metrics)
        self._routing = RoutingTable.of([bundle])
        self.device = Device(1, "dev1", "digits", TOKEN, 0.0)

    def ingest(self, *observers: Observer, queue_max_frames: int = 8) -> Ingest:
        """A frame's way with these observers and one that notes what it is told."""
        lanes = Lanes(lambda: self._routing, self._models, _nothing_new, lambda _device: None, (), 8)
        noting = Observer(name="noting", observe=self.told.append, kinds=frozenset(Kind))
        observing = Observers([*observers, noting], self.metrics.count_observer_fault)
        return Ingest(
            AnswerStore(self.database, self.metrics),
            lanes,
            self.workers,
            self.resizers,
            self.metrics,
            observing,
            Watchdog(
                WatchLimits(overdue_seconds=30, max_seconds=60), 1, self._models, self.metrics, lambda: self.seconds
            ),
            queue_max_frames,
            self.quarantined.__contains__,
        )

    async def stored(self) -> list[int]:
        """The sequences of the stored answers, in order."""
        query = select(results.c.sequence).order_by(results.c.sequence)
        found: Sequence[int] = await self.database.read(lambda connection: connection.execute(query).scalars().all())
        return list(found)

    async def counted_for_the_report(self) -> int:
        """How many frames the hourly sums have."""
        query = select(func.sum(hourly_answers.c.frames))
        return int(await self.database.read(lambda connection: connection.execute(query).scalar_one()))

    def counted(self, line: str) -> bool:
        """Whether /metrics has this line."""
        return line in self.metrics.exposition().decode().splitlines()

    def _load(self, published: Published) -> Model:
        classifier = Classifier.load(self._classifier, published.input, len(LABELS))
        classifier.batch_max = 8
        return Model(published, LABELS, classifier)


@pytest.fixture
def run(tmp_path: Path) -> Callable[[Scenario], None]:
    """Run a scenario on a new database."""
    bundle = write_bundle(tmp_path / "v1", "digits", 1, tables(50), seed=1)
    (tmp_path / "data").mkdir()
    engine = engine_of(settings(tmp_path / "data"))
    migrate(engine)

    def go(scenario: Scenario) -> None:
        asyncio.run(_run(scenario))

    async def _run(scenario: Scenario) -> None:
        database = Database(engine, asyncio.get_running_loop(), 30)
        row = {"id": 1, "public_id": "dev1", "family": "digits", "token_sha256": TOKEN, "enrolled_at": 0.0}
        await database.write(lambda connection: connection.execute(insert(devices), row).rowcount)
        with ThreadPoolExecutor(1) as loader:
            way = Way(database, bundle, tmp_path / "v1" / "classifier.onnx", loader)
            try:
                await scenario(way)
            finally:
                await asyncio.to_thread(way.workers.close)
                await asyncio.to_thread(way.resizers.close)
                await asyncio.to_thread(database.close)

    return go


def _always(_model: str, _match: Match, _devices: Sequence[int]) -> bool:
    return True


def test_observers_are_told_of_a_frame_once_with_all_that_is_known_of_it(run: Callable[[Scenario], None]) -> None:
    async def scenario(way: Way) -> None:
        ingest, data = way.ingest(), frame(tables(50), 3)
        answers = await ingest.answer(way.device, [Frame(7, data)], 30)
        again = await ingest.answer(way.device, [Frame(7, data)], 30)
        assert again.outcomes == answers.outcomes
        (answered,) = way.told
        (told,) = answered.frames
        (stored,) = _stored(answers)
        assert (answered.family, answered.model, answered.match, answered.tables) == (
            "digits",
            "digits/1",
            Match.EXACT,
            "v1",
        )
        assert answered.table_set == tables(50)
        assert answered.answered_at == stored.received_at_ns / 1e9
        assert answered.labels[told.label] == expected_label(1, tables(50), picture(3)) == stored.label
        assert round(told.confidence, 4) == stored.confidence
        assert (told.device_id, told.sequence, told.data) == (1, 7, data)
        assert told.scan_bytes == inspect(data).scan_bytes == answers.scan_bytes
        assert answered.statistics is None, "nobody asked for them"

    run(scenario)


def test_frames_without_a_number_and_frames_that_cannot_be_decoded_are_no_event(
    run: Callable[[Scenario], None],
) -> None:
    async def scenario(way: Way) -> None:
        ingest, data = way.ingest(), frame(tables(50), 3)
        (unnumbered,) = await ingest.classify(way.device, [data], 30)
        assert isinstance(unnumbered, FrameResult)
        assert (unnumbered.id, unnumbered.label) == ("", expected_label(1, tables(50), picture(3)))
        answers = await ingest.answer(way.device, [Frame(0, data[:-20] + EOI), Frame(1, b"no JPEG")], 30)
        assert all(isinstance(outcome, PeerError) for outcome in answers.outcomes)
        assert way.told == []
        assert await way.stored() == []

    run(scenario)


def test_each_frame_has_its_own_row_of_statistics_beside_frames_that_cannot_be_decoded(
    run: Callable[[Scenario], None],
) -> None:
    async def scenario(way: Way) -> None:
        ingest = way.ingest(Observer(name="drift", observe=lambda _: None, wants_statistics=_always))
        good = {sequence: frame(tables(50), sequence, Stream.ABBREVIATED) for sequence in (1, 2)}
        cut_short = good[1][:-20] + EOI
        sent = [Frame(0, cut_short), Frame(1, good[1]), Frame(2, good[2])]
        answers = await ingest.answer(way.device, sent, 30)
        assert isinstance(answers.outcomes[0], PeerError)
        found = {}
        for answered in way.told:
            assert answered.statistics is not None
            for row, told in enumerate(answered.frames):
                found[told.sequence] = answered.statistics.y[row], answered.statistics.c[row]
        for sequence in (1, 2):
            y, c = _levels(sequence)
            assert np.allclose(found[sequence][0][0], y[0].mean(), atol=1e-3)
            assert np.allclose(found[sequence][0][1:], np.abs(y[1:]).mean((1, 2)), atol=1e-3)
            assert np.allclose(found[sequence][1][1][1:], np.abs(c[65:]).mean((1, 2)), atol=1e-3)

    run(scenario)


def test_statistics_are_asked_for_with_the_devices_whose_frames_may_count(run: Callable[[Scenario], None]) -> None:
    async def scenario(way: Way) -> None:
        asked: list[int] = []

        def wants(_model: str, _match: Match, devices: Sequence[int]) -> bool:
            asked.extend(devices)
            return bool(devices)

        ingest = way.ingest(Observer(name="drift", observe=lambda _: None, wants_statistics=wants))
        await ingest.classify(way.device, [frame(tables(50), 1)], 30)
        await ingest.answer(way.device, [Frame(2, frame(tables(50), 2), None, 0, Companion(Kind.PROBE, 1))], 30)
        way.quarantined.add(1)
        await ingest.answer(way.device, [Frame(3, frame(tables(50), 3))], 30)
        assert asked == []
        way.quarantined.clear()
        await ingest.answer(way.device, [Frame(4, frame(tables(50), 4))], 30)
        assert asked == [1]

    run(scenario)


def test_frames_and_companions_of_one_micro_batch_are_events_of_their_own(run: Callable[[Scenario], None]) -> None:
    async def scenario(way: Way) -> None:
        ingest = way.ingest(Observer(name="drift", observe=lambda _: None, wants_statistics=_always))
        sent_for = (None, Companion(Kind.PROBE, 0), Companion(Kind.DETAIL, 0), None, Companion(Kind.PROBE, 3))
        sent = [Frame(n, frame(tables(50), n), None, 0, companion) for n, companion in enumerate(sent_for)]
        stored = _stored(await ingest.answer(way.device, sent, 30))
        assert way.counted("dctwire_batch_frames_count 1.0"), "all are classified at once"
        assert [(one.kind, one.companion_of) for one in stored] == [
            (None, None),
            ("probe", 0),
            ("detail", 0),
            (None, None),
            ("probe", 3),
        ]
        found = {event.kind: [(told.sequence, told.companion_of) for told in event.frames] for event in way.told}
        assert found == {
            Kind.FRAME: [(0, None), (3, None)],
            Kind.PROBE: [(1, 0), (4, 3)],
            Kind.DETAIL: [(2, 0)],
        }
        for event in way.told:
            assert event.statistics is not None
            means = [_levels(told.sequence)[0][0].mean() for told in event.frames]
            assert np.allclose(event.statistics.y[:, 0], means, atol=1e-3)
        assert await way.counted_for_the_report() == 2

    run(scenario)


def test_an_observer_that_fails_harms_no_answer(run: Callable[[Scenario], None]) -> None:
    def broken(_answered: AnsweredFrames) -> None:
        raise ZeroDivisionError

    async def scenario(way: Way) -> None:
        ingest = way.ingest(Observer(name="broken", observe=broken))
        answers = await ingest.answer(way.device, [Frame(0, frame(tables(50), 3))], 30)
        assert [stored.label for stored in _stored(answers)] == [expected_label(1, tables(50), picture(3))]
        assert len(way.told) == 1
        assert way.counted('dctwire_observer_faults_total{observer="broken"} 1.0')

    run(scenario)


def test_pictures_that_are_resized_wait_for_each_other_and_nobody_waits_for_them(
    run: Callable[[Scenario], None],
) -> None:
    async def scenario(way: Way) -> None:
        ingest, gate = way.ingest(), threading.Event()
        way.resizers.submit(partial(gate.wait, 30), lambda _done: None)  # a picture that takes long
        large = frame(tables(90), 1, Stream.INTERCHANGE, side=64)
        pending = [asyncio.ensure_future(ingest.answer(way.device, [Frame(n, large)], 30)) for n in (1, 2)]
        for number in range(3, 20):
            answers = await ingest.answer(way.device, [Frame(number, frame(tables(50), number))], 30)
            assert [stored.match for stored in _stored(answers)] == ["exact"]
        ingest.check_room(0.001)
        assert not any(task.done() for task in pending)
        gate.set()
        assert [stored.match for answers in await asyncio.gather(*pending) for stored in _stored(answers)] == [
            "resized"
        ] * 2

    run(scenario)


def test_a_picture_that_is_no_longer_wanted_leaves_the_queue_of_those_that_are_resized(
    run: Callable[[Scenario], None],
) -> None:
    async def scenario(way: Way) -> None:
        ingest, gate = way.ingest(), threading.Event()
        way.resizers.submit(partial(gate.wait, 30), lambda _done: None)
        large = frame(tables(90), 1, Stream.INTERCHANGE, side=64)
        tasks = [asyncio.ensure_future(ingest.answer(way.device, [Frame(number, large)], 30)) for number in range(3)]
        while ingest.depth < 2:  # the first is with the worker
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert ingest.depth == 0
        gate.set()

    run(scenario)


def test_an_older_frame_sent_late_does_not_hide_that_a_newer_one_was_answered(run: Callable[[Scenario], None]) -> None:
    async def scenario(way: Way) -> None:
        ingest = way.ingest()
        for sequence in (5, 3, 5):
            await ingest.answer(way.device, [Frame(sequence, frame(tables(50), sequence))], 30)
        assert way.device.last_sequence == 5
        assert way.counted('dctwire_replayed_frames_total{family="digits"} 1.0')
        assert [answered.frames[0].sequence for answered in way.told] == [5, 3]

    run(scenario)


def test_a_new_process_looks_up_what_earlier_ones_answered(run: Callable[[Scenario], None]) -> None:
    async def scenario(way: Way) -> None:
        first = await way.ingest().answer(way.device, [Frame(5, frame(tables(50), 5))], 30)
        way.device.last_sequence = None
        again = await way.ingest().answer(way.device, [Frame(5, frame(tables(50), 5))], 30)
        assert again.outcomes == first.outcomes
        assert len(way.told) == 1

    run(scenario)


def test_what_another_process_answered_meanwhile_is_the_answer_and_counts_once(run: Callable[[Scenario], None]) -> None:
    async def scenario(way: Way) -> None:
        first = await way.ingest().answer(way.device, [Frame(5, frame(tables(50), 5))], 30)
        way.device.last_sequence = 0  # as if this process had not seen the frame
        again = await way.ingest().answer(way.device, [Frame(5, frame(tables(50), 5))], 30)
        assert again.outcomes == first.outcomes
        assert len(way.told) == 1
        assert await way.counted_for_the_report() == 1

    run(scenario)


def test_a_number_that_another_process_gave_to_another_frame_meanwhile_is_taken(
    run: Callable[[Scenario], None],
) -> None:
    async def scenario(way: Way) -> None:
        await way.ingest().answer(way.device, [Frame(5, frame(tables(50), 5))], 30)
        way.device.last_sequence = 0  # as if this process had not seen the frame
        other = await way.ingest().answer(way.device, [Frame(5, frame(tables(50), 6))], 30)
        (outcome,) = other.outcomes
        assert isinstance(outcome, SequenceTakenError)
        assert outcome.highest_sequence == 5
        assert len(way.told) == 1

    run(scenario)


def _stored(answers: Answers) -> list[StoredResult]:
    found = [outcome for outcome in answers.outcomes if isinstance(outcome, StoredResult)]
    assert len(found) == len(answers.outcomes)
    return found


def _levels(seed: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The levels of `frame(tables(50), seed)`: y (64, 4, 4), c (128, 2, 2)."""
    y, c = Encoder(tables(50)).quantise_batch(picture(seed)[None])
    assert c is not None
    return y[0].astype(float), c[0].astype(float)


async def _nothing_new() -> None:
    """No other process publishes."""
