"""Updates over a real TUF repository: what is believed, what is refused, and that the active bundle stays."""

import json
from pathlib import Path
from typing import Any

import pytest

from sensor_client.active_bundle import ActiveBundle
from sensor_client.device_channel import DeviceChannel
from sensor_client.errors import UnauthorisedError
from sensor_client.ota import RefusedOffer, Slots, Updater, UpdateSettings, UpdateStateFile
from sensor_client.ota.states import Policy
from sensor_client.ota.update_state import Trial
from sensor_client.signals import Signals
from shared.errors import ChannelError
from shared.trust import TrustClient
from shared.wire import ProblemCode
from tests.sensor_client.device_plane import DevicePlane, problem
from tests.sensor_client.fakes import FakeClock
from tests.sensor_client.signed_bundles import THRIFTY, Publisher, make_bundle

TRUST_ATTEMPTS = Policy().trust_attempts
PUT_OFF_SECONDS = Policy().put_off_seconds
V1 = make_bundle(1)
V2 = make_bundle(2, quality=70)


class Device:
    """The updater of one device, which can be restarted."""

    def __init__(
        self, folder: Path, channel: DeviceChannel, publisher: Publisher, signals: Signals, clock: FakeClock
    ) -> None:
        self._parts = (folder, channel, publisher, signals, clock)
        self.clock, self.signals = clock, signals
        self.slots = Slots(folder / "bundles")
        self.state_file = UpdateStateFile(folder / "update-state.json")
        self.policy = Policy()
        self.restart()

    def restart(self) -> None:
        folder, channel, publisher, signals, clock = self._parts
        self.active = ActiveBundle(self.slots.active())
        trust = TrustClient(folder / "trust", publisher.root, channel.fetch)
        self.updater = Updater(
            channel=channel,
            trust=trust,
            slots=self.slots,
            state_file=self.state_file,
            active=self.active,
            clock=clock,
            random=lambda: 0.5,
            signals=signals,
            settings=UpdateSettings(family="signs", poll_seconds=300.0, policy=self.policy),
        )

    @property
    def runs(self) -> str:
        return self.active.bundle.name if self.active.bundle else ""

    @property
    def last_refused(self) -> RefusedOffer:
        refused = self.state_file.load().last_refused
        assert refused is not None
        return refused

    def work(self, steps: int = 1) -> None:
        for _ in range(steps):
            self.updater.step()


@pytest.fixture
def device(tmp_path: Path, channel: DeviceChannel, publisher: Publisher, signals: Signals, clock: FakeClock) -> Device:
    return Device(tmp_path, channel, publisher, signals, clock)


@pytest.fixture
def on_v1(device: Device, plane: DevicePlane, publisher: Publisher) -> Device:
    publisher.publish(V1)
    plane.assign(1, "signs", 1)
    device.work()
    assert device.runs == "signs/1"
    return device


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


def test_a_version_below_the_security_floor_is_refused_once_and_the_active_one_stays(
    on_v1: Device, plane: DevicePlane, publisher: Publisher
) -> None:
    publisher.publish(make_bundle(5, min_counter=2))
    plane.assign(2, "signs", 5)
    on_v1.work()

    plane.assign(3, "signs", 1)
    on_v1.work(steps=4)

    assert on_v1.runs == "signs/5"
    assert on_v1.state_file.load().refusals == 1
    assert (on_v1.last_refused.code, on_v1.last_refused.target) == ("offer-refused", "signs/1.json")


def test_the_floor_outlives_restarts_and_going_back(on_v1: Device, plane: DevicePlane, publisher: Publisher) -> None:
    for bundle in (make_bundle(2), make_bundle(5, min_counter=2)):
        publisher.publish(bundle)
    for seq, counter in ((2, 5), (3, 2), (4, 1)):
        plane.assign(seq, "signs", counter)
        on_v1.restart()
        on_v1.work()

    assert on_v1.runs == "signs/2"


