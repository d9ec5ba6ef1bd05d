"""A camera that wakes, takes a picture, sends, updates and sleeps again, with as few requests as that takes."""

import secrets
import threading
from collections.abc import Generator
from pathlib import Path

import pytest

from sensor_client.capture import CaptureSettings
from sensor_client.clock import SystemClock
from sensor_client.duties import DutiesFile
from sensor_client.enrolment import enrol
from sensor_client.once import Wake, wake
from sensor_client.ota import Trial, UpdateStateFile
from sensor_client.parts import RunSettings, Surroundings, put_together
from sensor_client.signals import Signals
from sensor_client.sources import (
    Camera,
    Shot,
    SourceError,
    SourceHealth,
    SourceSettings,
    SourceSurroundings,
    open_source,
)
from sensor_client.spool import SpoolLimits
from sensor_client.state_directory import StateDirectory
from sensor_client.uploader import UploadSettings
from shared.wire import Enrolment, ProblemCode
from tests.sensor_client.device_plane import DEVICE_ID, TOKEN, DevicePlane, problem
from tests.sensor_client.pictures import write_pictures
from tests.sensor_client.signed_bundles import Publisher, make_bundle


@pytest.fixture
def state(tmp_path: Path, plane: DevicePlane, publisher: Publisher) -> StateDirectory:
    publisher.publish(make_bundle(1))
    plane.assign(1, "signs", 1)
    state = StateDirectory(tmp_path / "device")
    enrol(state, plane.url, publisher.root, lambda: Enrolment(device_id=DEVICE_ID, token=TOKEN, family="signs"))
    return state


class LaterClock(SystemClock):
    """The machine's clock, some hours on; `impatient` gives work that waits for a stop one: the deadline has come."""

    def __init__(self, ahead_seconds: float) -> None:
        self.ahead_seconds = ahead_seconds
        self.impatient: Signals | None = None
        self.is_cut_off = False

    def now(self) -> float:
        return super().now() + self.ahead_seconds

    def wait(self, event: threading.Event, seconds: float) -> bool:
        is_at_work = threading.current_thread() is threading.main_thread()
        if self.is_cut_off and is_at_work:
            raise PowerCutError
        if self.impatient is not None and event is self.impatient.stop and is_at_work:
            self.impatient.request_stop()
        return super().wait(event, seconds)


class PowerCutError(BaseException):
    """Nothing more is done in a wake-up."""


class HangingCamera:
    """A camera whose driver hangs, until a test lets it go."""

    shot_count = None

    def __init__(self) -> None:
        self.let_go = threading.Event()

    def shots(self, stop: threading.Event) -> Generator[Shot, None, None]:
        self.let_go.wait()
        yield from ()


class BrokenCamera:
    """A camera that cannot be opened."""

    shot_count = None

    def shots(self, stop: threading.Event) -> Generator[Shot, None, None]:
        raise SourceError("the camera is unplugged")
        yield


def woken(
    state: StateDirectory,
    camera: Camera | None = None,
    hours: float = 0.0,
    pictures_seconds: float = 20.0,
    is_impatient: bool = False,
    is_cut_off: bool = False,
) -> Wake:
    """One wake-up in this process, by its real parts."""
    clock = LaterClock(3600 * hours)
    pictures = state.path.with_name("pictures")
    if not pictures.exists():
        write_pictures(pictures, 1)
    around = SourceSurroundings(
        clock=clock, random=lambda: 0.5, health=SourceHealth(clock), memory=state.path / "source-memory"
    )
    settings = RunSettings(
        state=state,
        source_health=around.health,
        camera=camera or open_source(str(pictures), SourceSettings(is_looping=False), around),
        capture=CaptureSettings(count=1),
        upload=UploadSettings(ends_when_drained=True),
        limits=SpoolLimits(),
        wants_results=False,
        makes_probes=True,
        poll_seconds=60.0,
    )
    boot = secrets.token_hex(8)
    surroundings = Surroundings(clock=clock, random=lambda: 0.5, environment={}, program="0.0", boot=boot)
    with put_together(settings, surroundings) as parts:
        clock.impatient = parts.signals if is_impatient else None
        clock.is_cut_off = is_cut_off
        return wake(parts, clock, DutiesFile(state.path / "duties.json"), pictures_seconds=pictures_seconds)


def test_the_first_wake_fetches_tables_and_the_next_ones_send_a_frame_and_nothing_else(
    plane: DevicePlane, state: StateDirectory
) -> None:
    first = woken(state)
    plane.requests.clear()
    others = [woken(state) for _ in range(2)]  # the third frame ends the trial of the tables
    after = [request.path for request in plane.requests]
    plane.requests.clear()
    last = woken(state)

    assert [outcome.frames_left for outcome in (first, *others, last)] == [0, 0, 0, 0]
    assert sorted(plane.frames) == [1, 2, 3, 4]
    assert after == ["/v1/frames", "/v1/frames", "/v1/assignments/1/events", "/v1/heartbeat"]
    assert [request.path for request in plane.requests] == ["/v1/frames"]


