"""The promises of a run that only a whole process can keep or break: kills, outages, updates."""

import signal
from pathlib import Path

import pytest

from sensor_client.enrolment import enrol
from sensor_client.probing import is_chosen
from sensor_client.spool import Spool, SpoolLimits
from sensor_client.state_directory import StateDirectory
from shared.jpeg import inspect
from shared.wire import Enrolment, ProblemCode
from tests.sensor_client.device_plane import CLAIM, DEVICE_ID, TOKEN, VOUCHER, DevicePlane, problem
from tests.sensor_client.pictures import write_pictures
from tests.sensor_client.program import await_event, events, sensor, start_sensor, status
from tests.sensor_client.signed_bundles import Publisher, make_bundle

V1 = make_bundle(1)
V2 = make_bundle(2, quality=80)
BAD = make_bundle(3, selftest="0" * 64)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_pictures(tmp_path / "pictures", 60)


@pytest.fixture
def state(tmp_path: Path, plane: DevicePlane, publisher: Publisher) -> StateDirectory:
    """An enrolled device, on a server that assigns it version 1."""
    publisher.publish(V1)
    plane.assign(1, "signs", 1)
    state = StateDirectory(tmp_path / "device")
    enrol(state, plane.url, publisher.root, lambda: Enrolment(device_id=DEVICE_ID, token=TOKEN, family="signs"))
    return state


def waiting(state: StateDirectory) -> dict[int, bytes]:
    spool = Spool(state.spool_file, SpoolLimits())
    frames = {frame.sequence: frame.body for frame in spool.oldest(1_000_000)}
    spool.close()
    return frames


@pytest.mark.parametrize("batch", [1, 7])
def test_kills_at_any_moment_lose_no_frame_and_give_no_number_twice(
    plane: DevicePlane, state: StateDirectory, source: Path, batch: int
) -> None:
    for kill_after in (1, 40, 90):

        def has_come(count: int = kill_after) -> bool:
            return len(plane.frames) >= count

        process = start_sensor("run", "--state", state.path, "--source", source, "--batch", batch)
        plane.until(has_come)
        process.kill()
        process.communicate(timeout=30)
        # what was spooled and not acknowledged is still there; the server may have had it already
        assert all(plane.frames.get(sequence, body) == body for sequence, body in waiting(state).items())

    last = sensor("run", "--state", state.path, "--source", source, "--count", "5", "--exit-when-drained")

    assert last.returncode == 0, last.stderr
    assert plane.conflicts == []
    encoded = status(state.path)["counters"]["encoded"]
    assert sorted(plane.frames) == list(range(1, encoded + 1))


def test_kills_while_the_server_is_down_lose_no_frame(plane: DevicePlane, state: StateDirectory, source: Path) -> None:
    sensor("run", "--state", state.path, "--source", source, "--count", "1", "--exit-when-drained")
    plane.stop()
    for _ in range(3):
        process = start_sensor("run", "--state", state.path, "--source", source, "--log-level", "debug")
        await_event(process, "upload-failed")
        process.kill()
        process.communicate(timeout=30)
    before = waiting(state)
    assert before and min(before) == 2 and len(before) == max(before) - 1

    plane.start()
    last = sensor(
        "run", "--state", state.path, "--source", source, "--count", "1", "--exit-when-drained", "--batch", 64
    )

    assert last.returncode == 0, last.stderr
    assert {sequence: plane.frames[sequence] for sequence in before} == before
    assert sorted(plane.frames) == list(range(1, max(before) + 2))


def test_an_outage_in_the_middle_of_a_run_loses_no_frame(
    plane: DevicePlane, state: StateDirectory, source: Path
) -> None:
    process = start_sensor(
        "run", "--state", state.path, "--source", source, "--once", "--rate", "100", "--exit-when-drained"
    )
    plane.until(lambda: len(plane.frames) >= 5)
    plane.stop()
    await_event(process, "upload-failed")
    plane.start()
    _, log = process.communicate(timeout=60)

    assert process.returncode == 0, log
    assert sorted(plane.frames) == list(range(1, 61)) and plane.conflicts == []
    assert [event["event"] for event in events(log)].count("upload-works-again") == 1


