"""Probes beside frames: the same prepared picture with the tables before, and never at the cost of a frame."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sensor_client.active_bundle import ActiveBundle
from sensor_client.capture import Capture, CaptureSettings
from sensor_client.encode_times import EncodeTimes
from sensor_client.ota.evidence import Evidence, Seen
from sensor_client.policies import CaptureOrders, HeldCaptureOrders, Requests
from sensor_client.prober import Prober
from sensor_client.probing import PERIOD_FRAMES, is_chosen
from sensor_client.signals import Signals
from sensor_client.sources.folder import FolderCamera
from sensor_client.spool import Spool, SpooledFrame, SpoolLimits
from shared.bundle import Bundle
from shared.jpeg import Stream, inspect
from shared.pictures import fitted
from tests.sensor_client.fakes import FakeClock
from tests.sensor_client.pictures import write_pictures
from tests.sensor_client.signed_bundles import make_bundle

DEVICE = "dev1"
V1 = make_bundle(1)
V2 = make_bundle(2, quality=90)
PICTURE = np.full((32, 32, 3), 99, np.uint8)
FIRST = next(sequence for sequence in range(100, 10_000) if is_chosen(DEVICE, sequence))
"""A frame of this device that is chosen."""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_pictures(tmp_path / "pictures", 6, side=48)


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    """A spool whose next frame is chosen."""
    spool = Spool(tmp_path / "spool.sqlite3", SpoolLimits(frames=20), first_sequence=FIRST)
    yield spool
    spool.close()


@pytest.fixture
def active() -> ActiveBundle:
    active = ActiveBundle(V2)
    active.compare_with(V1)
    return active


def prober_of(active: ActiveBundle, spool: Spool, signals: Signals, stream: Stream = Stream.ABBREVIATED) -> Prober:
    return Prober(device_id=DEVICE, active=active, spool=spool, signals=signals, stream=stream)


@pytest.fixture
def prober(active: ActiveBundle, spool: Spool, signals: Signals) -> Prober:
    return prober_of(active, spool, signals)


def capture_of(
    source: Path,
    active: ActiveBundle,
    spool: Spool,
    signals: Signals,
    evidence: Evidence | None = None,
    stream: Stream = Stream.ABBREVIATED,
    **settings: Any,
) -> Capture:
    clock = FakeClock()
    return Capture(
        device_id=DEVICE,
        camera=FolderCamera(source, is_looping=False),
        active=active,
        spool=spool,
        times=EncodeTimes(clock),
        witness=evidence or Evidence(wake=lambda: None),
        prober=prober_of(active, spool, signals, stream),
        clock=clock,
        random=lambda: 0.5,
        signals=signals,
        orders=HeldCaptureOrders(CaptureOrders()),
        requests=Requests(),
        time_floor=lambda: 0.0,
        settings=CaptureSettings(stream=stream, **settings),
    )


def probes_of(spool: Spool) -> list[SpooledFrame]:
    """The probes here, and their frames out of the way."""
    spool.acknowledge([frame.sequence for frame in spool.oldest(99)])
    return spool.companions(99)


def test_a_chosen_picture_is_encoded_with_both_bundles_and_both_frames_are_kept(
    source: Path, active: ActiveBundle, spool: Spool, signals: Signals
) -> None:
    evidence = Evidence(wake=lambda: None)
    evidence.watch(V1.target_path)
    capture_of(source, active, spool, signals, evidence, count=3, keeps_labels=True).run()

    frames = spool.oldest(9)
    [probe] = probes_of(spool)
    assert [frame.sequence for frame in frames] == [FIRST, FIRST + 2, FIRST + 3]
    assert {frame.target for frame in frames} == {V2.target_path}
    assert (probe.sequence, probe.companion_of, probe.target) == (FIRST + 1, FIRST, V1.target_path)
    assert (probe.captured_at_ms, probe.label) == (frames[0].captured_at_ms, None)
    assert probe.tables_id == V1.tables.tables_id and spool.tables_stream(probe.tables_id) == V1.tables.to_stream()
    assert probe.body == encoded_alone(source, V1)
    assert evidence.take() == Seen(), "a probe says nothing of whether its bundle works"


def encoded_alone(source: Path, bundle: Bundle) -> bytes:
    shot = next(FolderCamera(source, is_looping=False).shots(Event()))
    return bundle.encoding.encoder().encode(fitted(shot.pixels(), bundle.tables.sampling, (32, 32), bundle.fit))


def test_probes_beside_interchange_frames_have_their_tables_inside(
    source: Path, active: ActiveBundle, spool: Spool, signals: Signals
) -> None:
    capture_of(source, active, spool, signals, stream=Stream.INTERCHANGE, count=1).run()

    [probe] = probes_of(spool)
    assert probe.tables_id is None and inspect(probe.body).stream is Stream.INTERCHANGE


def test_one_frame_in_two_hundred_gets_a_probe_and_a_restart_changes_nothing(
    tmp_path: Path, active: ActiveBundle, signals: Signals
) -> None:
    spool = Spool(tmp_path / "long.sqlite3", SpoolLimits())
    chosen: list[int] = []
    for count in range(3 * PERIOD_FRAMES):
        prober = prober_of(active, spool, signals)
        sequence = spool.next_sequence()
        probe = prober.probe_of(V2, PICTURE)
        assert (probe is not None) == is_chosen(DEVICE, sequence), count
        chosen += [sequence] if probe is not None else []
        spool.renumber(sequence)

    assert 0 < len(chosen) < 3 * 3
    spool.close()


@pytest.mark.parametrize(
    "other",
    [None, V2, make_bundle(1, family="doors"), make_bundle(1, side=48)],
    ids=lambda other: str(other and other.name),
)
def test_without_another_version_for_the_same_picture_there_is_no_probe(
    active: ActiveBundle, prober: Prober, other: Bundle | None
) -> None:
    assert prober.probe_of(V2, PICTURE) is not None
    active.compare_with(other)
    assert prober.probe_of(V2, PICTURE) is None


def test_after_another_update_probes_are_made_with_the_tables_before_that(active: ActiveBundle, prober: Prober) -> None:
    for other in (V1, make_bundle(3, quality=60), V1):
        active.compare_with(other)
        probe = prober.probe_of(V2, PICTURE)
        assert probe is not None and probe.tables is not None
        named = (probe.target, probe.tables[0], inspect(probe.body).tables_id)
        assert named == (other.target_path, other.tables.tables_id, other.tables.tables_id)


def test_there_is_no_probe_while_the_spool_is_more_than_half_full(
    tmp_path: Path, active: ActiveBundle, signals: Signals
) -> None:
    spool = Spool(tmp_path / "filling.sqlite3", SpoolLimits(frames=20), first_sequence=FIRST - 11)
    prober = prober_of(active, spool, signals)
    waiting = [spool.append(b"frame", 0) for _ in range(11)]

    assert prober.probe_of(V2, PICTURE) is None
    spool.acknowledge(waiting[:1])
    assert prober.probe_of(V2, PICTURE) is not None
    spool.close()


def test_there_is_no_probe_once_the_server_knows_none(prober: Prober, signals: Signals) -> None:
    signals.probes_unwanted.set()
    assert prober.probe_of(V2, PICTURE) is None


UNABLE = make_bundle(1, quality=30, lapping={"taps": [0.5]})  # no version of the encoder can do that


def test_tables_that_the_encoder_fails_cost_the_probe_and_are_tried_once(
    source: Path, active: ActiveBundle, spool: Spool, signals: Signals, lines: list[Mapping[str, Any]]
) -> None:
    active.compare_with(UNABLE)
    prober = prober_of(active, spool, signals)
    assert prober.probe_of(V2, PICTURE) is None and prober.probe_of(V2, PICTURE) is None
    assert [line["bundle"] for line in lines if line["event"] == "probe-failed"] == ["signs/1"]
    active.compare_with(V1)
    assert prober.probe_of(V2, PICTURE) is not None

    active.compare_with(UNABLE)
    capture_of(source, active, spool, signals).run()

    assert spool.depth().frames == 6 and spool.counters().probes_encoded == 0


def test_a_probe_for_which_the_disk_has_no_room_keeps_no_frame_out(
    tmp_path: Path, spool: Spool, signals: Signals
) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    (tmp_path / "noise" / "A").mkdir(parents=True)
    Image.fromarray(noise).save(tmp_path / "noise" / "A" / "0.png")
    active = ActiveBundle(make_bundle(2, quality=2, side=256))
    active.compare_with(make_bundle(1, quality=100, side=256))
    with spool._database.reading() as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages + 10}")

    capture_of(tmp_path / "noise", active, spool, signals).run()

    assert (spool.depth().frames, spool.depth().probes, spool.counters().probes_encoded) == (1, 0, 0)