def test_a_bundle_of_another_family_is_refused(on_v1: Device, plane: DevicePlane, publisher: Publisher) -> None:
    publisher.publish(make_bundle(2, family="letters"))
    plane.assign(2, "letters", 2)

    on_v1.work()

    assert on_v1.runs == "signs/1"
    assert "another family" in on_v1.last_refused.reason


def test_a_bundle_whose_self_test_fails_here_is_refused(
    on_v1: Device, plane: DevicePlane, publisher: Publisher
) -> None:
    elsewhere = make_bundle(2)  # made by an encoder that knew nothing of the settings
    publisher.publish(make_bundle(2, settings=THRIFTY, selftest=elsewhere.selftest.sha256))
    plane.assign(2, "signs", 2)

    on_v1.work()

    assert on_v1.runs == "signs/1"
    assert on_v1.last_refused.code == "selftest-failed"


@pytest.mark.parametrize("change", [{"lapping": {"taps": [0.5]}}, {"lapping": False}, {"schema": 3, "more": 1}])
def test_a_bundle_that_asks_for_what_this_device_cannot_do_is_refused_as_unsupported(
    on_v1: Device, plane: DevicePlane, publisher: Publisher, change: dict[str, Any]
) -> None:
    fields = json.loads(V2.to_bytes()) | change
    publisher.publish(V2, data=json.dumps(fields, sort_keys=True, separators=(",", ":")).encode())
    plane.assign(2, "signs", 2)

    on_v1.work()
    on_v1.restart()

    assert on_v1.runs == "signs/1"
    assert on_v1.last_refused.code == "unsupported-bundle"


def test_a_device_asks_once_a_start_for_a_bundle_that_its_program_may_be_able_to_run_by_now(
    on_v1: Device, plane: DevicePlane, publisher: Publisher
) -> None:
    fields = json.loads(V2.to_bytes()) | {"lapping": {"taps": [0.5]}}
    publisher.publish(V2, data=json.dumps(fields, sort_keys=True, separators=(",", ":")).encode())
    plane.assign(2, "signs", 2)

    for starts in (1, 2, 3):
        on_v1.work(steps=4)
        fetched = [request for request in plane.requests if request.path.endswith(".2.json")]
        assert (len(fetched), on_v1.state_file.load().refusals) == (starts, starts)
        on_v1.restart()


def test_a_bundle_of_schema_1_is_run(on_v1: Device, plane: DevicePlane, publisher: Publisher) -> None:
    older = make_bundle(2, schema_version=1)
    assert "reference_sha256" not in older.target_custom
    publisher.publish(older)
    plane.assign(2, "signs", 2)

    on_v1.work()

    assert on_v1.runs == "signs/2"


def test_an_entry_that_names_another_reference_than_the_bundle_is_refused(
    on_v1: Device, plane: DevicePlane, publisher: Publisher
) -> None:
    publisher.publish(V2, custom={"reference_sha256": "f" * 64})
    plane.assign(2, "signs", 2)

    on_v1.work()

    assert on_v1.runs == "signs/1"
    assert on_v1.last_refused.code == "offer-refused"


@pytest.mark.parametrize("data", [b"{}", b"not json", V2.to_bytes() + b"\n", bytes(5000)])
def test_signed_bytes_that_are_no_bundle_are_refused(
    on_v1: Device, plane: DevicePlane, publisher: Publisher, data: bytes
) -> None:
    publisher.publish(V2, data=data)
    plane.assign(2, "signs", 2)

    on_v1.work()

    assert on_v1.runs == "signs/1"
    assert on_v1.last_refused.code == "invalid-bundle"