def test_a_device_that_its_server_has_forgotten_is_let_in_again_on_its_voucher(
    plane: DevicePlane, tmp_path: Path, publisher: Publisher, source: Path
) -> None:
    publisher.publish(V1)
    plane.assign(1, "signs", 1)
    (root := tmp_path / "root.json").write_bytes(publisher.root)
    state = tmp_path / "joined"
    joined = sensor("enrol", "--server", plane.url, "--claim", CLAIM, "--state", state, "--root", root)
    assert joined.returncode == 0, joined.stderr
    process = start_sensor("run", "--state", state, "--source", source, "--rate", "50")
    plane.until(lambda: len(plane.frames) >= 5)

    plane.has_forgotten = True  # as one that was restored from a backup of before
    plane.until(lambda: not plane.has_forgotten)
    before = len(plane.frames)
    plane.until(lambda: len(plane.frames) >= before + 20)
    process.terminate()
    _, log = process.communicate(timeout=30)

    assert process.returncode == 0, log
    first, again = plane.enrolments
    assert (again.claim_code, again.secret) == (first.claim_code, first.secret)
    assert (again.device_id, again.family, again.voucher) == (DEVICE_ID, "signs", VOUCHER)
    assert sorted(plane.frames) == list(range(1, len(plane.frames) + 1)) and plane.conflicts == []
    assert status(state)["refused_since"] is None
    assert CLAIM not in log and TOKEN not in log and VOUCHER not in log


def test_a_device_that_is_kept_out_goes_on_taking_pictures(
    plane: DevicePlane, state: StateDirectory, source: Path
) -> None:
    process = start_sensor("run", "--state", state.path, "--source", source, "--rate", "50")
    plane.until(lambda: len(plane.frames) >= 5)

    plane.has_forgotten = True
    await_event(process, "token-refused")
    lets_in = f"dctwire devices show {DEVICE_ID}; to let it in again, dctwire devices restore {DEVICE_ID}"
    await_event(process, "not-let-in-again", operator_types=lets_in)
    await_event(process, "token-refused")
    told = status(state.path)
    asked = len(plane.requests)
    process.terminate()
    process.communicate(timeout=30)

    assert process.returncode == 0 and len(plane.requests) <= asked + 1
    assert told["refused_since"] is not None
    after = status(state.path)
    assert after["spooled_frames"] > 0 and after["dead_letters"] == 0


def test_a_device_without_tables_says_so_once_and_what_the_operator_types(
    plane: DevicePlane, state: StateDirectory, source: Path
) -> None:
    plane.assignment = None
    process = start_sensor("run", "--state", state.path, "--source", source)
    plane.until(lambda: len(plane.asked("/v1/assignment")) >= 4)
    plane.assign(1, "signs", 1)
    plane.until(lambda: len(plane.frames) >= 1)
    process.terminate()
    _, log = process.communicate(timeout=30)

    (told,) = [event for event in events(log) if event["event"] == "no-tables-assigned"]
    assert told["family"] == "signs"
    assert "dctwire assign signs COUNTER" in told["operator_types"]


def test_a_device_whose_assigned_tables_are_below_the_floor_says_so_once_with_both(
    plane: DevicePlane, publisher: Publisher, state: StateDirectory, source: Path
) -> None:
    publisher.publish(make_bundle(5, quality=80, min_counter=3))
    process = start_sensor("run", "--state", state.path, "--source", source)
    plane.until(lambda: len(plane.asked("/v1/assignment")) >= 4)
    plane.assign(2, "signs", 5)
    plane.until(lambda: len(plane.frames) >= 1)
    process.terminate()
    _, log = process.communicate(timeout=30)

    (told,) = [event for event in events(log) if event["event"] == "assigned-tables-refused"]
    assert (told["family"], told["assigned"], told["floor"]) == ("signs", "signs/1.json", 3)
    assert "older than 3" in told["reason"] and "dctwire assign signs COUNTER" in told["operator_types"]
    assert "no-tables-assigned" not in [event["event"] for event in events(log)]


def test_a_server_that_could_not_be_asked_for_tables_and_can_again_is_told_once(
    plane: DevicePlane, state: StateDirectory, source: Path
) -> None:
    plane.scripted += [("/v1/assignment", problem(ProblemCode.NOT_READY))] * 2
    process = start_sensor("run", "--state", state.path, "--source", source)
    plane.until(lambda: len(plane.frames) >= 1)
    process.terminate()
    _, log = process.communicate(timeout=30)

    names = [event["event"] for event in events(log)]
    assert (names.count("update-postponed"), names.count("updates-work-again")) == (2, 1)


