"""Camera to spool."""

import io
import os
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sensor_client.active_bundle import ActiveBundle
from sensor_client.capture import ENCODE_ATTEMPTS, Capture, CaptureSettings
from sensor_client.encode_times import EncodeTimes
from sensor_client.interchange import to_interchange
from sensor_client.ota.evidence import Evidence, Seen
from sensor_client.policies import CaptureOrders, HeldCaptureOrders, OnChange, Region, Requests
from sensor_client.signals import Signals
from sensor_client.sources import Camera
from sensor_client.sources.folder import FolderCamera
from sensor_client.spool import Priority, Spool, SpooledFrame, SpoolError
from shared.bundle import Bundle
from shared.jpeg import Encoder, Fit, Resize, Sampling, Stream, Transcoder, inspect
from shared.pictures import Pixels, fitted, read_pixels
from shared.wire import Kind
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
        **chosen: Any,
    ) -> None:
        fixed = {each.name: chosen.pop(each.name) for each in fields(CaptureSettings) if each.name in chosen}
        self.active = ActiveBundle(bundle)
        self.evidence = Evidence(wake=lambda: None)
        self.signals = signals
        self.orders = HeldCaptureOrders(CaptureOrders(**chosen))
        self.requests = Requests()
        self.time_floor = 0.0
        self.capture = Capture(
            device_id="dev1",
            camera=camera or FolderCamera(source, is_looping=loop),
            active=self.active,
            spool=spool,
            times=EncodeTimes(clock),
            witness=self.evidence,
            prober=None,
            clock=clock,
            random=lambda: 0.5,
            signals=signals,
            orders=self.orders,
            requests=self.requests,
            time_floor=lambda: self.time_floor,
            settings=CaptureSettings(**fixed),
        )


def tables_stream_of(spool: Spool, frame: SpooledFrame) -> bytes:
    assert frame.tables_id is not None
    stream = spool.tables_stream(frame.tables_id)
    assert stream is not None
    return stream


def first_pictures(source: Path) -> list[Pixels]:
    return [
        fitted(shot.pixels(), Sampling.YUV420, (32, 32))
        for shot in FolderCamera(source, is_looping=False).shots(Event())
    ]


@dataclass(frozen=True)
class Grey:
    """A shot that never was a file, of a camera that knows when the light fell."""

    captured_at: float | None
    label: str | None = None

    def jpeg(self) -> bytes | None:
        return None

    def pixels(self) -> Pixels:
        return np.full((40, 60), 77, np.uint8)

    def settle(self) -> None:
        return None


@dataclass(frozen=True)
class LiveCamera:
    times: tuple[float | None, ...]
    shot_count: int | None = None

    def shots(self, stop: Event) -> Generator[Grey, None, None]:
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
    assert (frame.tables_id, frame.target) == (None, V1.target_path)
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

    shot = next(FolderCamera(source, is_looping=False).shots(Event()))
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


class Slow:
    """A live camera: each shot is what is seen when it is asked for."""

    shot_count = None

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.is_closed = False

    def shots(self, stop: Event) -> Generator[Grey, None, None]:
        try:
            while True:
                yield Grey(self._clock.now())
        finally:
            self.is_closed = True


def test_a_live_camera_is_asked_when_a_picture_is_due_and_let_go_of_at_the_end(
    source: Path, spool: Spool, clock: FakeClock, signals: Signals
) -> None:
    began_ms = round(clock.now() * 1000)
    camera = Slow(clock)

    Rig(source, spool, clock, signals, camera=camera, frames_per_second=0.01, count=3).capture.run()

    assert [frame.captured_at_ms - began_ms for frame in spool.oldest(9)] == [0, 100_000, 200_000]
    assert camera.is_closed and sum(clock.waits) == 200


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
    source: Path, spool: Spool, clock: FakeClock, signals: Signals, lines: list[Mapping[str, Any]]
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


UNABLE = make_bundle(3, quality=30, lapping={"taps": [0.5]})  # no version of the encoder can do that


