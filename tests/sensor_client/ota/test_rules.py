"""Which bundle may follow which: the rules, and offers over a real TUF repository that are refused or taken."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor_client.ota import OfferError, check_offer, floor_after, may_replace
from shared.bundle import Bundle
from tests.sensor_client.device_plane import DevicePlane
from tests.sensor_client.ota.updating import PUT_OFF_SECONDS, TRUST_ATTEMPTS, V1, V2, Device, take
from tests.sensor_client.signed_bundles import THRIFTY, Publisher, make_bundle

BUNDLE = make_bundle(counter=5, min_counter=3)


def custom_of(bundle: Bundle, **changes: object) -> dict[str, object]:
    return {**bundle.target_custom, **changes}


def test_an_offer_that_fits_passes() -> None:
    check_offer(
        BUNDLE,
        target_path="signs/5.json",
        custom=custom_of(BUNDLE, more="from later versions"),
        family="signs",
        floor_counter=5,
    )


def test_an_offer_of_another_family_is_refused() -> None:
    with pytest.raises(OfferError, match="another family"):
        check_offer(BUNDLE, target_path="signs/5.json", custom=custom_of(BUNDLE), family="letters", floor_counter=0)


def test_an_offer_signed_under_another_path_is_refused() -> None:
    with pytest.raises(OfferError, match=r"signed as signs/6\.json"):
        check_offer(BUNDLE, target_path="signs/6.json", custom=custom_of(BUNDLE), family="signs", floor_counter=0)


@pytest.mark.parametrize("key", BUNDLE.target_custom)
def test_an_offer_that_contradicts_its_signed_entry_is_refused(key: str) -> None:
    with pytest.raises(OfferError, match="signed entry"):
        check_offer(
            BUNDLE,
            target_path="signs/5.json",
            custom=custom_of(BUNDLE, **{key: "other"}),
            family="signs",
            floor_counter=0,
        )


def test_an_offer_below_the_floor_is_refused() -> None:
    with pytest.raises(OfferError, match="older than 6"):
        check_offer(BUNDLE, target_path="signs/5.json", custom=custom_of(BUNDLE), family="signs", floor_counter=6)


@given(st.integers(0, 9), st.integers(0, 9))
def test_the_floor_only_rises_and_what_was_run_stays_allowed(floor: int, other_floor: int) -> None:
    risen = floor_after(floor, BUNDLE.min_counter)

    assert risen >= floor
    assert may_replace(floor, BUNDLE) == (floor <= 5)
    assert may_replace(floor_after(0, BUNDLE.min_counter), BUNDLE)


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
    publisher.publish(make_bundle(2, family="letters"), path="signs/2.json")
    plane.assign(2, "signs", 2)

    on_v1.work()

    assert on_v1.runs == "signs/1"
    assert "another family" in on_v1.last_refused.reason


def test_an_assignment_to_another_family_is_refused(on_v1: Device, plane: DevicePlane, publisher: Publisher) -> None:
    publisher.publish(make_bundle(2, family="letters"))
    plane.assign(2, "letters", 2)

    on_v1.work(steps=TRUST_ATTEMPTS)

    assert on_v1.runs == "signs/1"
    assert "no such target" in on_v1.last_refused.reason


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
    take(on_v1)

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
        assert on_v1.state_file.load().refusals == starts
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


def test_the_floor_is_what_verified_metadata_say_also_after_the_record_is_lost(
    on_v1: Device, plane: DevicePlane, publisher: Publisher, tmp_path: Path
) -> None:
    publisher.publish(make_bundle(5, min_counter=3))  # assigned to others
    publisher.publish(V2)
    on_v1.clock.elapsed_seconds += 2 * 86_400
    take(on_v1)
    assert on_v1.updater.kept.floor_counter == 3

    (tmp_path / "update-state.json").write_bytes(b"")
    plane.stop()
    on_v1.restart()
    take(on_v1)
    assert on_v1.state_file.load().floor_counter == 3
    plane.start()

    plane.assign(2, "signs", 2)
    on_v1.work()
    assert on_v1.runs == "signs/1" and "older than 3" in on_v1.last_refused.reason


def test_what_cannot_be_verified_any_more_costs_nothing_but_updates(
    on_v1: Device, plane: DevicePlane, publisher: Publisher
) -> None:
    publisher.publish(V2)
    plane.assign(2, "signs", 2)
    on_v1.built_at = datetime.now(UTC) + timedelta(days=365 * 20)  # as with a clock that is 20 years ahead
    on_v1.restart()

    on_v1.work(steps=TRUST_ATTEMPTS)

    assert on_v1.runs == "signs/1" and on_v1.trust.standing().is_stale
    assert "expired" in on_v1.last_refused.reason
