"""Details beside frames."""

import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sensor_client.batching import batch_of, leading_run
from sensor_client.detailer import Detailer, is_detailed
from sensor_client.frame_maker import Prepared
from sensor_client.policies import CaptureOrders, Region, RegionFit
from sensor_client.signals import Signals
from sensor_client.spool import Probe, Spool, SpoolLimits
from shared.bundle import Bundle
from shared.jpeg import Encoder, Fit, Resize, Sampling, Stream, TableSet, Transcoder, inspect
from shared.pictures import Pixels, fitted
from shared.wire import Kind
from tests.sensor_client.fakes import FakeClock
from tests.sensor_client.signed_bundles import THRIFTY, make_bundle

ALL = CaptureOrders(detail_share=1.0, detail_bytes_per_hour=10**9)
V1 = make_bundle(1)
LARGE = make_bundle(3, side=64)


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
    detailer = Detailer(device_id="dev1", spool=spool, clock=clock, signals=signals)
    clock.elapsed_seconds += 60
    return detailer.detail_of(Prepared(shot, bundle, region, transcodes=True), orders)


def test_a_detail_is_the_frames_whole_picture_as_ordinary_jpeg_of_the_quality_asked_for(
    spool: Spool, clock: FakeClock, signals: Signals
) -> None:
    for shot, quality in ((Given(), 90), (Given(), 75), (Given(is_jpeg=False), 90)):
        detail = detail_of(spool, clock, signals, shot, replace(ALL, detail_quality=quality))
        data, ordinary = shot.jpeg(), TableSet.standard(quality)
        expected = (
            Encoder(ordinary).encode(fitted(shot.pixels(), Sampling.YUV420, (32, 32), Fit()), Stream.INTERCHANGE)
            if data is None
            else Transcoder(ordinary, resize=Resize(32, 32, Fit())).transcode(data, Stream.INTERCHANGE)
        )
        assert detail == Probe(body=expected, target=V1.target_path, tables=None, kind=Kind.DETAIL)
        assert inspect(expected).quant == ordinary.quant


def test_nothing_of_how_the_bundle_makes_levels_is_in_a_detail(
    spool: Spool, clock: FakeClock, signals: Signals
) -> None:
    thrifty = detail_of(spool, clock, signals, Given(), bundle=make_bundle(2, settings=THRIFTY))
    plain = detail_of(spool, clock, signals, Given())
    assert thrifty is not None and plain is not None
    assert thrifty.body == plain.body


def test_a_detail_shows_the_part_of_the_picture_that_its_frame_shows(
    spool: Spool, clock: FakeClock, signals: Signals
) -> None:
    region = Region(0.4, 0.4, 0.2, 0.2)
    detail = detail_of(spool, clock, signals, Given(), region=region)
    data = Given().jpeg()
    assert detail is not None and data is not None
    part = Transcoder(TableSet.standard(90), resize=Resize(32, 32, RegionFit(region, V1.fit)))
    assert detail.body == part.transcode(data, Stream.INTERCHANGE)


def test_details_that_wait_share_a_batch_and_their_tables(spool: Spool, clock: FakeClock, signals: Signals) -> None:
    for size in ((160, 120), (120, 160), (64, 64)):
        detail = detail_of(spool, clock, signals, Given(size))
        spool.append(b"frame", 7, probe=detail)
    spool.acknowledge([1, 3, 5])
    waiting = spool.companions(9)
    batch = batch_of(leading_run(waiting))
    assert len(batch.items) == 3
    assert len(batch.to_bytes()) < sum(len(each.body) for each in waiting) - 2 * 590


def test_another_quality_and_another_bundle_hold_from_the_next_detail_on(
    spool: Spool, clock: FakeClock, signals: Signals
) -> None:
    detailer = Detailer(device_id="dev1", spool=spool, clock=clock, signals=signals)
    found = []
    for bundle, quality in ((V1, 90), (V1, 50), (LARGE, 50)):
        clock.elapsed_seconds += 60
        prepared = Prepared(Given(), bundle, None, transcodes=True)
        detail = detailer.detail_of(prepared, replace(ALL, detail_quality=quality))
        assert detail is not None
        info = inspect(detail.body)
        found.append((detail.target, info.quant == TableSet.standard(quality).quant, info.width))
    assert found == [(V1.target_path, True, 32), (V1.target_path, True, 32), (LARGE.target_path, True, 64)]


def test_a_share_of_the_frames_gets_one_and_a_restart_changes_nothing() -> None:
    chosen = [sequence for sequence in range(10_000) if is_detailed("dev1", sequence, 0.02)]
    assert 120 < len(chosen) < 280
    assert not any(is_detailed("dev1", sequence, 0.0) for sequence in range(1000))


def test_the_bytes_of_an_hour_are_kept(spool: Spool, clock: FakeClock, signals: Signals) -> None:
    detailer = Detailer(device_id="dev1", spool=spool, clock=clock, signals=signals)
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
def test_an_encoder_that_fails_costs_the_detail_alone(
    spool: Spool, clock: FakeClock, signals: Signals, lines: list[Mapping[str, Any]], share: float
) -> None:
    class Broken(Given):
        def jpeg(self) -> bytes | None:
            return b"\xff\xd8 and no picture"

    assert detail_of(spool, clock, signals, Broken(), replace(ALL, detail_share=share)) is None
    assert [line["event"] for line in lines] == ["detail-failed"] * (share > 0)
