"""Details beside frames."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sensor_client.detailer import Detailer, is_detailed
from sensor_client.frame_maker import Prepared
from sensor_client.policies import CaptureOrders, Region
from sensor_client.signals import Signals
from sensor_client.spool import Probe, Spool, SpoolLimits
from shared.bundle import Bundle
from shared.jpeg import Fit, Resize, Sampling, Stream, Transcoder
from shared.pictures import Pixels, fitted
from shared.wire import Kind
from tests.sensor_client.fakes import FakeClock
from tests.sensor_client.signed_bundles import make_bundle

ALL = CaptureOrders(detail_share=1.0, detail_bytes_per_hour=10**9)
V1 = make_bundle(1)


@dataclass(frozen=True)
class Given:
    """A shot of a camera of this many pixels."""

    size: tuple[int, int] = (160, 120)
    is_jpeg: bool = True

    def pixels(self) -> Pixels:
        coarse = np.random.default_rng(4).integers(0, 256, (6, 8, 3), dtype=np.uint8)
        return np.asarray(Image.fromarray(coarse).resize(self.size, Image.Resampling.BICUBIC))

    def jpeg(self) -> bytes | None:
        out = io.BytesIO()
        Image.fromarray(self.pixels()).save(out, "jpeg", quality=92)
        return out.getvalue() if self.is_jpeg else None


def detail_of(
    spool: Spool,
    clock: FakeClock,
    signals: Signals,
    shot: Given,
    orders: CaptureOrders = ALL,
    bundle: Bundle = V1,
    region: Region | None = None,
) -> Probe | None:
    detailer = Detailer(device_id="dev1", spool=spool, clock=clock, signals=signals, stream=Stream.ABBREVIATED)
    clock.elapsed_seconds += 60
    return detailer.detail_of(Prepared(shot, bundle, region, transcodes=True), orders)


def test_a_detail_is_the_middle_of_what_the_frame_shows_with_the_frames_tables(
    spool: Spool, clock: FakeClock, signals: Signals
) -> None:
    middle = Fit(share=0.5)
    for shot in (Given(), Given(is_jpeg=False)):
        detail = detail_of(spool, clock, signals, shot)
        data = shot.jpeg()
        expected = (
            V1.encoding.encoder().encode(fitted(shot.pixels(), Sampling.YUV420, (32, 32), middle))
            if data is None
            else Transcoder(V1.tables, resize=Resize(32, 32, middle)).transcode(data)
        )
        tables = (V1.tables.tables_id, V1.tables.to_stream())
        assert detail == Probe(body=expected, target=V1.target_path, tables=tables, kind=Kind.DETAIL)


def test_where_the_camera_sees_no_more_than_the_frame_there_is_no_detail(
    spool: Spool, clock: FakeClock, signals: Signals
) -> None:
    assert detail_of(spool, clock, signals, Given((32, 32))) is None
    assert detail_of(spool, clock, signals, Given((160, 120)), region=Region(0.4, 0.4, 0.2, 0.2)) is None


@pytest.mark.parametrize(("orientation", "sees_more"), [(1, False), (4, False), (5, True), (8, True)])
def test_of_a_jpeg_that_stands_on_its_side_the_upright_picture_says_whether_there_is_more_to_see(
    spool: Spool, clock: FakeClock, signals: Signals, orientation: int, sees_more: bool
) -> None:
    """Its tenth on the left is 40 pixels wide where it is turned, and 6 where it is not."""

    class Turned(Given):
        def jpeg(self) -> bytes:
            out, exif = io.BytesIO(), Image.Exif()
            exif[0x0112] = orientation
            Image.fromarray(self.pixels()).save(out, "jpeg", exif=exif)
            return out.getvalue()

    detail = detail_of(spool, clock, signals, Turned((64, 400)), region=Region(0, 0, 0.1, 1))
    assert (detail is not None) is sees_more


def test_a_share_of_the_frames_gets_one_and_a_restart_changes_nothing() -> None:
    chosen = [sequence for sequence in range(10_000) if is_detailed("dev1", sequence, 0.02)]
    assert 120 < len(chosen) < 280
    assert not any(is_detailed("dev1", sequence, 0.0) for sequence in range(1000))


def test_the_bytes_of_an_hour_are_kept(spool: Spool, clock: FakeClock, signals: Signals) -> None:
    detailer = Detailer(device_id="dev1", spool=spool, clock=clock, signals=signals, stream=Stream.ABBREVIATED)
    prepared, orders = (
        Prepared(Given(), V1, None, transcodes=True),
        CaptureOrders(detail_share=1.0, detail_bytes_per_hour=3000),
    )
    spent = 0
    for _ in range(600):
        clock.elapsed_seconds += 12
        detail = detailer.detail_of(prepared, orders)
        spent += 0 if detail is None else len(detail.body)
    assert 5000 < spent <= 6000, "two hours' worth"


def test_there_is_none_where_the_server_knows_no_companions_or_the_spool_fills(
    spool: Spool, clock: FakeClock, signals: Signals, tmp_path: Any
) -> None:
    small = Spool(tmp_path / "small.sqlite3", SpoolLimits(frames=2))
    small.append(b"frame", 0)
    small.append(b"frame", 0)
    assert detail_of(small, clock, signals, Given()) is None
    small.close()
    signals.probes_unwanted.set()
    assert detail_of(spool, clock, signals, Given()) is None


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_picture_that_cannot_be_read_again_costs_the_detail_alone(
    spool: Spool, clock: FakeClock, signals: Signals, lines: list[Mapping[str, Any]], share: float
) -> None:
    reads: list[bool] = []

    class Once(Given):
        def jpeg(self) -> None:
            return None

        def pixels(self) -> Pixels:
            reads.append(True)
            if len(reads) > 1:
                raise OSError("gone")
            return super().pixels()

    assert detail_of(spool, clock, signals, Once(), CaptureOrders(detail_share=share)) is None
    assert [line["event"] for line in lines] == ["detail-failed"] * (share > 0)
