"""Updates over a real TUF repository: when a device asks, what it follows, and what it downloads."""

import math
from collections.abc import Callable

import pytest

from sensor_client.device_channel import DeviceChannel
from sensor_client.ota import Slots
from sensor_client.signals import Signals
from shared.bundle import Bundle
from shared.errors import ChannelError
from shared.trust import VerifiedTarget
from shared.wire import ProblemCode
from tests.sensor_client.device_plane import DevicePlane, problem
from tests.sensor_client.ota.updating import V1, V2, Device, prove, take
from tests.sensor_client.signed_bundles import Publisher, make_bundle


def test_a_new_device_fetches_its_first_bundle(device: Device, plane: DevicePlane, publisher: Publisher) -> None:
    publisher.publish(V1)
    plane.assign(4, "signs", 1)

    assert device.updater.step()

    assert device.active.bundle == V1 and device.active.is_there.is_set()
    assert Slots(device.slots._directory).active() == V1
    assert (device.state_file.load().seq, device.state_file.load().activations) == (4, 1)


def test_without_an_assignment_there_is_nothing_to_do_yet(device: Device) -> None:
    assert not device.updater.step()
    assert device.runs == ""


def test_a_newer_assignment_replaces_the_bundle_and_keeps_the_one_before(
    on_v1: Device, plane: DevicePlane, publisher: Publisher
) -> None:
    publisher.publish(V2)
    plane.assign(2, "signs", 2)

    on_v1.work()

    assert on_v1.runs == "signs/2"
    assert on_v1.slots.previous() == V1


def test_a_settled_assignment_is_confirmed_by_etag_and_downloads_nothing(on_v1: Device, plane: DevicePlane) -> None:
    before = len(plane.requests)

    on_v1.work()

    assert [request.path for request in plane.requests[before:]] == ["/v1/assignment"]
    assert plane.requests[-1].headers["if-none-match"] == '"1"'


def test_an_operator_can_take_a_version_back(on_v1: Device, plane: DevicePlane, publisher: Publisher) -> None:
    publisher.publish(V2)
    plane.assign(2, "signs", 2)
    on_v1.work()

    plane.assign(3, "signs", 1)
    on_v1.work()

    assert on_v1.runs == "signs/1"


def test_a_line_that_breaks_in_the_middle_is_tried_again(
    on_v1: Device, plane: DevicePlane, publisher: Publisher
) -> None:
    publisher.publish(V2)
    plane.assign(2, "signs", 2)
    plane.scripted.append(("/tuf/signs/timestamp.json", problem(ProblemCode.NOT_READY)))

    with pytest.raises(ChannelError):
        on_v1.updater.step()
    on_v1.work()

    assert on_v1.runs == "signs/2"


def test_running_waits_for_news_and_backs_off_from_failures(
    on_v1: Device, plane: DevicePlane, publisher: Publisher
) -> None:
    publisher.publish(V2)
    plane.assign(2, "signs", 2)
    plane.scripted.append(("/v1/assignment", problem(ProblemCode.QUEUE_FULL, Retry_After="9")))
    on_v1.restart()

    on_v1.run_until(lambda: on_v1.runs == "signs/2")

    # the poll interval before the first question; Retry-After and jitter after the failure; the interval again
    assert on_v1.clock.waits == pytest.approx([300.0, 9.25, 300.0])


def test_replies_that_name_an_assignment_which_is_none_bring_few_questions(
    on_v1: Device, plane: DevicePlane, signals: Signals
) -> None:
    begin, asked = on_v1.clock.elapsed_seconds, len(plane.requests)

    def forge() -> bool:
        signals.notice_assignment(on_v1.signals.stop.is_set() or 9_000_000)
        return on_v1.clock.elapsed_seconds > begin + 3600

    on_v1.run_until(forge)

    assert 10 < len(plane.requests) - asked <= 3600 / 60 + 8


def test_news_that_was_true_is_followed_at_once_again(
    on_v1: Device, plane: DevicePlane, publisher: Publisher, signals: Signals
) -> None:
    for counter in (2, 3):
        publisher.publish(make_bundle(counter))
    for counter in (2, 3):
        plane.assign(counter, "signs", counter)
        signals.notice_assignment(counter)
        on_v1.run_until(lambda counter=counter: on_v1.runs == f"signs/{counter}")  # type: ignore[misc]
        assert sum(on_v1.clock.waits[:-1]) <= 2.0


def test_an_assignment_named_by_a_reply_is_news_until_it_is_settled(
    on_v1: Device, channel: DeviceChannel, plane: DevicePlane, publisher: Publisher, signals: Signals
) -> None:
    signals.update_wanted.clear()
    channel.send_frame(1, b"jpeg")
    assert not signals.update_wanted.is_set()

    publisher.publish(V2)
    plane.assign(2, "signs", 2)
    channel.send_frame(2, b"jpeg")
    assert signals.update_wanted.is_set() and signals.has_news


def test_a_token_that_is_not_valid_is_waited_out(device: Device, plane: DevicePlane, publisher: Publisher) -> None:
    publisher.publish(V1)
    plane.assign(1, "signs", 1)
    for path in ("/v1/assignment", "/v1/assignment", "/tuf/1.root.json", "/tuf/signs/timestamp.json"):
        plane.scripted.append((path, problem(ProblemCode.INVALID_TOKEN)))

    device.run_until(lambda: device.runs == "signs/1")

    assert min(device.clock.waits) >= 2.0


