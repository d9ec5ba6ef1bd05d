"""Camera to spool."""

import io
from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image

from sensor_client.active_bundle import ActiveBundle
from sensor_client.capture import Capture, CaptureSettings
from sensor_client.interchange import to_interchange
from sensor_client.picture_files import fitted
from sensor_client.sources.folder import FolderCamera
from sensor_client.spool import Spool, SpoolLimits
from shared.jpeg import Encoder, Sampling, Stream, inspect
from tests.sensor_client.pictures import write_pictures
from tests.sensor_client.signed_bundles import THRIFTY, make_bundle

V1 = make_bundle(1)
V2 = make_bundle(2, quality=90)


@pytest.fixture
def source(tmp_path):
    return write_pictures(tmp_path / "pictures", 6, side=48)


class Rig:
    """A capture and what it works with."""

    def __init__(self, source, spool, clock, signals, bundle=V1, loop=False, camera=None, **settings):
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


def first_pictures(source):
    return [fitted(shot.pixels(), Sampling.YUV420, (32, 32)) for shot in FolderCamera(source, is_looping=False).shots()]


@dataclass(frozen=True)
class Grey:
    """A shot that never was a file, of a camera that knows when the light fell."""

    captured_at: float | None
    label: str | None = None

    def pixels(self):
        return np.full((40, 60), 77, np.uint8)


@dataclass(frozen=True)
class LiveCamera:
    times: tuple[float | None, ...]
    shot_count: int | None = None

    def shots(self):
        yield from map(Grey, self.times)


def test_a_camera_without_files_or_an_end_tells_when_its_pictures_were_taken(source, spool, clock, signals):
    rig = Rig(source, spool, clock, signals, camera=LiveCamera((1_000_000_000.25, None)))

    rig.capture.run()

    frames = spool.oldest(9)
    assert [frame.captured_at_ms for frame in frames] == [1_000_000_000_250, round(clock.now() * 1000)]
    assert [(inspect(frame.body).width, inspect(frame.body).height) for frame in frames] == [(32, 32)] * 2


def test_every_picture_is_encoded_with_the_active_tables_and_spooled_in_order(source, spool, clock, signals):
    Rig(source, spool, clock, signals).capture.run()

    frames = spool.oldest(99)
    assert [frame.sequence for frame in frames] == [1, 2, 3, 4, 5, 6]
    assert {frame.tables_id for frame in frames} == {V1.tables.tables_id}
    info = inspect(frames[0].body)
    assert (info.stream, info.width, info.height) == (Stream.ABBREVIATED, 32, 32)
    assert signals.source_ended.is_set() and signals.frames_waiting.is_set()


def test_a_spooled_frame_is_the_picture_once_its_tables_are_back(source, spool, clock, signals):
    Rig(source, spool, clock, signals, count=1).capture.run()

    [frame] = spool.oldest(1)
    whole = to_interchange(frame.body, spool.tables_stream(frame.tables_id))

    original = first_pictures(source)[0]
    assert whole == Encoder(V1.tables).encode(original, Stream.INTERCHANGE)
    read = np.asarray(Image.open(io.BytesIO(whole)).convert("RGB")).astype(int)
    assert np.abs(read - original).mean() < 12


def test_the_bundles_settings_shape_its_frames_though_the_tables_are_the_same(source, spool, clock, signals):
    thrifty = make_bundle(2, settings=THRIFTY)
    rig = Rig(source, spool, clock, signals, frames_per_second=1)
    clock.on_wait = lambda seconds: rig.active.replace(thrifty) if len(spool.oldest(9)) == 3 else None

    rig.capture.run()

    pictures = first_pictures(source)
    plain, optimised = ([bundle.encoding.encoder().encode(each) for each in pictures] for bundle in (V1, thrifty))
    assert [frame.body for frame in spool.oldest(9)] == plain[:3] + optimised[3:]
    assert all(len(less) < len(more) for less, more in zip(optimised, plain, strict=True))


def test_interchange_frames_need_no_tables(source, spool, clock, signals):
    Rig(source, spool, clock, signals, stream=Stream.INTERCHANGE, count=1).capture.run()

    [frame] = spool.oldest(1)
    assert frame.tables_id is None
    assert inspect(frame.body).stream is Stream.INTERCHANGE