def test_an_encoder_that_fails_is_told_of_and_no_picture_is_lost_once_the_tables_are_taken_back(
    source: Path, spool: Spool, clock: FakeClock, signals: Signals
) -> None:
    rig = Rig(source, spool, clock, signals, bundle=UNABLE)
    rig.evidence.watch(UNABLE.target_path)
    clock.on_wait = lambda seconds: rig.active.replace(V1)

    rig.capture.run()

    failure = rig.evidence.take().failure
    assert failure is not None and failure.startswith("UnsupportedBundleError")
    assert [frame.tables_id for frame in spool.oldest(99)] == [V1.tables.tables_id] * 6


def test_an_encoder_that_goes_on_failing_costs_its_pictures_and_ends_nothing(
    source: Path, spool: Spool, clock: FakeClock, signals: Signals
) -> None:
    rig = Rig(source, spool, clock, signals, bundle=UNABLE)

    rig.capture.run()

    assert not spool.oldest(99) and signals.source_ended.is_set() and len(clock.waits) > 6


def test_a_picture_that_became_a_frame_is_told_of(
    source: Path, spool: Spool, clock: FakeClock, signals: Signals
) -> None:
    rig = Rig(source, spool, clock, signals)
    rig.evidence.watch(V1.target_path)

    rig.capture.run()

    assert rig.evidence.take() == Seen(was_encoded=True)


def everything(spool: Spool) -> list[SpooledFrame]:
    """All frames that wait, of every priority."""
    found: list[SpooledFrame] = []
    while more := spool.oldest(999, but=[frame.sequence for frame in found]):
        found += more
    return sorted(found, key=lambda frame: frame.sequence)


@dataclass(frozen=True)
class JpegShot:
    """A shot of a camera that gives JPEG."""

    data: bytes
    settled: list[bytes]
    label: str | None = None
    captured_at: float | None = None

    def jpeg(self) -> bytes:
        return self.data

    def settle(self) -> None:
        self.settled.append(self.data)

    def pixels(self) -> Pixels:
        return read_pixels(self.data, "shot")


@dataclass(frozen=True)
class JpegCamera:
    """Gives these JPEGs, one after the other."""

    streams: Sequence[bytes]
    shot_count: int | None = None
    settled: list[bytes] = field(default_factory=list)

    def shots(self, stop: Event) -> Generator[JpegShot, None, None]:
        for stream in self.streams:
            yield JpegShot(stream, self.settled)


def jpeg_of(shade: int, mode: str = "RGB") -> bytes:
    """A grey picture with a square of another shade in it."""
    image = Image.new("RGB", (160, 120), (128, 128, 128))
    image.paste((shade, shade, shade), (60, 40, 90, 70))
    out = io.BytesIO()
    image.convert(mode).save(out, "jpeg", quality=92)
    return out.getvalue()


def showing(*shades: int) -> JpegCamera:
    return JpegCamera([jpeg_of(shade) for shade in shades])


def test_a_jpeg_camera_is_transcoded_by_default_with_the_bundles_settings(
    source: Path, spool: Spool, clock: FakeClock, signals: Signals
) -> None:
    thrifty, camera = make_bundle(2, settings=THRIFTY), showing(200)
    Rig(source, spool, clock, signals, bundle=thrifty, camera=camera).capture.run()

    [frame] = spool.oldest(9)
    settings = thrifty.encoding.settings.quantisation()
    transcoder = Transcoder(thrifty.tables, resize=Resize(32, 32), quantisation=settings)
    assert frame.body == transcoder.transcode(camera.streams[0])
    assert (spool.counters().transcoded, spool.counters().untranscodable) == (1, 0)


def test_without_transcoding_a_jpeg_goes_by_its_pixels(
    source: Path, spool: Spool, clock: FakeClock, signals: Signals
) -> None:
    camera = showing(200)
    Rig(source, spool, clock, signals, camera=camera, transcodes=False).capture.run()

    [frame] = spool.oldest(9)
    pixels = fitted(read_pixels(camera.streams[0], "shot"), Sampling.YUV420, (32, 32))
    assert frame.body == V1.encoding.encoder().encode(pixels) and spool.counters().transcoded == 0


def test_jpegs_that_the_codec_refuses_go_by_their_pixels_and_are_counted_and_rarely_told(
    source: Path, spool: Spool, clock: FakeClock, signals: Signals, lines: list[Mapping[str, Any]]
) -> None:
    Rig(source, spool, clock, signals, camera=JpegCamera([jpeg_of(200, "CMYK")] * 5)).capture.run()

    counters = spool.counters()
    assert (counters.encoded, counters.transcoded, counters.untranscodable, counters.unreadable) == (5, 0, 5, 0)
    warnings = [line for line in lines if line["log_level"] == "warning"]
    assert [(line["event"], line["so_far"]) for line in warnings] == [("jpeg-not-transcoded", so) for so in (1, 2, 4)]


