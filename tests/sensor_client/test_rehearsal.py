"""A rehearsal needs tables, and tells of what went wrong with the camera."""

import threading
from collections.abc import Generator
from pathlib import Path

import pytest

from sensor_client.capture import CaptureSettings
from sensor_client.clock import SystemClock
from sensor_client.ota import Slots
from sensor_client.parts import RunSettings, Surroundings
from sensor_client.rehearsal import rehearse
from sensor_client.signals import Signals
from sensor_client.sources import Shot, SourceError, SourceHealth
from sensor_client.spool import SpoolLimits
from sensor_client.state_directory import Identity, StateDirectory, StateError
from sensor_client.uploader import UploadSettings
from shared.wire import Enrolment
from tests.sensor_client.signed_bundles import make_bundle


class BrokenCamera:
    """A camera that cannot be opened."""

    shot_count = None

    def shots(self, stop: threading.Event) -> Generator[Shot, None, None]:
        raise SourceError("the camera is unplugged")
        yield


def rehearsed(state: StateDirectory, signals: Signals) -> list[str]:
    clock, told = SystemClock(), list[str]()
    settings = RunSettings(
        state=state,
        camera=BrokenCamera(),
        source_health=SourceHealth(clock),
        capture=CaptureSettings(),
        upload=UploadSettings(),
        limits=SpoolLimits(),
        wants_results=False,
        makes_probes=False,
        poll_seconds=60.0,
    )
    around = Surroundings(clock=clock, random=lambda: 0.5, environment={}, program="0.0", boot="0" * 16)
    try:
        rehearse(settings, around, told.append, signals)
    except SourceError as error:
        told.append(str(error))
    return told


def test_without_tables_it_says_who_fetches_them_and_with_them_what_the_camera_does(
    tmp_path: Path, signals: Signals
) -> None:
    state = StateDirectory(tmp_path / "device")
    state.make()
    with pytest.raises(StateError, match="dctwire-sensor run"):
        rehearsed(state, signals)
    state.keep_root(b"{}")
    enrolment = Enrolment(device_id="dev1", token="t" * 22, family="signs")
    state.enrol(Identity(server_url="http://127.0.0.1:9", enrolment=enrolment))
    Slots(state.slots).install(make_bundle(1))

    assert rehearsed(state, signals) == [
        "0 pictures: 0 frames of 0 bytes (mean 0.0), 0 unchanged, 0 unreadable; nothing was sent",
        "the camera is unplugged",
    ]
