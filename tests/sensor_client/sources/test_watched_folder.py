"""A folder into which pictures are put while the sensor runs."""

import os
import tracemalloc
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from sensor_client.sources import (
    Condition,
    Shot,
    SourceError,
    SourceSettings,
    SourceSurroundings,
    open_source,
)
from sensor_client.sources.read_shot import FailedShot
from sensor_client.sources.readiness import PATIENCE_SECONDS
from sensor_client.sources.watched_folder import WHOLE_LOOK_SECONDS, WatchedFolder
from shared.pictures import SENSOR_LIMITS, PictureError
from tests.sensor_client.fakes import FakeClock
from tests.sensor_client.sources.test_folder import save


class Watch:
    """Runs a camera for some seconds of a clock of ours, while things happen to its folder at given moments."""

    def __init__(self, folder: Path, around: SourceSurroundings, clock: FakeClock, **settings: Any) -> None:
        self.folder = folder
        self.around = around
        self.clock = clock
        self.settings = {"deletes": False, **settings}

    def __call__(self, seconds: float, *happen: tuple[float, Callable[[], object]]) -> list[Shot]:
        stop, began = Event(), self.clock.elapsed_seconds
        due = sorted(happen, key=lambda each: each[0])

        def pass_time(_: float) -> None:
            while due and self.clock.elapsed_seconds - began >= due[0][0]:
                due.pop(0)[1]()
            if self.clock.elapsed_seconds - began >= seconds:
                stop.set()

        self.clock.on_wait = pass_time
        camera = WatchedFolder(self.folder, self.around, **self.settings)
        return list(camera.shots(stop))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "drop").mkdir()
    return tmp_path / "drop"


@pytest.fixture
def watch(folder: Path, around: SourceSurroundings, clock: FakeClock) -> Watch:
    return Watch(folder, around, clock)


def put(path: Path, side: int = 8, at: float = 1_700_000_000.0) -> None:
    """A picture that appears by an atomic rename, last written at `at`."""
    temporary = path.with_name(f".{path.name}.png")
    save(temporary)
    os.utime(temporary, (at, at))
    temporary.rename(path)


def names(shots: list[Shot]) -> list[str]:
    return [Path(shot.error.name if isinstance(shot, FailedShot) else getattr(shot, "name", "")).name for shot in shots]


def test_pictures_are_taken_once_each_in_the_order_of_their_times_whenever_they_come(
    watch: Watch, folder: Path
) -> None:
    put(folder / "b.png", at=1_700_000_001)
    put(folder / "a.png", at=1_700_000_002)

    shots = watch(60, (10, lambda: put(folder / "c.png")), (20, lambda: put(folder / "d.png")))

    assert names(shots) == ["b.png", "a.png", "c.png", "d.png"]
    assert [shot.captured_at for shot in shots[:2]] == [1_700_000_001, 1_700_000_002]
    assert shots[0].pixels().shape == (8, 8, 3)


def test_a_restart_takes_none_again_but_one_that_was_written_anew(watch: Watch, folder: Path) -> None:
    put(folder / "a.png")
    put(folder / "latest.png")
    assert len(watch(5)) == 2

    put(folder / "latest.png", at=1_700_000_005)

    assert names(watch(5)) == ["latest.png"] and watch(5) == []


def test_a_picture_that_was_not_stored_before_a_stop_is_taken_at_the_next_start(watch: Watch, folder: Path) -> None:
    put(folder / "a.png")

    def taken_first(settles: bool) -> str:
        shots = WatchedFolder(folder, watch.around, deletes=False).shots(Event())
        shot = next(shots)
        if settles:
            shot.settle()
            shot.settle()
        shots.close()
        return names([shot])[0]

    assert [taken_first(settles=False), taken_first(settles=True)] == ["a.png", "a.png"]
    assert watch(5) == []