def test_metadata_are_looked_at_once_a_day_and_with_every_assignment(on_v1: Device, plane: DevicePlane) -> None:
    def looks() -> int:
        return len([request for request in plane.requests if request.path == "/tuf/signs/timestamp.json"])

    before, begin = looks(), on_v1.clock.elapsed_seconds
    on_v1.run_until(lambda: on_v1.clock.elapsed_seconds > begin + 3.5 * 86_400)
    assert 3 <= looks() - before <= 4

    before = looks()
    plane.assign(2, "signs", 1)
    on_v1.signals.notice_assignment(2)
    on_v1.run_until(lambda: on_v1.updater.kept.seq == 2)
    assert looks() - before == 1


DAY = 86_400.0


def let_pass(device: Device, seconds: float) -> None:
    end = device.clock.elapsed_seconds + seconds
    device.run_until(lambda: device.clock.elapsed_seconds >= end)


def uses(device: Device) -> tuple[Bundle | None, Bundle | None]:
    """What the camera encodes with, and what it makes probes with."""
    return device.active.bundle, device.active.other


def test_the_camera_compares_with_the_bundle_before_for_seven_days_of_uptime_over_restarts(on_trial: Device) -> None:
    assert on_trial.active.other == V1
    prove(on_trial, V2)
    let_pass(on_trial, 4 * DAY)
    assert on_trial.active.other == V1

    on_trial.clock.elapsed_seconds += 30 * DAY  # switched off
    on_trial.restart()
    let_pass(on_trial, 2.9 * DAY)
    assert uses(on_trial) == (V2, V1)
    let_pass(on_trial, 0.2 * DAY)
    assert uses(on_trial) == (V2, None)

    on_trial.restart()
    let_pass(on_trial, 1.0)
    assert uses(on_trial) == (V2, None)


def test_uptime_is_noted_while_the_program_runs(on_trial: Device) -> None:
    before = on_trial.updater.kept.probing_seconds_left
    on_trial.run_until(lambda: on_trial.state_file.load().probing_seconds_left < before - DAY)
    assert sum(on_trial.clock.waits) < DAY + 1200


def test_starts_that_end_in_order_lose_no_uptime(on_trial: Device) -> None:
    before = on_trial.updater.kept.probing_seconds_left
    for _ in range(5):
        on_trial.restart()
        let_pass(on_trial, 100.0)
    on_trial.restart()
    let_pass(on_trial, 1.0)
    assert before - on_trial.updater.kept.probing_seconds_left >= 500.0


def test_a_bundle_that_failed_its_trial_makes_no_probes(on_trial: Device) -> None:
    on_trial.evidence.encoder_failed(V2.target_path, "why")
    take(on_trial)
    assert (on_trial.runs, on_trial.active.other) == ("signs/1", None)


def test_a_bundle_below_a_floor_that_is_raised_makes_no_more_probes(on_trial: Device, publisher: Publisher) -> None:
    prove(on_trial, V2)
    publisher.publish(make_bundle(3, min_counter=2))
    let_pass(on_trial, 1.2 * DAY)
    assert uses(on_trial) == (V2, None)


def test_a_bundle_for_pictures_of_another_size_makes_no_probes(
    on_v1: Device, plane: DevicePlane, publisher: Publisher
) -> None:
    publisher.publish(make_bundle(2, side=48))
    plane.assign(2, "signs", 2)
    on_v1.work()
    assert (on_v1.runs, on_v1.active.other) == ("signs/2", None)


def test_a_damaged_slot_makes_no_probes(on_trial: Device) -> None:
    prove(on_trial, V2)
    slot = next(path for path in on_trial.slots._directory.glob("?.json") if path.read_bytes() == V1.to_bytes())
    slot.write_bytes(b"damaged")

    on_trial.restart()
    let_pass(on_trial, 1.0)

    assert uses(on_trial) == (V2, None)


class Followed:
    """Stands in for the settings from afar: what it was told, and when there is something to fetch."""

    def __init__(self) -> None:
        self.told: list[str | None] = []
        self.due_seconds = math.inf
        self.fetched = 0

    def named(self, target: str | None) -> None:
        self.told.append(target)

    def seconds_left(self) -> float:
        return self.due_seconds

    def follow(self, _download: Callable[[str], VerifiedTarget]) -> None:
        self.fetched += 1
        self.due_seconds = math.inf


def test_settings_that_an_answer_names_are_news_until_they_were_asked_for(
    on_v1: Device, channel: DeviceChannel, plane: DevicePlane
) -> None:
    on_v1.updater._from_afar = followed = Followed()
    assert plane.assignment is not None
    plane.assignment["settings"] = "signs/settings-3.json"
    channel.send_frame(1, b"jpeg")
    assert on_v1.signals.has_news
    on_v1.work()
    assert (followed.told, on_v1.signals.has_news, on_v1.runs) == (["signs/settings-3.json"], False, "signs/1")
    on_v1.work()
    assert followed.told == ["signs/settings-3.json"], "a 304 names nothing"
    del plane.assignment["settings"]
    channel.send_frame(2, b"jpeg")
    assert on_v1.signals.has_news
    on_v1.work()
    assert (followed.told[1:], on_v1.signals.has_news) == ([None], False)


def test_settings_are_fetched_when_they_are_due_whether_or_not_it_is_time_to_ask(
    on_v1: Device, plane: DevicePlane
) -> None:
    on_v1.updater.turn()
    on_v1.updater._from_afar = followed = Followed()
    followed.due_seconds = 0.0
    asked = len(plane.asked("/v1/assignment"))
    on_v1.updater.turn()
    assert (followed.fetched, len(plane.asked("/v1/assignment"))) == (1, asked)