def test_a_jpeg_that_nobody_can_read_blames_no_bundle_and_is_set_aside(
    source: Path, spool: Spool, clock: FakeClock, signals: Signals
) -> None:
    rig = Rig(source, spool, clock, signals, camera=JpegCamera([jpeg_of(200)[:700], jpeg_of(200)]))
    rig.evidence.watch(V1.target_path)

    rig.capture.run()

    counters = spool.counters()
    assert (counters.captured, counters.encoded, counters.unreadable) == (2, 1, 1)
    assert rig.evidence.take() == Seen(was_encoded=True)


@pytest.mark.parametrize("transcodes", [True, False])
def test_on_change_only_pictures_that_differ_are_sent_and_the_others_are_counted(
    source: Path, spool: Spool, clock: FakeClock, signals: Signals, transcodes: bool
) -> None:
    camera = showing(128, 130, 128, 200, 255, 255, 254, 255)
    orders: dict[str, Any] = {"on_change": OnChange(8.0), "frames_per_second": 1}
    Rig(source, spool, clock, signals, camera=camera, transcodes=transcodes, **orders).capture.run()

    frames, counters = everything(spool), spool.counters()
    assert np.subtract([frame.captured_at_ms for frame in frames], frames[0].captured_at_ms).tolist() == [
        0,
        3000,
        4000,
        5000,
    ]
    assert [frame.priority for frame in frames] == [Priority.ORDINARY, *3 * [Priority.CHANGE]]
    assert (counters.captured, counters.encoded, counters.unchanged, counters.unreadable) == (8, 4, 4, 0)
    assert camera.settled == list(camera.streams), "a source need not give again what showed nothing new"


def test_a_picture_that_was_never_stored_is_not_compared_with(
    source: Path, spool: Spool, clock: FakeClock, signals: Signals
) -> None:
    camera = showing(128, 128, 128, 128)
    rig = Rig(source, spool, clock, signals, bundle=UNABLE, camera=camera, on_change=OnChange(8.0))
    clock.on_wait = lambda seconds: rig.active.replace(V1) if len(clock.waits) == ENCODE_ATTEMPTS else None

    rig.capture.run()

    assert (spool.counters().encoded, spool.counters().unchanged) == (1, 2)


def test_counts_of_unchanged_pictures_cost_the_disk_one_write_a_minute(
    source: Path, spool: Spool, clock: FakeClock, signals: Signals
) -> None:
    camera = showing(*[128] * 200)
    orders: dict[str, Any] = {"on_change": OnChange(8.0), "frames_per_second": 1}
    seen: list[int] = []
    clock.on_wait = lambda seconds: seen.append(spool.counters().unchanged)

    Rig(source, spool, clock, signals, camera=camera, **orders).capture.run()

    assert sorted(set(seen)) == [0, 60, 120, 180]
    assert (spool.counters().unchanged, spool.counters().captured) == (199, 200)


def test_a_region_that_is_ordered_anew_is_another_view_whose_first_picture_is_sent(
    source: Path, spool: Spool, clock: FakeClock, signals: Signals
) -> None:
    orders: dict[str, Any] = {"on_change": OnChange(8.0), "frames_per_second": 1}
    rig = Rig(source, spool, clock, signals, camera=showing(200, 200, 200, 200), **orders)
    narrow = CaptureOrders(on_change=OnChange(8.0), frames_per_second=1, region=Region(0.25, 0.25, 0.5, 0.5))
    clock.on_wait = lambda seconds: rig.orders.replace(narrow) if len(clock.waits) == 2 else None

    rig.capture.run()

    first, second = everything(spool)
    assert second.captured_at_ms - first.captured_at_ms == 2000
    assert first.body != second.body