def test_a_bundle_changed_on_the_server_is_tried_a_few_times_then_refused(
    on_v1: Device, plane: DevicePlane, publisher: Publisher
) -> None:
    publisher.publish(V2)
    file = publisher.file_of(V2)
    file.write_bytes(file.read_bytes().replace(b'"accuracy":0.5', b'"accuracy":0.9'))
    plane.assign(2, "signs", 2)

    on_v1.work(steps=TRUST_ATTEMPTS + 3)

    assert on_v1.runs == "signs/1"
    assert on_v1.last_refused.code == "untrusted"
    fetched = [request for request in plane.requests if request.path.endswith(".2.json")]
    assert len(fetched) == TRUST_ATTEMPTS


def test_an_offer_that_could_not_be_verified_is_taken_later_once_it_can_be(
    on_v1: Device, plane: DevicePlane, publisher: Publisher
) -> None:
    publisher.publish(V2)
    file, genuine = publisher.file_of(V2), publisher.file_of(V2).read_bytes()
    file.write_bytes(b"captive portal")
    plane.assign(2, "signs", 2)
    on_v1.work(steps=TRUST_ATTEMPTS)
    file.write_bytes(genuine)

    on_v1.work()
    assert on_v1.runs == "signs/1"

    on_v1.clock.elapsed_seconds += PUT_OFF_SECONDS
    on_v1.work()
    assert on_v1.runs == "signs/2"


def test_an_offer_that_could_not_be_verified_is_asked_for_again_after_a_restart(
    on_v1: Device, plane: DevicePlane, publisher: Publisher
) -> None:
    plane.assign(2, "signs", 2)
    on_v1.work(steps=TRUST_ATTEMPTS)
    publisher.publish(V2)

    on_v1.restart()
    on_v1.work()

    assert on_v1.runs == "signs/2"


def test_a_repository_of_another_root_is_not_believed(on_v1: Device, plane: DevicePlane, tmp_path: Path) -> None:
    impostor = Publisher(tmp_path / "impostor")
    for bundle in (V1, V2):
        impostor.publish(bundle)
    plane.tuf = impostor.directory
    plane.assign(2, "signs", 2)

    on_v1.work(steps=TRUST_ATTEMPTS)

    assert on_v1.runs == "signs/1"
    assert on_v1.last_refused.code == "untrusted"


def test_an_assignment_to_what_nobody_signed_is_refused(on_v1: Device, plane: DevicePlane) -> None:
    plane.assign(2, "signs", 9)

    on_v1.work(steps=TRUST_ATTEMPTS)

    assert on_v1.runs == "signs/1"
    assert "no such target" in on_v1.last_refused.reason


def test_a_publication_that_completes_between_two_tries_is_taken(
    on_v1: Device, plane: DevicePlane, publisher: Publisher
) -> None:
    plane.assign(2, "signs", 2)
    on_v1.work()

    publisher.publish(V2)
    on_v1.work()

    assert on_v1.runs == "signs/2"
    assert on_v1.state_file.load().refusals == 0


def test_a_refusal_is_remembered_by_the_next_start_and_ended_by_a_newer_assignment(
    on_v1: Device, plane: DevicePlane, publisher: Publisher
) -> None:
    publisher.publish(make_bundle(2, selftest="0" * 64))
    plane.assign(2, "signs", 2)
    on_v1.work()
    before = len(plane.requests)

    on_v1.restart()
    on_v1.work(steps=2)
    assert [request.path for request in plane.requests[before:]] == ["/v1/assignment"] * 2

    publisher.publish(make_bundle(3))
    plane.assign(3, "signs", 3)
    on_v1.work()
    assert on_v1.runs == "signs/3"


def test_a_device_whose_first_offer_was_refused_asks_on_but_fetches_it_no_more(
    device: Device, plane: DevicePlane, publisher: Publisher
) -> None:
    publisher.publish(make_bundle(1, selftest="0" * 64))
    plane.assign(1, "signs", 1)

    device.work(steps=3)

    assert device.runs == "" and device.state_file.load().refusals == 1
    assert len([request for request in plane.requests if request.path.endswith(".1.json")]) == 1


