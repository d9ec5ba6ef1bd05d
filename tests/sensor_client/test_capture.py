"""Camera to spool."""

import io
import os
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sensor_client.active_bundle import ActiveBundle
from sensor_client.capture import Capture, CaptureSettings
from sensor_client.interchange import to_interchange
from sensor_client.signals import Signals
from sensor_client.sources import Camera
from sensor_client.sources.folder import FolderCamera
from sensor_client.spool import Spool, SpooledFrame, SpoolError
from shared.bundle import Bundle
from shared.jpeg import Encoder, Fit, Sampling, Stream, inspect
from shared.pictures import Pixels, fitted
from tests.sensor_client.fakes import FakeClock
from tests.sensor_client.pictures import write_pictures
from tests.sensor_client.signed_bundles import THRIFTY, make_bundle

V1 = make_bundle(1)
V2 = make_bundle(2, quality=90)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_pictures(tmp_path / "pictures", 6, side=48)


class Rig:
    """A capture and what it works with."""

    def __init__(
        self,
        source: Path,
        spool: Spool,
        clock: FakeClock,
        signals: Signals,
        bundle: Bundle | None = V1,
        loop: bool = False,
        camera: Camera | None = None,
        **settings: Any,
    ) -> None:
        self.active = ActiveBundle(bundle)
        self.signals = signals
        self.capture = Capture(
            camera=camera or FolderCamera(source, is_looping=loop),
            active=self.active,
            spool=spool,
            clock=clock,
            random=lambda: 0.5,
            signals=signals,
            settings=CaptureSettings(**settings),
        )


def tables_stream_of(spool: Spool, frame: SpooledFrame) -> bytes:
    assert frame.tables_id is not None
    stream = spool.tables_stream(frame.tables_id)
    assert stream is not None
    return stream


def first_pictures(source: Path) -> list[Pixels]:
    return [fitted(shot.pixels(), Sampling.YUV420, (32, 32)) for shot in FolderCamera(source, is_looping=False).shots()]


@dataclass(frozen=True)
class Grey:
    """A shot that never was a file, of a camera that knows when the light fell."""

    captured_at: float | None
    label: str | None = None

    def pixels(self) -> Pixels:
        return np.full((40, 60), 77, np.uint8)


@dataclass(frozen=True)
class LiveCamera:
    times: tuple[float | None, ...]
    shot_count: int | None = None

    def shots(self) -> Iterator[Grey]:
        yield from map(Grey, self.times)


def test_a_camera_without_files_or_an_end_tells_when_its_pictures_were_taken(
    source: Path, spool: Spool, clock: FakeClock, signals: Signals
) -> None:
    rig = Rig(source, spool, clock, signals, camera=LiveCamera((1_000_000_000.25, None)))

    rig.capture.run()

    frames = spool.oldest(9)
    assert [frame.captured_at_ms for frame in frames] == [1_000_000_000_250, round(clock.now() * 1000)]
    assert [(inspect(frame.body).width, inspect(frame.body).height) for frame in frames] == [(32, 32)] * 2


def test_every_picture_is_encoded_with_the_active_tables_and_spooled_in_order(
    source: Path, spool: Spool, clock: FakeClock, signals: Signals
) -> None:
    Rig(source, spool, clock, signals).capture.run()

    frames = spool.oldest(99)
    assert [frame.sequence for frame in frames] == [1, 2, 3, 4, 5, 6]
    assert {frame.tables_id for frame in frames} == {V1.tables.tables_id}
    info = inspect(frames[0].body)
    assert (info.stream, info.width, info.height) == (Stream.ABBREVIATED, 32, 32)
    assert signals.source_ended.is_set() and signals.frames_waiting.is_set()


def test_a_spooled_frame_is_the_picture_once_its_tables_are_back(
    source: Path, spool: Spool, clock: FakeClock, signals: Signals
) -> None:
    Rig(source, spool, clock, signals, count=1).capture.run()

    [frame] = spool.oldest(1)
    whole = to_interchange(frame.body, tables_stream_of(spool, frame))

    original = first_pictures(source)[0]
    assert whole == Encoder(V1.tables).encode(original, Stream.INTERCHANGE)
    read = np.asarray(Image.open(io.BytesIO(whole)).convert("RGB")).astype(int)
    assert np.abs(read - original).mean() < 12


def test_the_bundles_settings_shape_its_frames_though_the_tables_are_the_same(
    source: Path, spool: Spool, clock: FakeClock, signals: Signals
) -> None:
    thrifty = make_bundle(2, settings=THRIFTY)
    rig = Rig(source, spool, clock, signals, frames_per_second=1)
    clock.on_wait = lambda seconds: rig.active.replace(thrifty) if len(spool.oldest(9)) == 3 else None

    rig.capture.run()

    pictures = first_pictures(source)
    plain, optimised = ([bundle.encoding.encoder().encode(each) for each in pictures] for bundle in (V1, thrifty))
    assert [frame.body for frame in spool.oldest(9)] == plain[:3] + optimised[3:]
    assert all(len(less) < len(more) for less, more in zip(optimised, plain, strict=True))


