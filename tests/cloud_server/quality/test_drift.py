"""Drift as a server sees it: which frames count, what is told and saved, and a real server whose frames change."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from sqlalchemy import select

from cloud_server.answered import AnsweredFrame, AnsweredFrames
from cloud_server.metrics import Metrics
from cloud_server.open_storage import engine_of
from cloud_server.quality import drift as drifting
from cloud_server.quality.choosing import Choosing
from cloud_server.quality.drift import BLOCK_FRAMES, VERSIONS_MAX, Drift, DriftChange, Version
from cloud_server.storage.database import Database
from cloud_server.storage.event_tables import events
from cloud_server.storage.migrating import migrate
from shared.bundle import BundleError, Encoding, Reference
from shared.bundle import Drift as Measured
from shared.bundle.coefficients import CoefficientStatistics, coefficient_statistics
from shared.bundle.signals import Signal, signals_of
from shared.jpeg import Encoder, Stream
from shared.wire import Batch, BatchItem, Match
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.frames import Pixels, picture, tables
from tests.cloud_server.harness.server import ServerHarness, server_in_thread, settings
from tests.cloud_server.harness.waiting import wait_until
from tests.cloud_server.quality.streams import CLASSES, drift_of, frames

Scenario = Callable[["Watching"], Awaitable[None]]
HELD_OUT = drift_of(frames(np.random.default_rng(1), 2_000))


@dataclass
class Watching:
    """A drift observer, what it told, and the references that it finds."""

    database: Database
    seconds: float = 100.0
    references: dict[str, Measured | Exception | None] = field(default_factory=dict)
    looked_for: list[str] = field(default_factory=list)
    told: list[DriftChange] = field(default_factory=list)
    metrics: Metrics = field(default_factory=Metrics)

    def drift(self, replica: str = "one", device_seconds: float = 0, frames_per_second: float = 1e6) -> Drift:
        """The observer of a process."""
        choosing = Choosing(frames_per_second, device_seconds, lambda: self.seconds)
        made = Drift(self.database, self._reference_of, self.metrics, choosing, replica, lambda: self.seconds)
        made.tell(self.told.append)
        return made

    async def _reference_of(self, name: str) -> Measured | None:
        self.looked_for.append(name)
        found = self.references.get(name)
        if isinstance(found, Exception):
            raise found
        return found

    def scraped(self, drift: Drift) -> list[str]:
        """The lines of /metrics that tell of drift."""
        self.metrics.set_drift(drift.figures())
        lines = self.metrics.exposition().decode().splitlines()
        return [line for line in lines if line.startswith("dctwire_drift_") and "_created" not in line]


@pytest.fixture
def run(tmp_path: Path) -> Callable[[Scenario], None]:
    """Run a scenario on a new database."""
    engine = engine_of(settings(tmp_path))
    migrate(engine)

    async def going(scenario: Scenario) -> None:
        database = Database(engine, asyncio.get_running_loop(), 30)
        try:
            await scenario(Watching(database))
        finally:
            await asyncio.to_thread(database.close)

    return lambda scenario: asyncio.run(going(scenario))


def answered(
    count: int,
    *,
    model: str = "digits/7",
    match: Match = Match.EXACT,
    is_counted: bool = True,
    device: int | None = None,
    with_statistics: bool = True,
) -> AnsweredFrames:
    """Frames, each of another device unless one is named, without any detail: all zeros."""
    blank = CoefficientStatistics(
        np.zeros((count, 64), np.float32), np.zeros((count, 2, 64), np.float32), np.ones(count, np.float32)
    )
    return AnsweredFrames(
        family="digits",
        model=model,
        labels=tuple(map(str, range(CLASSES))),
        match=match,
        tables="v7",
        table_set=None,
        answered_at=50.0,
        frames=tuple(
            AnsweredFrame(number if device is None else device, number, b"", 1, number % CLASSES, 0.5, is_counted)
            for number in range(count)
        ),
        statistics=blank if with_statistics else None,
    )


async def watched(watching: Watching, **arguments: float) -> Drift:
    """An observer that has found the reference of digits/7."""
    watching.references["digits/7"] = HELD_OUT
    drift = watching.drift(**arguments)  # type: ignore[arg-type]
    assert not drift.wants("digits/7", Match.EXACT, [1])
    await drift.follow()
    assert drift.wants("digits/7", Match.EXACT, [1])
    return drift


def test_frames_that_look_otherwise_raise_an_alarm_that_is_told_counted_and_shown(
    run: Callable[[Scenario], None],
) -> None:
    async def scenario(watching: Watching) -> None:
        drift = await watched(watching)
        drift.observe(answered(2 * BLOCK_FRAMES))
        began = {told.change.signal for told in watching.told}
        assert Signal.ZEROS in began
        assert {(told.version, told.change.has_begun, told.change.at) for told in watching.told} == {
            (Version("digits", 7), True, 50.0)
        }
        lines = watching.scraped(drift)
        assert 'dctwire_drift_alarms_total{family="digits",signal="zeros",tables="v7"} 1.0' in lines
        assert 'dctwire_drift_active{family="digits",signal="zeros",tables="v7"} 1.0' in lines
        assert 'dctwire_drift_since_timestamp_seconds{family="digits",signal="zeros",tables="v7"} 50.0' in lines
        assert f'dctwire_drift_frames_total{{family="digits",tables="v7"}} {2 * BLOCK_FRAMES}.0' in lines
        assert 'dctwire_drift_alarms_total{family="digits",signal="labels",tables="v7"} 0.0' in lines

    run(scenario)


@pytest.mark.parametrize(
    "arguments",
    [
        {"match": Match.FALLBACK},
        {"match": Match.RESIZED},
        {"is_counted": False},
        {"with_statistics": False},
        {"model": "digits/8"},
    ],
)
def test_frames_that_say_nothing_of_the_version_are_not_watched(
    run: Callable[[Scenario], None], arguments: dict[str, Match | bool | str]
) -> None:
    async def scenario(watching: Watching) -> None:
        drift = await watched(watching)
        drift.observe(answered(2 * BLOCK_FRAMES, **arguments))  # type: ignore[arg-type]
        assert watching.told == []
        assert {one.frames for one in drift.standing()} == {0}

    run(scenario)


def test_one_device_is_no_fleet(run: Callable[[Scenario], None]) -> None:
    async def scenario(watching: Watching) -> None:
        drift = await watched(watching, device_seconds=10)
        drift.observe(answered(50 * BLOCK_FRAMES, device=1))
        await drift.follow()
        assert {one.frames for one in drift.standing()} == {1}
        assert not drift.wants("digits/7", Match.EXACT, [1])

    run(scenario)


def test_frames_that_wait_for_a_block_are_looked_at_in_a_while(run: Callable[[Scenario], None]) -> None:
    async def scenario(watching: Watching) -> None:
        drift = await watched(watching)
        drift.observe(answered(BLOCK_FRAMES - 1))
        assert {one.frames for one in drift.standing()} == {0}
        await drift.follow()
        assert {one.frames for one in drift.standing()} == {BLOCK_FRAMES - 1}

    run(scenario)


def test_statistics_of_frames_from_other_tables_are_not_asked_for(run: Callable[[Scenario], None]) -> None:
    async def scenario(watching: Watching) -> None:
        drift = await watched(watching)
        assert not drift.wants("digits/7", Match.FALLBACK, [1])
        assert not drift.wants("digits/fallback-1", Match.FALLBACK, [1])
        await drift.follow()
        assert watching.looked_for == ["digits/7"]

    run(scenario)


def test_a_bundle_of_which_nothing_was_measured_is_looked_for_once(run: Callable[[Scenario], None]) -> None:
    async def scenario(watching: Watching) -> None:
        drift = watching.drift()
        for _ in range(3):
            assert not drift.wants("digits/1", Match.EXACT, [1])
            await drift.follow()
            watching.seconds += 1_000
        assert watching.looked_for == ["digits/1"]

    run(scenario)


def test_a_reference_that_cannot_be_read_is_tried_again(run: Callable[[Scenario], None]) -> None:
    async def scenario(watching: Watching) -> None:
        drift = watching.drift()
        watching.references["digits/7"] = BundleError("damaged")
        drift.wants("digits/7", Match.EXACT, [1])
        await drift.follow()
        watching.references["digits/7"] = HELD_OUT
        await drift.follow()
        assert not drift.wants("digits/7", Match.EXACT, [1]), "not at once"
        watching.seconds += drifting.RETRY_SECONDS
        await drift.follow()
        assert drift.wants("digits/7", Match.EXACT, [1])

    run(scenario)


def test_of_many_versions_those_with_frames_are_watched(run: Callable[[Scenario], None]) -> None:
    async def scenario(watching: Watching) -> None:
        drift = await watched(watching)
        for counter in range(100, 100 + VERSIONS_MAX):
            watching.references[f"digits/{counter}"] = HELD_OUT
            drift.wants(f"digits/{counter}", Match.EXACT, [1])
            await drift.follow()
            drift.observe(answered(1, model="digits/7"))
        versions = {one.version.counter for one in drift.standing()}
        assert len(versions) == VERSIONS_MAX
        assert versions == {7, *range(101, 100 + VERSIONS_MAX)}

    run(scenario)


def test_a_version_that_made_room_leaves_its_part_of_the_frames_to_the_others(
    run: Callable[[Scenario], None],
) -> None:
    async def scenario(watching: Watching) -> None:
        drift = await watched(watching, frames_per_second=210 * VERSIONS_MAX)
        newest = ""
        assert drift.wants("digits/7", Match.EXACT, [1])
        for counter in range(100, 100 + VERSIONS_MAX):
            newest = f"digits/{counter}"
            watching.references[newest] = HELD_OUT
            drift.wants(newest, Match.EXACT, [1])
            await drift.follow()
            assert drift.wants(newest, Match.EXACT, [1])
        assert not drift.wants("digits/7", Match.EXACT, [1])
        watching.seconds += 60
        assert sum(drift.wants(newest, Match.EXACT, [1]) for _ in range(1_000)) == pytest.approx(210, abs=3)

    run(scenario)


def test_every_process_shows_what_all_of_them_saved_lately(run: Callable[[Scenario], None]) -> None:
    async def scenario(watching: Watching) -> None:
        first, second = await watched(watching), watching.drift("two")
        first.observe(answered(8 * BLOCK_FRAMES))
        await first.save()
        found = [row for replica, row in await second.everywhere() if replica == "one"]
        assert [row.signal for row in found] == sorted(signal.value for signal in Signal)
        zeros = next(row for row in found if row.signal == "zeros")
        assert (zeros.family, zeros.counter, zeros.frames, zeros.alarms) == ("digits", 7, 8 * BLOCK_FRAMES, 1)
        assert zeros.since == 50.0
        assert zeros.score is not None

    run(scenario)


def test_how_signals_stand_is_saved_every_minute(run: Callable[[Scenario], None]) -> None:
    async def scenario(watching: Watching) -> None:
        drift = await watched(watching)
        drift.observe(answered(BLOCK_FRAMES))
        await drift.follow()
        assert {row.frames for _, row in await drift.everywhere()} == {0}
        watching.seconds += drifting.SAVE_SECONDS
        await drift.follow()
        assert {row.frames for _, row in await drift.everywhere()} == {BLOCK_FRAMES}

    run(scenario)


def dark(seed: int) -> Pixels:
    """A picture at night."""
    return (picture(seed) // 8).astype(np.uint8)


def reference_of(folder: Path) -> Reference:
    """As the trainer measures it, of 1,000 held-out pictures."""
    pixels = np.stack([picture(20_000 + seed) for seed in range(1_000)])
    y, c = Encoding(tables(50)).encoder().quantise_batch(pixels)
    assert c is not None
    session = onnxruntime.InferenceSession(str(folder / "classifier.onnx"), providers=["CPUExecutionProvider"])
    (logits,) = session.run(("logits",), {"y": y, "c": c})
    confidences = 1 / np.exp(logits - logits.max(1, keepdims=True)).sum(1)
    found = signals_of(coefficient_statistics(y, c), confidences, logits.argmax(1), logits.shape[1])
    measured = drift_of(found, bins=8)
    shown = {name: of for name, of in measured.signals.items() if name in ("luma_level", "cb_level")}
    return Reference(drift=Measured(n=measured.n, signals=shown))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerHarness]:
    folder = tmp_path_factory.mktemp("drift")
    write_bundle(folder / "first", "digits", 1, tables(50), seed=1)
    bundle = folder / "bundle"
    write_bundle(bundle, "digits", 1, tables(50), seed=1, reference=reference_of(folder / "first"))
    with server_in_thread(folder / "server", drift_frames_per_second=1e6, drift_device_seconds=0) as harness:
        harness.publish(bundle)
        harness.assign("digits", 1)
        yield harness


def posted(server: ServerHarness, pixels: Sequence[Pixels]) -> None:
    """Frames of these pictures, of a new device, in one batch."""
    encoder, device = Encoder(tables(50)), server.enrol("digits")
    scans = encoder.encode_batch(np.stack(pixels), Stream.SCAN)
    first = encoder.encode(pixels[0], Stream.ABBREVIATED)
    items = tuple(BatchItem(number, 1_700_000_000_000, scan) for number, scan in enumerate(scans))
    batch = Batch(first[: -len(scans[0]) - 2], items)
    headers = {"content-type": "application/vnd.dctwire.batch"}
    reply = device.http.post("/v1/frames:batch", content=batch.to_bytes(), headers=headers)
    assert reply.status_code == 200


def test_a_server_whose_cameras_see_the_night_says_so_and_did_not_before(server: ServerHarness) -> None:
    level = {"family": "digits", "tables": "v1", "signal": "luma_level"}

    def is_watched() -> bool:
        posted(server, [picture(0)])
        return ("dctwire_drift_active", frozenset(level.items())) in server.scrape().samples

    wait_until(is_watched)
    for start in range(0, 500, 100):
        posted(server, [picture(start + seed) for seed in range(100)])
    wait_until(lambda: ("dctwire_drift_score", frozenset(level.items())) in server.scrape().samples)
    before = server.scrape()
    assert before.value("dctwire_drift_active", family="digits") == 0
    assert before.value("dctwire_drift_alarms_total", family="digits") == 0
    posted(server, [dark(seed) for seed in range(100)])
    wait_until(lambda: server.scrape().value("dctwire_drift_active", **level) == 1)
    assert server.scrape().value("dctwire_drift_alarms_total", **level) == 1
    wait_until(lambda: ("drift.began", "digits/1") in told_events(server))


def told_events(server: ServerHarness) -> set[tuple[str, str]]:
    """Kinds and subjects of the events that webhooks are told of."""
    with server.database() as connection:
        return {(row.kind, row.subject) for row in connection.execute(select(events.c.kind, events.c.subject))}
