"""What ordinary JPEG would have cost: of which frames, how many bytes, and that nobody waits for it."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from cloud_server.answered import AnsweredFrame, AnsweredFrames
from cloud_server.errors import StorageError
from cloud_server.metrics import Metrics
from cloud_server.open_storage import engine_of
from cloud_server.quality.baselines import WAITING_MAX_BYTES, WAITING_MAX_FRAMES, Baselines, skipped
from cloud_server.storage.database import Database
from cloud_server.storage.migrating import migrate
from cloud_server.storage.sum_tables import hourly_baselines
from shared.bundle import BaselineFactor, Reference
from shared.jpeg import Encoder, Stream
from shared.wire import Match
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.frames import batch_with_scans, frame, picture, tables
from tests.cloud_server.harness.server import ServerHarness, server_in_thread, settings
from tests.shared.jpeg.pictures import pillow_jpeg

FACTOR = BaselineFactor(quality=75, factor=1.25, n=100)
HOUR = 11
Row = tuple[str, str, int, int, int, int, int]


def answered(*data: bytes, is_counted: bool = True) -> AnsweredFrames:
    """A micro-batch of frames of tables of quality 50."""
    return AnsweredFrames(
        family="digits",
        model="digits/1",
        labels=("zero", "one"),
        match=Match.EXACT,
        tables="v1",
        table_set=tables(50),
        answered_at=HOUR * 3600 + 7.5,
        frames=tuple(AnsweredFrame(1, number, one, 2, 0, 0.5, is_counted) for number, one in enumerate(data)),
        reference=Reference(baseline_factor=FACTOR),
    )


def dropped(metrics: Metrics, cause: str) -> float:
    """How many chosen frames were not measured."""
    name = f'dctwire_baselines_dropped_total{{cause="{cause}"}} '
    lines = metrics.exposition().decode().splitlines()
    return sum(float(line.removeprefix(name)) for line in lines if line.startswith(name))


Scenario = Callable[[Baselines, Metrics], Awaitable[None]]
Measured = Callable[..., list[Row]]


@pytest.fixture
def measured(tmp_path: Path) -> Measured:
    """What is summed up of micro-batches, by a process that chooses every frame unless a rate is given."""
    (tmp_path / "data").mkdir()

    def run(*batches: AnsweredFrames, rate: float = 1.0, then: Scenario | None = None) -> list[Row]:
        engine = engine_of(settings(tmp_path / "data"))
        migrate(engine)

        async def scenario() -> list[Row]:
            database, metrics = Database(engine, asyncio.get_running_loop(), 30), Metrics()
            baselines = Baselines(database, metrics, rate, 7, random.Random(1).random)
            for batch in batches:
                baselines.observe(batch)
            await baselines.save()
            if then is not None:
                await then(baselines, metrics)
            rows = await database.read(lambda connection: connection.execute(select(hourly_baselines)).all())
            await asyncio.to_thread(database.close)
            return [tuple(row) for row in rows]

        return asyncio.run(scenario())

    return run


def test_a_frame_costs_what_libjpeg_writes_at_the_quality_times_the_factor(measured: Measured) -> None:
    """Of frames whose steps are those of the quality, nothing is lost that their pictures had."""
    data = [Encoder(tables(75)).encode(picture(seed), Stream.ABBREVIATED) for seed in range(3)]
    batch = replace(answered(*data), table_set=tables(75))
    of_pictures = sum(len(pillow_jpeg(picture(seed), quality=75)) for seed in range(3))
    assert measured(batch) == [("digits", "v1", HOUR, 7, 3, sum(map(len, data)), round(1.25 * of_pictures))]


def test_coarse_frames_make_smaller_files_than_their_pictures(measured: Measured) -> None:
    data = [frame(tables(50), seed) for seed in range(3)]
    of_pictures = sum(len(pillow_jpeg(picture(seed), quality=75)) for seed in range(3))
    ((*_, payload_bytes, baseline_bytes),) = measured(answered(*data))
    assert payload_bytes < baseline_bytes < 1.25 * of_pictures


@pytest.mark.parametrize(
    "changes",
    [
        {"reference": None},
        {"reference": Reference(temperature=1.5)},
        {"match": Match.FALLBACK},
        {"match": Match.RESIZED},
        {"table_set": None},
    ],
)
def test_frames_that_the_factor_does_not_hold_for_are_not_measured(
    measured: Measured, changes: dict[str, object]
) -> None:
    async def look(_baselines: Baselines, metrics: Metrics) -> None:
        assert dropped(metrics, "unreadable") == 0, "nobody tries"

    assert measured(replace(answered(frame(tables(50))), **changes), then=look) == []  # type: ignore[arg-type]


def test_frames_of_devices_in_quarantine_are_not_measured(measured: Measured) -> None:
    assert measured(answered(frame(tables(50)), is_counted=False)) == []


def test_no_frame_is_chosen_at_a_rate_of_0(measured: Measured) -> None:
    assert measured(answered(frame(tables(50))), rate=0.0) == []


def test_each_frame_has_the_same_chance_wherever_it_stands_in_its_batch() -> None:
    rate, frames = 0.1, 40_000
    draw = np.random.default_rng(5)
    chosen, at = [], skipped(draw.random(), rate)
    while at < frames:
        chosen.append(at)
        at += 1 + skipped(draw.random(), rate)
    assert len(chosen) == pytest.approx(frames * rate, rel=0.05)
    assert np.bincount(np.array(chosen) % 8) == pytest.approx(frames * rate / 8, rel=0.15)
    assert skipped(0.0, rate) == 0
    assert skipped(1 - 2**-53, 1e-9) > 10**9


def test_as_many_frames_are_chosen_as_the_rate_says(measured: Measured) -> None:
    async def look(baselines: Baselines, metrics: Metrics) -> None:
        batch = answered(*[b"x"] * 20)
        for _ in range(1_000):
            baselines.observe(batch)
        assert WAITING_MAX_FRAMES + dropped(metrics, "queue") == pytest.approx(20_000 * 0.3, rel=0.05)

    measured(rate=0.3, then=look)


def test_which_frames_are_chosen_does_not_depend_on_how_they_come_together(measured: Measured) -> None:
    """The one that is chosen is told by its size."""
    data = [frame(tables(50), seed) for seed in range(30)]
    together = measured(answered(*data), rate=0.2)
    singly = measured(*(answered(one) for one in data), rate=0.2)
    ((*_, frames, payload_bytes, baseline_bytes),) = together
    assert 0 < frames < 15
    assert singly == [("digits", "v1", HOUR, 7, 2 * frames, 2 * payload_bytes, 2 * baseline_bytes)]


def test_a_frame_that_cannot_be_coded_anew_is_counted_and_harms_no_other(measured: Measured) -> None:
    good = frame(tables(50))

    async def look(_baselines: Baselines, metrics: Metrics) -> None:
        assert dropped(metrics, "unreadable") == 2

    ((*_, frames, payload_bytes, _),) = measured(answered(good[:60], good, b"no JPEG"), then=look)
    assert (frames, payload_bytes) == (1, len(good))


@pytest.mark.parametrize(
    ("size", "room"), [(1, WAITING_MAX_FRAMES), (WAITING_MAX_BYTES // 4, 4)], ids=["frames", "bytes"]
)
def test_what_waits_is_bounded_and_the_rest_is_dropped_and_counted(measured: Measured, size: int, room: int) -> None:
    async def look(baselines: Baselines, metrics: Metrics) -> None:
        baselines.observe(answered(*[bytes(size)] * (room + 3)))
        assert dropped(metrics, "queue") == 3
        await baselines.save()
        assert dropped(metrics, "unreadable") == room
        baselines.observe(answered(frame(tables(50))))
        await baselines.save()

    ((*_, frames, _, _),) = measured(then=look)
    assert frames == 1


def test_what_the_database_did_not_take_is_written_once_when_it_does(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    engine = engine_of(settings(tmp_path / "data"))

    async def scenario() -> Sequence[Row]:
        database, metrics = Database(engine, asyncio.get_running_loop(), 30), Metrics()
        baselines = Baselines(database, metrics, 1.0, 7, lambda: 0.0)
        baselines.observe(answered(frame(tables(50))))
        with pytest.raises(StorageError):
            await baselines.save()  # there are no tables yet
        baselines.observe(answered(frame(tables(50))))
        migrate(engine)
        for _ in range(2):
            await baselines.save()
        rows = await database.read(lambda connection: connection.execute(select(hourly_baselines)).all())
        await asyncio.to_thread(database.close)
        return [tuple(row) for row in rows]

    ((*_, frames, payload_bytes, _),) = asyncio.run(scenario())
    assert (frames, payload_bytes) == (2, 2 * len(frame(tables(50))))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerHarness]:
    """A server that measures every frame, of whose bundles one has a factor."""
    folder = tmp_path_factory.mktemp("server")
    write_bundle(folder / "v1", "digits", 1, tables(50), seed=1, reference=Reference(baseline_factor=FACTOR))
    write_bundle(folder / "v2", "digits", 2, tables(25), seed=2, reference=Reference(temperature=1.5))
    with server_in_thread(folder / "state", baseline_rate=1.0) as harness:
        harness.publish(folder / "v1")
        harness.publish(folder / "v2")
        harness.assign("digits", 1)
        yield harness


def test_a_report_tells_the_saving_though_nobody_posts_ordinary_jpeg(server: ServerHarness) -> None:
    device = server.enrol("digits")
    sent = [frame(tables(50), seed) for seed in range(3)]
    for number, data in enumerate(sent):
        assert device.post(data, number).status_code == 200
    batch = batch_with_scans(50, [3, 4], first_sequence=10)
    sent += [frame(tables(50), seed) for seed in (3, 4)]
    headers = {"content-type": "application/vnd.dctwire.batch"}
    assert device.http.post("/v1/frames:batch", content=batch.to_bytes(), headers=headers).status_code == 200
    assert device.post(frame(tables(25)), 20).status_code == 200
    document = server.client("operator").get("/v1/report", params={"family": "digits"}).json()
    v1, v2 = (next(one for one in document["versions"] if one["tables"] == name) for name in ("v1", "v2"))
    assert document["baseline"]["source"] == "unknown"
    assert v1["saving_source"] == "estimated"
    ordinary, http = v1["ordinary"], v1["bytes"]["http"]
    assert (ordinary["frames"], ordinary["sent"]) == (5, sum(map(len, sent)) / 5)
    assert v1["saving"] == pytest.approx(1 - (ordinary["sent"] + http) / (ordinary["bytes"] + http))
    assert 0.3 < v1["saving"] < 0.9
    assert (v2["saving"], v2["saving_source"], v2["ordinary"]) == (None, None, None)
    scrape = server.scrape()
    of_v1 = {"family": "digits", "tables": "v1"}
    assert scrape.value("dctwire_baseline_frames_total", **of_v1) == 5
    assert scrape.value("dctwire_baseline_payload_bytes_total", **of_v1) == sum(map(len, sent))
    assert scrape.value("dctwire_baseline_bytes_total", **of_v1) == pytest.approx(5 * ordinary["bytes"], abs=3)
    assert scrape.value("dctwire_baseline_frames_total", tables="v2") == 0