def test_interchange_frames_need_no_tables(source: Path, spool: Spool, clock: FakeClock, signals: Signals) -> None:
    Rig(source, spool, clock, signals, stream=Stream.INTERCHANGE, count=1).capture.run()

    [frame] = spool.oldest(1)
    assert frame.tables_id is None
    assert inspect(frame.body).stream is Stream.INTERCHANGE


def test_tables_change_between_two_frames(source: Path, spool: Spool, clock: FakeClock, signals: Signals) -> None:
    rig = Rig(source, spool, clock, signals, frames_per_second=1)
    clock.on_wait = lambda seconds: rig.active.replace(V2) if len(spool.oldest(9)) == 3 else None

    rig.capture.run()

    frames = spool.oldest(9)
    ids = [frame.tables_id for frame in frames]
    assert ids == [V1.tables.tables_id] * 3 + [V2.tables.tables_id] * 3
    assert all(tables_stream_of(spool, frame) for frame in frames)


def test_no_picture_is_taken_before_there_is_a_bundle(
    source: Path, spool: Spool, clock: FakeClock, signals: Signals
) -> None:
    rig = Rig(source, spool, clock, signals, bundle=None)
    seen = []

    def bring_a_bundle_later(seconds: float) -> None:
        seen.append(spool.counters().captured)
        if len(seen) == 3:
            rig.active.replace(V1)

    clock.on_wait = bring_a_bundle_later
    rig.capture.run()

    assert seen == [0, 0, 0] and spool.counters().encoded == 6


def test_a_bad_picture_is_counted_and_passed_over(
    source: Path, spool: Spool, clock: FakeClock, signals: Signals
) -> None:
    (source / "A" / "2.png").write_bytes(b"rubbish")

    Rig(source, spool, clock, signals).capture.run()

    counters = spool.counters()
    assert (counters.captured, counters.unreadable, counters.encoded) == (6, 1, 5)


def test_unreadable_pictures_are_set_aside_by_name_and_hold_up_nothing_behind_them(
    source: Path, spool: Spool, clock: FakeClock, signals: Signals
) -> None:
    for number in range(40):
        (source / f"{number - 50}.png").write_bytes(b"rubbish")
    (source / "A" / "0.png").unlink()
    os.mkfifo(source / "A" / "0.png")

    Rig(source, spool, clock, signals).capture.run()

    assert spool.counters().unreadable == 41 and spool.counters().encoded == 5
    assert clock.waits == []
    names = {picture.name: picture.reason for picture in spool.unreadable()}
    assert len(names) == 41
    assert names[str(source / "A" / "0.png")].startswith("is no file")


def test_a_frame_shows_the_part_of_the_picture_that_the_bundle_names(
    source: Path, spool: Spool, clock: FakeClock, signals: Signals
) -> None:
    fit = Fit(share=0.5)
    Rig(source, spool, clock, signals, bundle=make_bundle(1, fit=fit), count=1).capture.run()

    shot = next(FolderCamera(source, is_looping=False).shots())
    [frame] = spool.oldest(1)
    expected = fitted(shot.pixels(), Sampling.YUV420, (32, 32), fit)
    assert frame.body == V1.encoding.encoder().encode(expected)
    assert not np.array_equal(expected, first_pictures(source)[0])


def test_a_folder_of_rubbish_in_a_loop_keeps_no_processor_busy(
    tmp_path: Path, spool: Spool, clock: FakeClock, signals: Signals
) -> None:
    (tmp_path / "rubbish").mkdir()
    (tmp_path / "rubbish" / "0.png").write_bytes(b"rubbish")

    Rig(tmp_path / "rubbish", spool, clock, signals, loop=True, count=5).capture.run()

    assert clock.waits == [0.25, 0.5, 1.0, 2.0]  # met for the first time it holds nobody up


def test_pictures_are_taken_at_the_rate_asked_for(
    source: Path, spool: Spool, clock: FakeClock, signals: Signals
) -> None:
    Rig(source, spool, clock, signals, frames_per_second=4).capture.run()

    times = [frame.captured_at_ms for frame in spool.oldest(9)]
    assert np.diff(times).tolist() == [250] * 5


def test_a_camera_that_fell_behind_takes_no_burst(
    source: Path, spool: Spool, clock: FakeClock, signals: Signals
) -> None:
    rig = Rig(source, spool, clock, signals, frames_per_second=1)

    def stall_once(seconds: float) -> None:
        if spool.counters().encoded == 2:
            clock.elapsed_seconds += 10

    clock.on_wait = stall_once
    rig.capture.run()

    times = [frame.captured_at_ms for frame in spool.oldest(9)]
    assert np.diff(times).tolist() == [1000, 11000, 1000, 1000, 1000]


def test_a_count_ends_a_loop(source: Path, spool: Spool, clock: FakeClock, signals: Signals) -> None:
    Rig(source, spool, clock, signals, loop=True, count=8).capture.run()

    assert spool.counters().captured == 8