def test_a_device_that_lost_its_slots_fetches_the_settled_assignment_again(on_v1: Device) -> None:
    for slot in on_v1.slots._directory.iterdir():
        slot.unlink()

    on_v1.restart()
    on_v1.work()

    assert on_v1.runs == "signs/1"


def test_a_line_that_breaks_in_the_middle_is_tried_again(
    on_v1: Device, plane: DevicePlane, publisher: Publisher
) -> None:
    publisher.publish(V2)
    plane.assign(2, "signs", 2)
    plane.scripted.append(("/tuf/metadata/timestamp.json", problem(ProblemCode.NOT_READY)))

    with pytest.raises(ChannelError):
        on_v1.updater.step()
    on_v1.work()

    assert on_v1.runs == "signs/2"


def test_a_disk_that_refuses_the_slot_leaves_the_active_bundle_and_is_tried_again(
    on_v1: Device, plane: DevicePlane, publisher: Publisher
) -> None:
    publisher.publish(V2)
    plane.assign(2, "signs", 2)
    obstacle = on_v1.slots._directory / "b.json"
    obstacle.mkdir()

    with pytest.raises(OSError):
        on_v1.updater.step()
    assert on_v1.runs == "signs/1"

    obstacle.rmdir()
    on_v1.work()
    assert on_v1.runs == "signs/2"


def test_running_waits_for_news_and_backs_off_from_failures(
    on_v1: Device, plane: DevicePlane, publisher: Publisher
) -> None:
    publisher.publish(V2)
    plane.assign(2, "signs", 2)
    plane.scripted.append(("/v1/assignment", problem(ProblemCode.QUEUE_FULL, Retry_After="9")))
    on_v1.signals.assignment_news.clear()
    on_v1.clock.on_wait = lambda seconds: on_v1.signals.request_stop() if on_v1.runs == "signs/2" else None

    on_v1.updater.run()

    # the poll interval before the first question, Retry-After and jitter after the failure; then the reply to the
    # question itself named assignment 2, which costs one conditional GET before the interval begins again
    assert on_v1.clock.waits == [300.0, 9.25, 300.0]


def test_an_assignment_named_by_a_reply_is_news_until_it_is_settled(
    on_v1: Device, channel: DeviceChannel, plane: DevicePlane, publisher: Publisher, signals: Signals
) -> None:
    signals.assignment_news.clear()
    channel.send_frame(1, b"jpeg")
    assert not signals.assignment_news.is_set()

    publisher.publish(V2)
    plane.assign(2, "signs", 2)
    channel.send_frame(2, b"jpeg")
    assert signals.assignment_news.is_set()


def test_a_token_that_is_not_valid_ends_the_updater(device: Device, plane: DevicePlane) -> None:
    plane.scripted.append(("/v1/assignment", problem(ProblemCode.INVALID_TOKEN)))

    with pytest.raises(UnauthorisedError):
        device.updater.run()


def test_a_damaged_memory_of_assignments_counts_as_none(on_v1: Device) -> None:
    on_v1.state_file._path.write_bytes(b"\x00\x00")

    on_v1.restart()
    on_v1.work()

    assert on_v1.runs == "signs/1"
    assert on_v1.state_file.load().seq == 1


def test_a_trial_that_took_too_many_starts_returns_to_the_bundle_before(
    on_v1: Device, plane: DevicePlane, publisher: Publisher
) -> None:
    publisher.publish(V2)
    plane.assign(2, "signs", 2)
    on_v1.policy = Policy(proofs_needed=1, boots_limit=1)
    on_v1.restart()
    on_v1.work()
    assert on_v1.runs == "signs/2" and isinstance(on_v1.state_file.load().phase, Trial)

    told = []
    for _ in range(2):
        on_v1.signals.request_stop()
        on_v1.restart()
        on_v1.updater.run()
        told.append(on_v1.runs)

    assert told == ["signs/2", "signs/1"]
    assert on_v1.slots.active() == V1
    assert on_v1.last_refused.code == "failed-trial"
