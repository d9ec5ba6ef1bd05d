"""A device tries its encoder, its disk and its camera."""

import threading
from collections.abc import Generator
from pathlib import Path

import pytest

from sensor_client import selftest
from sensor_client.findings import Finding, Verdict
from sensor_client.ota import Slots
from sensor_client.sources import (
    Camera,
    Shot,
    SourceError,
    SourceHealth,
    SourceSettings,
    SourceSurroundings,
    open_source,
)
from sensor_client.state_directory import StateDirectory
from tests.sensor_client.fakes import FakeClock
from tests.sensor_client.pictures import write_pictures
from tests.sensor_client.signed_bundles import make_bundle


@pytest.fixture
def state(tmp_path: Path) -> StateDirectory:
    state = StateDirectory(tmp_path / "device")
    state.make()
    return state


class SilentCamera:
    """A camera that gives no picture, and is neither lost nor at its end."""

    shot_count = None

    def shots(self, stop: threading.Event) -> Generator[Shot, None, None]:
        stop.wait()
        yield from ()


def found_in(state: StateDirectory, camera: Camera) -> dict[str, Finding]:
    return {finding.check: finding for finding in selftest.try_out(state, lambda: camera)}


def folder(path: Path, clock: FakeClock) -> Camera:
    around = SourceSurroundings(clock=clock, random=lambda: 0.5, health=SourceHealth(clock), memory=path / "memory")
    return open_source(str(path), SourceSettings(), around)


def test_a_device_that_can_do_it_all_says_so_and_leaves_nothing_behind(
    state: StateDirectory, tmp_path: Path, clock: FakeClock
) -> None:
    slots = Slots(state.slots)
    slots.install(make_bundle(1))
    before = sorted(state.path.rglob("*"))

    found = found_in(state, folder(write_pictures(tmp_path / "pictures", 1), clock))

    assert {check: finding.verdict for check, finding in found.items()} == dict.fromkeys(
        ("encoder", "spool", "camera"), Verdict.OK
    )
    assert "32 x 32" in found["camera"].said
    assert sorted(state.path.rglob("*")) == before


def test_without_tables_or_source_it_says_what_to_do(state: StateDirectory) -> None:
    found = {finding.check: finding for finding in selftest.try_out(state, None)}

    assert (found["encoder"].verdict, found["camera"].verdict) == (Verdict.WARN, Verdict.WARN)
    assert "run fetches them" in found["encoder"].next_step and "--source" in found["camera"].next_step


def test_an_encoder_that_makes_other_bytes_is_bad(state: StateDirectory) -> None:
    slots = Slots(state.slots)
    slots.install(make_bundle(1, selftest="0" * 64))

    assert selftest.try_out(state, None).__next__().verdict is Verdict.BAD


def test_a_camera_that_is_silent_or_broken_is_bad_within_a_time(
    state: StateDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selftest, "CAMERA_SECONDS", 0.05)

    def broken() -> Camera:
        raise SourceError("the camera is unplugged")

    silent = found_in(state, SilentCamera())["camera"]
    gone = [*selftest.try_out(state, broken)][-1]

    assert silent.verdict is Verdict.BAD and "no picture came" in silent.said
    assert gone.verdict is Verdict.BAD and "unplugged" in gone.said and gone.next_step


def test_a_disk_that_takes_nothing_is_bad(state: StateDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = StateDirectory(state.path / "gone")

    assert {finding.check: finding.verdict for finding in selftest.try_out(gone, None)}["spool"] is Verdict.BAD