def test_labels_are_kept_only_where_they_are_to_be_told(
    source: Path, spool: Spool, clock: FakeClock, signals: Signals
) -> None:
    Rig(source, spool, clock, signals, count=2).capture.run()
    Rig(source, spool, clock, signals, count=2, keeps_labels=True).capture.run()

    assert [frame.label for frame in spool.oldest(9)] == [None, None, "A", "B"]


def test_a_stop_ends_it_between_two_frames(source: Path, spool: Spool, clock: FakeClock, signals: Signals) -> None:
    rig = Rig(source, spool, clock, signals, loop=True, frames_per_second=1)
    clock.on_wait = lambda seconds: signals.request_stop() if spool.counters().encoded == 3 else None

    rig.capture.run()

    assert spool.counters().encoded == 3 and signals.source_ended.is_set()


def fill_disk(spool: Spool) -> None:
    """Leave no room for another frame, as a full disk does."""
    set_page_limit(spool, "(SELECT page_count FROM pragma_page_count)")
    for size in (4096, 1):
        with pytest.raises(SpoolError, match="full"):
            while True:
                spool.append(bytes(size), 0)


def set_page_limit(spool: Spool, pages: str) -> None:
    with spool._database.reading() as connection:
        limit = connection.execute(f"SELECT {pages}").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {limit}")


def pictures_in(spool: Spool) -> list[tuple[int, bytes]]:
    return [(frame.captured_at_ms, frame.body) for frame in spool.oldest(999) if frame.tables_id is not None]


def test_a_frame_that_a_full_disk_did_not_take_is_stored_once_there_is_room(
    source: Path, spool: Spool, clock: FakeClock, signals: Signals
) -> None:
    rig = Rig(source, spool, clock, signals, frames_per_second=1)
    stored_while_full: list[int] = []

    def fill_then_make_room(seconds: float) -> None:
        if spool.counters().encoded == 2:
            fill_disk(spool)
        elif spool.counters().encoded > 2 and len(stored_while_full) < 3:
            stored_while_full.append(len(pictures_in(spool)))
            if len(stored_while_full) == 3:
                set_page_limit(spool, "100000")

    clock.on_wait = fill_then_make_room
    began_ms = round(clock.now() * 1000)
    rig.capture.run()

    expected = [V1.encoding.encoder().encode(pixels) for pixels in first_pictures(source)]
    assert stored_while_full == [2, 2, 2]
    assert [body for _, body in pictures_in(spool)] == expected
    assert [at_ms - began_ms for at_ms, _ in pictures_in(spool)][:3] == [0, 1000, 2000]  # taken before the wait
    assert [frame.sequence for frame in spool.oldest(999)] == list(range(1, spool.counters().encoded + 1))


def set_writable(spool: Spool, is_writable: bool) -> None:
    with spool._database.reading() as connection:
        connection.execute(f"PRAGMA query_only = {not is_writable}")


def test_tables_that_the_disk_did_not_take_are_stored_before_their_frames(
    source: Path, spool: Spool, clock: FakeClock, signals: Signals, lines: list[MutableMapping[str, Any]]
) -> None:
    set_writable(spool, False)
    clock.on_wait = lambda seconds: set_writable(spool, True) if len(clock.waits) == 2 else None

    Rig(source, spool, clock, signals, count=1).capture.run()

    assert clock.waits == [0.25, 0.5]
    events = [line["event"] for line in lines]
    assert (events.count("spool-not-written"), events.count("spool-written-again")) == (2, 1)
    assert [body for _, body in pictures_in(spool)] == [V1.encoding.encoder().encode(first_pictures(source)[0])]
    assert spool.tables_stream(V1.tables.tables_id) == V1.tables.to_stream()


def test_a_bad_picture_is_counted_once_the_disk_takes_the_count(
    source: Path, spool: Spool, clock: FakeClock, signals: Signals
) -> None:
    (source / "B" / "1.png").write_bytes(b"rubbish")
    waits_while_refused = []

    def refuse_for_a_while(seconds: float) -> None:
        counters = spool.counters()
        if counters.encoded == 1 and counters.unreadable == 0:
            waits_while_refused.append(seconds)
            set_writable(spool, len(waits_while_refused) == 3)

    clock.on_wait = refuse_for_a_while
    Rig(source, spool, clock, signals, frames_per_second=1, count=3).capture.run()

    assert waits_while_refused == [1.0, 0.25, 0.5]
    assert (spool.counters().unreadable, spool.counters().encoded) == (1, 2)


def test_a_stop_ends_the_wait_for_room(source: Path, spool: Spool, clock: FakeClock, signals: Signals) -> None:
    fill_disk(spool)
    clock.on_wait = lambda seconds: signals.request_stop() if len(clock.waits) == 2 else None

    Rig(source, spool, clock, signals).capture.run()

    assert clock.waits == [0.25, 0.5] and pictures_in(spool) == []