def test_a_trial_counts_proofs_over_wakes_and_no_start_that_encoded_a_frame_as_a_crash(
    plane: DevicePlane, state: StateDirectory
) -> None:
    plane.match = "fallback"  # nothing is proved, and nothing speaks against the tables
    for _ in range(6):
        woken(state)
    on_trial = UpdateStateFile(state.update_state_file).load().phase
    plane.match = "exact"
    woken(state)
    proved_once = UpdateStateFile(state.update_state_file).load().phase

    assert isinstance(on_trial, Trial) and (on_trial.boots, on_trial.crashes, on_trial.proofs) == (5, 0, 0)
    assert isinstance(proved_once, Trial) and proved_once.proofs == 1


def test_a_power_cut_after_the_picture_is_no_crash_of_the_tables(plane: DevicePlane, state: StateDirectory) -> None:
    plane.match = "fallback"  # nothing is proved, and nothing speaks against the tables
    woken(state)
    plane.stop()
    for _ in range(4):
        with pytest.raises(PowerCutError):
            woken(state, is_cut_off=True)
    plane.start()
    woken(state)

    phase = UpdateStateFile(state.update_state_file).load().phase

    assert isinstance(phase, Trial) and (phase.boots, phase.crashes) == (5, 0)


def test_diagnostics_that_are_asked_for_are_sent_before_it_sleeps_again(
    plane: DevicePlane, state: StateDirectory
) -> None:
    woken(state)
    assert plane.assignment is not None
    plane.assignment["diagnostics"] = "0" * 16

    woken(state)
    first = dict(plane.diagnostics)
    woken(state)

    assert list(first) == ["0" * 16] and plane.diagnostics == first and sorted(plane.frames) == [1, 2, 3]


def test_news_in_an_answer_are_fetched_before_it_sleeps_again(
    plane: DevicePlane, state: StateDirectory, publisher: Publisher
) -> None:
    woken(state)
    publisher.publish(make_bundle(2, quality=80))
    plane.assign(2, "signs", 2)

    woken(state)

    assert UpdateStateFile(state.update_state_file).load().seq == 2


@pytest.mark.parametrize("hours", [5.9, 6.1, -1.0])
def test_a_heartbeat_is_sent_every_six_hours_of_the_day_whatever_the_clock_does(
    plane: DevicePlane, state: StateDirectory, hours: float
) -> None:
    for _ in range(3):
        woken(state)
    plane.requests.clear()

    woken(state, hours=hours)

    assert len(plane.asked("/v1/heartbeat")) == (0 if hours == 5.9 else 1)


def test_a_heartbeat_that_the_server_did_not_take_is_sent_by_the_next_wake(
    plane: DevicePlane, state: StateDirectory
) -> None:
    for _ in range(3):
        woken(state)
    plane.requests.clear()
    plane.scripted.append(("/v1/heartbeat", problem(ProblemCode.NOT_READY)))

    woken(state, hours=6.1)
    woken(state, hours=6.1)
    woken(state, hours=6.1)

    assert len(plane.asked("/v1/heartbeat")) == 2


def test_what_could_not_be_sent_waits_for_the_next_wake(plane: DevicePlane, state: StateDirectory) -> None:
    woken(state)
    plane.stop()
    left = woken(state, is_impatient=True)
    plane.start()
    after = woken(state)

    assert (left.frames_left, after.frames_left) == (1, 0)
    assert sorted(plane.frames) == [1, 2, 3]


@pytest.mark.parametrize("server", ["away", "without an assignment"])
def test_a_wake_without_tables_says_that_no_picture_was_taken(
    plane: DevicePlane, state: StateDirectory, server: str
) -> None:
    if server == "away":
        plane.stop()
    else:
        plane.assignment = None

    outcome = woken(state, is_impatient=True)

    assert outcome.frames_left == 0
    assert isinstance(outcome.fault, SourceError) and "no tables" in str(outcome.fault)


@pytest.mark.parametrize("kind", ["hangs", "is broken"])
def test_what_waits_is_sent_also_where_the_camera_gives_no_picture(
    plane: DevicePlane, state: StateDirectory, kind: str
) -> None:
    woken(state)
    plane.stop()
    woken(state, is_impatient=True)
    plane.start()
    hanging = HangingCamera()

    outcome = woken(state, hanging if kind == "hangs" else BrokenCamera(), pictures_seconds=0.2)
    hanging.let_go.set()

    assert outcome.fault is not None and outcome.frames_left == 0
    assert ("no picture came" if kind == "hangs" else "unplugged") in str(outcome.fault)
    assert sorted(plane.frames) == [1, 2]