def test_a_file_that_is_overwritten_in_place_is_seen_at_the_next_whole_look(watch: Watch, folder: Path) -> None:
    put(folder / "latest.png")
    os.utime(folder, (1, 1))

    def overwrite() -> None:
        content = (folder / "latest.png").read_bytes()
        (folder / "latest.png").write_bytes(content)

    shots = watch(2 * WHOLE_LOOK_SECONDS + 5, (10, overwrite))

    assert names(shots) == ["latest.png"] * 2


def test_a_file_that_is_still_written_is_waited_for_and_read_once_it_is_whole(watch: Watch, folder: Path) -> None:
    save(folder / ".whole.png")
    whole = (folder / ".whole.png").read_bytes()
    path = folder / "slow.png"

    def write(quarters: int) -> None:
        path.write_bytes(whole[: len(whole) * quarters // 4])

    [shot] = watch(60, *((5.0 * quarters, partial(write, quarters)) for quarters in (1, 2, 3, 4)))

    assert shot.pixels().shape == (8, 8, 3)


def test_what_stays_cut_off_or_empty_is_given_after_long_patience_once_as_unreadable(
    watch: Watch, folder: Path
) -> None:
    save(folder / ".whole.png")
    (folder / "cut.png").write_bytes((folder / ".whole.png").read_bytes()[:40])
    (folder / "empty.jpg").write_bytes(b"")

    assert watch(PATIENCE_SECONDS - 2) == []
    shots = watch(3 * PATIENCE_SECONDS)

    assert sorted(names(shots)) == ["cut.png", "empty.jpg"]
    for shot in shots:
        with pytest.raises(PictureError):
            shot.pixels()


def test_a_file_too_long_to_be_read_is_given_once_as_unreadable_and_not_read(watch: Watch, folder: Path) -> None:
    with (folder / "sparse.png").open("wb") as file:
        file.truncate(SENSOR_LIMITS.file_bytes + 1)
    put(folder / "a.png")

    tracemalloc.start()
    shots = watch(3 * PATIENCE_SECONDS)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert sorted(names(shots)) == ["a.png", "sparse.png"] and peak_bytes < SENSOR_LIMITS.file_bytes // 8
    [failed] = [shot for shot in shots if isinstance(shot, FailedShot)]
    assert str(SENSOR_LIMITS.file_bytes) in str(failed.error)
    assert watch(3 * PATIENCE_SECONDS) == []


def test_what_was_deleted_or_changed_before_it_was_read_is_no_fault(watch: Watch, folder: Path) -> None:
    put(folder / "0.png", at=1_699_999_000)
    put(folder / "1.png")
    camera = WatchedFolder(folder, watch.around, deletes=False)
    shots = camera.shots(stop := Event())

    next(shots)
    (folder / "1.png").unlink()
    watch.clock.on_wait = lambda _: stop.set()

    assert list(shots) == []


def test_pipes_links_to_nowhere_and_folders_named_like_pictures_hold_nobody_up(watch: Watch, folder: Path) -> None:
    os.mkfifo(folder / "pipe.png")
    (folder / "nowhere.png").symlink_to("no-such-file")
    (folder / "folder.png").mkdir()
    put(folder / "folder.png" / "a.png")

    [shot] = watch(2 * PATIENCE_SECONDS)

    assert (names([shot]), shot.label) == (["a.png"], "folder.png")


def test_a_folder_that_goes_and_comes_back_is_told_and_nothing_is_taken_twice(
    watch: Watch, folder: Path, tmp_path: Path, lines: list[Mapping[str, Any]]
) -> None:
    put(folder / "a.png")
    aside = tmp_path / "unmounted"
    conditions: list[Condition] = []

    def come_back() -> None:
        conditions.append(watch.around.health.report.condition)
        aside.rename(folder)
        put(folder / "b.png")

    shots = watch(200, (10, lambda: folder.rename(aside)), (100, come_back))

    assert names(shots) == ["a.png", "b.png"] and conditions == [Condition.LOST]
    assert [line["event"] for line in lines] == ["source-lost", "source-back"]
    assert all(0.9 < seconds <= 10 for seconds in watch.clock.waits)


def test_a_folder_that_is_not_there_yet_is_waited_for(watch: Watch, folder: Path) -> None:
    folder.rmdir()

    def arrive() -> None:
        folder.mkdir()
        put(folder / "a.png")

    assert names(watch(60, (30, arrive))) == ["a.png"]


def test_pictures_are_deleted_once_they_are_settled_where_that_is_wished(
    folder: Path, around: SourceSurroundings, clock: FakeClock
) -> None:
    watch = Watch(folder, around, clock, deletes=True)
    put(folder / "a.png")
    put(folder / "b.png")
    camera = WatchedFolder(folder, around, deletes=True)
    first = next(camera.shots(Event()))
    assert len(list(folder.iterdir())) == 2
    first.settle()

    assert [path.name for path in folder.iterdir()] == ["b.png"]
    assert names(watch(5)) == ["b.png"] and not list(folder.iterdir()) and not around.memory.exists()


def test_a_file_is_not_deleted_that_took_the_place_of_the_one_that_was_taken(
    folder: Path, around: SourceSurroundings, clock: FakeClock
) -> None:
    put(folder / "a.png")
    shot = next(WatchedFolder(folder, around, deletes=True).shots(Event()))
    put(folder / "a.png", at=1_700_000_100)
    shot.settle()

    assert names(Watch(folder, around, clock, deletes=True)(5)) == ["a.png"]


def test_many_files_are_taken_a_bounded_number_at_a_time(
    folder: Path, around: SourceSurroundings, clock: FakeClock
) -> None:
    watch = Watch(folder, around, clock, pending_limit=4)
    for number in range(10):
        put(folder / f"{number}.png", at=1_700_000_000 + number)

    assert names(watch(10)) == [f"{number}.png" for number in range(10)]


def test_looking_costs_a_bounded_share_of_the_time(folder: Path, around: SourceSurroundings, clock: FakeClock) -> None:
    class Slow(WatchedFolder):
        def _look(self) -> None:
            clock.elapsed_seconds += 0.5

    stop = Event()
    clock.on_wait = lambda _: stop.set()
    list(Slow(folder, around, deletes=False).shots(stop))

    assert clock.waits == [10.0]


def test_a_watched_folder_is_opened_by_its_address_and_a_file_is_refused(
    folder: Path, around: SourceSurroundings
) -> None:
    settings = SourceSettings(is_watched=True)
    put(folder / "a.png")

    assert next(open_source(str(folder), settings, around).shots(Event())).label is None
    with pytest.raises(SourceError, match="is no folder"):
        open_source(str(folder / "a.png"), settings, around)


def test_a_picture_that_is_replaced_while_another_is_encoded_is_taken_once(watch: Watch, folder: Path) -> None:
    put(folder / "0.png", at=1_699_999_000)
    put(folder / "1.png")
    shots = WatchedFolder(folder, watch.around, deletes=False).shots(stop := Event())

    next(shots)
    put(folder / "1.png", side=9, at=1_700_000_100)
    watch.clock.on_wait = lambda _: stop.set() if len(watch.clock.waits) > 2 * WHOLE_LOOK_SECONDS else None

    assert [shot.pixels().shape for shot in shots] == [(8, 8, 3)]


def test_a_folder_that_nobody_waits_for_ends_behind_what_is_there(
    folder: Path, around: SourceSurroundings, clock: FakeClock
) -> None:
    watch = Watch(folder, around, clock, waits=False)
    assert watch(60) == [] and clock.waits == []
    put(folder / "a.png")
    assert names(watch(60)) == ["a.png"]
    (folder / "cut.jpg").write_bytes(b"\xff\xd8")
    began = clock.elapsed_seconds
    assert watch(60) == [] and clock.elapsed_seconds - began < 5