def test_a_picture_that_is_asked_for_is_sent_whatever_it_shows_and_before_all_others(
    source: Path, spool: Spool, clock: FakeClock, signals: Signals
) -> None:
    orders: dict[str, Any] = {"on_change": OnChange(8.0), "frames_per_second": 1, "sampling_share": 1e-9}
    rig = Rig(source, spool, clock, signals, camera=showing(*[128] * 6), **orders)
    clock.on_wait = lambda seconds: rig.requests.ask() if len(clock.waits) in (3, 4) else None

    rig.capture.run()

    assert [frame.priority for frame in everything(spool)] == [Priority.REQUESTED] * 2
    assert not rig.requests.are_waiting
    assert (spool.counters().passed_over, spool.counters().captured) == (4, 2)


def test_after_a_time_in_which_all_pictures_were_sent_the_next_one_is_compared_with_none_of_before(
    source: Path, spool: Spool, clock: FakeClock, signals: Signals
) -> None:
    changes, everything_ = (
        CaptureOrders(on_change=on_change, frames_per_second=1) for on_change in (OnChange(8.0), None)
    )
    rig = Rig(source, spool, clock, signals, camera=showing(*[128] * 6), on_change=OnChange(8.0), frames_per_second=1)
    ordered = {2: everything_, 4: changes}
    clock.on_wait = lambda seconds: rig.orders.replace(ordered.get(len(clock.waits), rig.orders.now))

    rig.capture.run()

    first = everything(spool)[0].captured_at_ms
    assert [frame.captured_at_ms - first for frame in everything(spool)] == [0, 2000, 3000, 4000]


def test_a_picture_that_is_asked_for_while_one_is_taken_is_the_next_one(
    source: Path, spool: Spool, clock: FakeClock, signals: Signals
) -> None:
    @dataclass(frozen=True)
    class Asking(Grey):
        ask: Callable[[], None] = lambda: None

        def pixels(self) -> Pixels:
            self.ask()
            return super().pixels()

    class Camera:
        shot_count = None

        def shots(self, stop: Event) -> Generator[Grey, None, None]:
            yield Asking(1.0, ask=rig.requests.ask)
            yield from (Grey(2.0), Grey(3.0))

    rig = Rig(source, spool, clock, signals, camera=Camera())
    rig.capture.run()

    sent = [(frame.captured_at_ms, frame.priority) for frame in everything(spool)]
    assert sent == [(1000, Priority.ORDINARY), (2000, Priority.REQUESTED), (3000, Priority.ORDINARY)]


def test_an_unreadable_picture_does_not_answer_a_request(
    source: Path, spool: Spool, clock: FakeClock, signals: Signals
) -> None:
    rig = Rig(source, spool, clock, signals, camera=JpegCamera([b"\xff\xd8rubbish", jpeg_of(200)]))
    rig.requests.ask()

    rig.capture.run()

    assert [frame.priority for frame in everything(spool)] == [Priority.REQUESTED]


def test_frames_with_rare_labels_go_before_others_whether_their_labels_are_told_or_not(
    source: Path, spool: Spool, clock: FakeClock, signals: Signals
) -> None:
    Rig(source, spool, clock, signals, rare_labels=frozenset({"B"}), count=3).capture.run()

    frames = everything(spool)
    assert [frame.priority for frame in frames] == [Priority.ORDINARY, Priority.RARE, Priority.ORDINARY]
    assert {frame.label for frame in frames} == {None}


def test_a_share_of_the_pictures_is_taken_and_the_others_are_counted_apart(
    source: Path, spool: Spool, clock: FakeClock, signals: Signals
) -> None:
    Rig(source, spool, clock, signals, loop=True, count=400, frames_per_second=10, sampling_share=0.1).capture.run()

    counters = spool.counters()
    assert 20 <= counters.encoded <= 60
    assert (counters.passed_over, counters.captured) == (400 - counters.encoded, counters.encoded)


def test_details_go_beside_their_frames_as_companions_of_their_kind(
    source: Path, spool: Spool, clock: FakeClock, signals: Signals
) -> None:
    rig = Rig(source, spool, clock, signals, camera=showing(200, 200), detail_share=1.0, frames_per_second=0.01)
    rig.capture.run()

    frames = spool.oldest(9)
    spool.acknowledge([frame.sequence for frame in frames])
    [detail] = spool.companions(9)
    assert (detail.kind, detail.companion_of) == (Kind.DETAIL, frames[1].sequence), "an allowance begins empty"
    assert spool.counters().encoded == 2
