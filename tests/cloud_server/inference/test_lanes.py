"""Which lane a frame gets while classifiers are loaded, fail to load, or are published by another process."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter

import pytest

from cloud_server.errors import NotReadyError, QueueFullError, TimedOutError, WrongSizeError
from cloud_server.fleet.devices import Device
from cloud_server.inference.lanes import Lanes
from cloud_server.inference.routing import Lane, Published, RoutingTable
from shared.errors import DctwireError
from shared.jpeg import FrameInfo, JpegError, Stream, UnknownTablesError, inspect
from shared.wire import Match
from tests.cloud_server.harness.frames import frame, tables
from tests.cloud_server.inference.model_bench import ModelBench

FAMILY = "a"
SOON_SECONDS, LONG_SECONDS = 0.05, 30.0


class LaneBench(ModelBench):
    """A bench of four bundles of one family, with tables of quality 41 to 44, of which the first is published."""

    def __init__(self, folder: Path, loader: ThreadPoolExecutor, waiting_max: int = 1) -> None:
        super().__init__(folder, loader)
        self.refreshed = 0
        self.published_meanwhile: list[Published] = []
        self.routing = RoutingTable.of(self.bundles[:1])
        self.assigned: int | None = None
        self.families_of_own_size = {FAMILY}
        self.device = Device(1, "dev1", FAMILY, b"", 0.0)
        self.lanes = Lanes(
            lambda: self.routing,
            self.models,
            self._refresh,
            lambda _device: self.assigned,
            self.families_of_own_size,
            waiting_max,
        )

    async def of(self, *infos: FrameInfo | JpegError, seconds: float = LONG_SECONDS) -> list[Lane | DctwireError]:
        """The lanes of frames that may wait so long."""
        return await self.lanes.of(self.device, infos, perf_counter() + seconds)

    async def _refresh(self) -> None:
        self.refreshed += 1
        self.routing = self.routing.leading_to([*self.routing.published.values(), *self.published_meanwhile])


@pytest.fixture
def bench(tmp_path: Path, loader: ThreadPoolExecutor) -> LaneBench:
    """A fresh one, where one frame may wait for a classifier."""
    return LaneBench(tmp_path, loader)


def info(number: int, stream: Stream = Stream.ABBREVIATED, side: int = 32) -> FrameInfo:
    """What the markers of a frame with a bundle's tables say."""
    return inspect(frame(tables(40 + number), 0, stream, side))


def name_of(lane: Lane | DctwireError) -> str:
    """The bundle that a lane leads to."""
    assert isinstance(lane, Lane)
    return lane.model.name


def test_a_frame_that_waited_too_long_for_a_classifier_gives_its_place_back(bench: LaneBench) -> None:
    async def scenario() -> None:
        bench.gate.clear()
        for _ in range(3):
            (late,) = await bench.of(info(1), seconds=SOON_SECONDS)
            assert isinstance(late, TimedOutError)
        bench.gate.set()
        assert name_of((await bench.of(info(1)))[0]) == "a/1"

    asyncio.run(scenario())


def test_frames_of_another_size_are_resized_only_where_the_request_and_the_family_allow_it(bench: LaneBench) -> None:
    async def scenario() -> None:
        large = info(1, Stream.INTERCHANGE, side=64)
        (of_own_size,) = await bench.of(large)
        assert isinstance(of_own_size, WrongSizeError)
        bench.families_of_own_size.clear()
        (resized,) = await bench.of(large)
        assert isinstance(resized, Lane)
        assert resized.match is Match.RESIZED
        (refused,) = await bench.lanes.of(bench.device, [large], perf_counter() + LONG_SECONDS, may_resize=False)
        assert isinstance(refused, WrongSizeError)

    asyncio.run(scenario())


def test_no_more_frames_wait_for_classifiers_than_may(bench: LaneBench) -> None:
    async def scenario() -> None:
        bench.gate.clear()
        patient = asyncio.ensure_future(bench.of(info(1)))
        await asyncio.sleep(0)
        (refused,) = await bench.of(info(1))
        assert isinstance(refused, QueueFullError)
        bench.gate.set()
        assert name_of((await patient)[0]) == "a/1"

    asyncio.run(scenario())


def test_where_the_best_classifier_cannot_be_loaded_the_next_best_answers(bench: LaneBench) -> None:
    async def scenario() -> None:
        bench.routing = RoutingTable.of(bench.bundles[:2])
        bench.broken.add("a/2")
        (lane,) = await bench.of(info(2))
        assert isinstance(lane, Lane)
        assert (lane.model.name, lane.match) == ("a/1", Match.FALLBACK)
        assert bench.asked == ["a/2", "a/1"]

    asyncio.run(scenario())


def test_a_frame_that_means_no_bundle_goes_to_the_one_that_is_assigned_to_its_device(bench: LaneBench) -> None:
    async def scenario() -> None:
        other = inspect(frame(tables(90), 0, Stream.INTERCHANGE))
        cases = ((1, None, "a/1"), (3, None, "a/1"), (3, 2, "a/2"), (3, 3, "a/3"), (4, 2, "a/2"))
        for number, assigned, expected in cases:
            bench.routing, bench.assigned = RoutingTable.of(bench.bundles[:number]), assigned
            assert name_of((await bench.of(other))[0]) == expected
            assert name_of((await bench.of(info(1)))[0]) == "a/1", "these tables are one bundle's alone"

    asyncio.run(scenario())


def test_where_no_classifier_can_be_loaded_the_frame_may_come_back(bench: LaneBench) -> None:
    async def scenario() -> None:
        bench.broken.add("a/1")
        (error,) = await bench.of(info(1))
        assert isinstance(error, NotReadyError)

    asyncio.run(scenario())


def test_frames_whose_markers_say_the_same_share_a_lane_and_errors_stay(bench: LaneBench) -> None:
    async def scenario() -> None:
        same, damaged, large = info(1), JpegError("damaged"), info(1, side=64)
        lanes = await bench.of(same, same, damaged, large, same)
        assert lanes[2] is damaged
        assert isinstance(lanes[3], WrongSizeError)
        assert lanes[0] is lanes[1] == lanes[4]
        assert name_of(lanes[0]) == "a/1"

    asyncio.run(scenario())


def test_tables_that_nobody_knows_are_looked_for_once_more(bench: LaneBench) -> None:
    async def scenario() -> None:
        (unknown,) = await bench.of(info(3))
        assert isinstance(unknown, UnknownTablesError)
        bench.published_meanwhile = [bench.bundles[2]]
        (lane,) = await bench.of(info(3))
        assert name_of(lane) == "a/3"
        assert bench.refreshed == 2
        await bench.of(info(3))
        assert bench.refreshed == 2, "what is known needs no other look"

    asyncio.run(scenario())


def test_a_family_of_which_nothing_is_published_is_looked_for_once_more(bench: LaneBench) -> None:
    async def scenario() -> None:
        await bench.lanes.require(FAMILY)
        assert bench.refreshed == 0
        bench.routing = RoutingTable()
        with pytest.raises(NotReadyError):
            await bench.lanes.require(FAMILY)
        bench.published_meanwhile = [bench.bundles[0]]
        await bench.lanes.require(FAMILY)
        assert bench.refreshed == 2

    asyncio.run(scenario())