def test_tables_change_between_two_frames(source, spool, clock, signals):
    rig = Rig(source, spool, clock, signals, frames_per_second=1)
    clock.on_wait = lambda seconds: rig.active.replace(V2) if len(spool.oldest(9)) == 3 else None

    rig.capture.run()

    ids = [frame.tables_id for frame in spool.oldest(9)]
    assert ids == [V1.tables.tables_id] * 3 + [V2.tables.tables_id] * 3
    assert all(spool.tables_stream(tables_id) for tables_id in ids)


def test_no_picture_is_taken_before_there_is_a_bundle(source, spool, clock, signals):
    rig = Rig(source, spool, clock, signals, bundle=None)
    seen = []

    def bring_a_bundle_later(seconds):
        seen.append(spool.counters().captured)
        if len(seen) == 3:
            rig.active.replace(V1)

    clock.on_wait = bring_a_bundle_later
    rig.capture.run()

    assert seen == [0, 0, 0] and spool.counters().encoded == 6


def test_a_bad_picture_is_counted_and_passed_over(source, spool, clock, signals):
    (source / "A" / "2.png").write_bytes(b"rubbish")

    Rig(source, spool, clock, signals).capture.run()

    counters = spool.counters()
    assert (counters.captured, counters.unreadable, counters.encoded) == (6, 1, 5)


def test_a_folder_of_rubbish_in_a_loop_keeps_no_processor_busy(tmp_path, spool, clock, signals):
    (tmp_path / "rubbish").mkdir()
    (tmp_path / "rubbish" / "0.png").write_bytes(b"rubbish")

    Rig(tmp_path / "rubbish", spool, clock, signals, loop=True, count=5).capture.run()

    assert clock.waits == [0.25, 0.5, 1.0, 2.0, 4.0]


def test_pictures_are_taken_at_the_rate_asked_for(source, spool, clock, signals):
    Rig(source, spool, clock, signals, frames_per_second=4).capture.run()

    times = [frame.captured_at_ms for frame in spool.oldest(9)]
    assert np.diff(times).tolist() == [250] * 5


def test_a_camera_that_fell_behind_takes_no_burst(source, spool, clock, signals):
    rig = Rig(source, spool, clock, signals, frames_per_second=1)

    def stall_once(seconds):
        if spool.counters().encoded == 2:
            clock.elapsed_seconds += 10

    clock.on_wait = stall_once
    rig.capture.run()

    times = [frame.captured_at_ms for frame in spool.oldest(9)]
    assert np.diff(times).tolist() == [1000, 11000, 1000, 1000, 1000]


def test_a_count_ends_a_loop(source, spool, clock, signals):
    Rig(source, spool, clock, signals, loop=True, count=8).capture.run()

    assert spool.counters().captured == 8


def test_labels_are_kept_only_where_they_are_to_be_told(source, spool, clock, signals):
    Rig(source, spool, clock, signals, count=2).capture.run()
    Rig(source, spool, clock, signals, count=2, keeps_labels=True).capture.run()

    assert [frame.label for frame in spool.oldest(9)] == [None, None, "A", "B"]


def test_a_stop_ends_it_between_two_frames(source, spool, clock, signals):
    rig = Rig(source, spool, clock, signals, loop=True, frames_per_second=1)
    clock.on_wait = lambda seconds: signals.request_stop() if spool.counters().encoded == 3 else None

    rig.capture.run()

    assert spool.counters().encoded == 3 and signals.source_ended.is_set()


def test_a_full_disk_makes_the_camera_wait_and_loses_no_number(source, tmp_path, clock, signals):
    spool = Spool(tmp_path / "small.sqlite3", SpoolLimits())
    rig = Rig(source, spool, clock, signals)
    Rig(source, spool, clock, signals, count=1).capture.run()
    with spool._database.reading() as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")
    spool.append(bytes(1200), 0)  # what room was left

    def make_room(seconds):
        with spool._database.reading() as connection:
            connection.execute("PRAGMA max_page_count = 100000")

    clock.on_wait = make_room
    rig.capture.run()

    assert [frame.sequence for frame in spool.oldest(99)] == list(range(1, 9))
    spool.close()
