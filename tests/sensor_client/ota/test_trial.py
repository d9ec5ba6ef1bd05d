"""Trials over a real TUF repository: what proves a bundle, what returns a device to the one before, what nothing."""

from collections.abc import Callable

import pytest

from sensor_client.ota.states import Policy
from sensor_client.ota.update_state import Running, Trial
from tests.sensor_client.device_plane import DevicePlane
from tests.sensor_client.ota.updating import V1, V2, Device, prove, take


def test_frames_that_were_answered_exactly_confirm_a_bundle(on_trial: Device) -> None:
    assert on_trial.outcomes == [(1, "trial"), (1, "confirmed"), (2, "trial")]

    prove(on_trial, V1, frames=99)
    assert isinstance(on_trial.updater.kept.phase, Trial)
    prove(on_trial, V2)

    assert isinstance(on_trial.state_file.load().phase, Running)
    assert on_trial.outcomes[-1] == (2, "confirmed")
    on_trial.restart()
    on_trial.work()
    assert on_trial.runs == "signs/2"


def test_an_encoder_that_fails_returns_to_the_bundle_before_for_good(on_trial: Device, plane: DevicePlane) -> None:
    on_trial.evidence.encoder_failed(V2.target_path, "no memory for these tables")
    take(on_trial)

    assert on_trial.runs == "signs/1" and on_trial.slots.active() == V1
    assert on_trial.outcomes[-1] == (2, "rolled-back")
    assert on_trial.last_refused.code == "failed-trial"
    on_trial.work(steps=2)
    on_trial.restart()
    on_trial.work(steps=2)
    assert on_trial.runs == "signs/1"
    plane.assign(3, "signs", 2)
    on_trial.work()
    assert on_trial.runs == "signs/1" and on_trial.outcomes[-1] == (3, "rejected")


def test_frames_that_the_server_refuses_by_name_return_to_the_bundle_before(on_trial: Device) -> None:
    on_trial.evidence.refused(V1.target_path, 99)
    on_trial.evidence.refused(V2.target_path, Policy().refusals_limit)
    take(on_trial)

    assert on_trial.runs == "signs/1"


def test_a_silent_server_rolls_nothing_back_over_any_number_of_starts(on_trial: Device, plane: DevicePlane) -> None:
    plane.stop()
    for starts in range(1, 9):
        on_trial.restart()
        take(on_trial)
        assert on_trial.runs == "signs/2"
        phase = on_trial.updater.kept.phase
        assert isinstance(phase, Trial) and phase.boots == starts
    plane.start()


def test_starts_that_crash_before_the_first_frame_return_to_the_bundle_before(on_trial: Device) -> None:
    told = []
    for _ in range(Policy().crashes_limit + 1):
        on_trial.restart()
        with pytest.raises(ConnectionAbortedError):  # killed while it waits
            crash(on_trial)
        told.append(on_trial.runs)

    assert told == ["signs/2"] * Policy().crashes_limit + ["signs/1"]
    assert on_trial.slots.active() == V1


def test_starts_that_crash_after_a_first_frame_return_nowhere(on_trial: Device) -> None:
    for _ in range(9):
        on_trial.restart()
        with pytest.raises(ConnectionAbortedError):
            crash(on_trial, first=lambda: on_trial.evidence.encoded(V2.target_path))

    assert on_trial.runs == "signs/2"


def crash(device: Device, first: Callable[[], None] = lambda: None) -> None:
    """Run until the second wait, and end without another word."""

    def die(seconds: float) -> None:
        first()
        if len(device.clock.waits) > 1:
            raise ConnectionAbortedError

    device.signals.stop.clear()
    device.clock.waits.clear()
    device.clock.on_wait = die
    device.updater.run()