def test_tables_are_renewed_while_running_and_uploads_go_on(
    plane: DevicePlane, state: StateDirectory, source: Path, publisher: Publisher
) -> None:
    process = start_sensor("run", "--state", state.path, "--source", source, "--rate", "100", "--no-probes")
    plane.until(lambda: len(plane.frames) >= 10)
    publisher.publish(V2)
    plane.assign(2, "signs", 2)
    plane.until(lambda: tables_of(plane)[V2.tables.tables_id] >= 10)
    publisher.publish(BAD)
    plane.assign(3, "signs", 3)
    plane.until(lambda: len(plane.asked_for(".3.json")) == 1)
    settled = len(plane.frames)
    plane.until(lambda: len(plane.frames) >= settled + 10)
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=30)

    assert process.returncode == 0, log
    ids = [inspect(plane.frames[sequence]).tables_id for sequence in sorted(plane.frames)]
    change = ids.index(V2.tables.tables_id)
    assert set(ids[:change]) == {V1.tables.tables_id} and set(ids[change:]) == {V2.tables.tables_id}
    assert sorted(plane.frames) == list(range(1, len(plane.frames) + 1))
    told = status(state.path)
    assert (told["active_bundle"], told["previous_bundle"]) == ("signs/2", "signs/1")
    assert (told["bundles_activated"], told["bundles_refused"]) == (2, 1)
    assert told["last_refused"]["code"] == "selftest-failed"
    assert [event["event"] for event in events(log)].count("bundle-activated") == 2


def test_after_an_update_some_pictures_are_sent_with_the_tables_before_as_well_unless_that_is_switched_off(
    plane: DevicePlane, state: StateDirectory, source: Path, publisher: Publisher
) -> None:
    arguments = ("run", "--state", state.path, "--source", source, "--batch", "50", "--exit-when-drained", "--count")
    sensor(*arguments, "1")
    publisher.publish(V2)
    plane.assign(2, "signs", 2)
    process = start_sensor("run", "--state", state.path, "--source", source, "--rate", "20", "--no-probes")
    plane.until(lambda: tables_of(plane)[V2.tables.tables_id] >= 1)
    process.terminate()
    process.communicate(timeout=30)
    off = sensor(*arguments, "250", DCTWIRE_SENSOR_PROBES="off")
    assert off.returncode == 0 and plane.companions == {} and status(state.path)["counters"]["probes_encoded"] == 0
    sent_before = max(plane.frames)

    on = sensor(*arguments, "250")

    assert on.returncode == 0, on.stderr
    chosen = {number for number in plane.frames if number > sent_before and is_chosen(DEVICE_ID, number)}
    assert chosen and {number: of for number, (of, _) in plane.companions.items()} == {of + 1: of for of in chosen}
    for of, body in plane.companions.values():
        assert inspect(body).tables_id == V1.tables.tables_id
        assert inspect(plane.frames[of]).tables_id == V2.tables.tables_id
    told = status(state.path)
    assert (told["counters"]["probes_sent"], told["counters"]["probes_dropped"]) == (len(chosen), 0)
    assert (told["waiting_probes"], told["dead_letters"], plane.conflicts) == (0, 0, [])


def test_an_update_that_hangs_stops_no_upload(
    plane: DevicePlane, state: StateDirectory, source: Path, publisher: Publisher
) -> None:
    process = start_sensor("run", "--state", state.path, "--source", source, "--rate", "100")
    plane.until(lambda: len(plane.frames) >= 5)
    plane.hold("/tuf/signs/timestamp.json")
    publisher.publish(V2)
    plane.assign(2, "signs", 2)
    plane.until(lambda: plane.is_holding)
    held_at = len(plane.frames)
    plane.until(lambda: len(plane.frames) >= held_at + 20)
    plane.release()
    plane.until(lambda: tables_of(plane)[V2.tables.tables_id] >= 1)
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=30)

    assert process.returncode == 0, log


def test_a_spool_over_its_quota_drops_the_oldest_and_says_so(
    plane: DevicePlane, state: StateDirectory, source: Path
) -> None:
    plane.judge = lambda sequence, body: ProblemCode.NOT_READY

    arguments = ("--once", "--spool-frames", "10", "--log-level", "debug")
    process = start_sensor("run", "--state", state.path, "--source", source, *arguments)
    await_event(process, "frame-dropped", so_far=50)
    plane.judge = lambda sequence, body: None
    plane.until(lambda: 60 in plane.frames)
    process.terminate()
    process.communicate(timeout=30)

    counters = status(state.path)["counters"]
    assert (counters["encoded"], counters["dropped"], counters["acknowledged"]) == (60, 50, 10)
    assert sorted(plane.frames) == list(range(51, 61))


def tables_of(plane: DevicePlane) -> dict[str, int]:
    counts = {V1.tables.tables_id: 0, V2.tables.tables_id: 0}
    for body in plane.frames.values():
        tables_id = inspect(body).tables_id or ""
        counts[tables_id] = counts.get(tables_id, 0) + 1
    return counts
