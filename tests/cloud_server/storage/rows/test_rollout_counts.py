"""What is counted of devices in a rollout: added up, kept a device, and read whole."""

import pytest
from sqlalchemy import Connection, update

from cloud_server.storage.database import add_what_waits
from cloud_server.storage.rows import rollout_counts as rows
from cloud_server.storage.rows.rollout_counts import Arm, CountRow, ReachedDevice, ReachedRow, VerdictRow
from cloud_server.storage.schema import devices
from tests.cloud_server.harness.rollouts import NOW, begun, enrolled, new_rollout

ROLLOUT, OTHER = "abcd2345", "cccc2222"


@pytest.fixture(autouse=True)
def _two_rollouts(connection: Connection) -> None:
    begun(connection, new=new_rollout(ROLLOUT))
    begun(connection, new=new_rollout(OTHER, "letters"))


def test_counts_of_a_device_and_arm_add_up(connection: Connection) -> None:
    for _ in range(2):
        for device, arm in ((2, Arm.NEW), (1, Arm.OLD), (1, Arm.NEW), (1, Arm.NEW)):
            rows.add_counts(connection, ROLLOUT, CountRow(device, arm, 1, 100, 2, 3, None))
        rows.add_counts(connection, OTHER, CountRow(1, Arm.NEW, 7, 7, 7, 7, None))
        add_what_waits(connection)
    assert rows.counts(connection, ROLLOUT, Arm.NEW) == [(1, 4, 400, 8, 12, None), (2, 2, 200, 4, 6, None)]
    assert rows.counts(connection, ROLLOUT, Arm.OLD) == [(1, 2, 200, 4, 6, None)]


def test_how_long_encoding_takes_is_what_was_told_last_and_counts_leave_it_alone(connection: Connection) -> None:
    nothing = (0, 0, 0, 0)
    for seconds in (0.5, 0.25):
        rows.tell_encode_seconds(connection, ROLLOUT, 1, Arm.NEW, seconds)
    assert rows.counts(connection, ROLLOUT, Arm.NEW) == [(1, *nothing, 0.25)]
    rows.add_counts(connection, ROLLOUT, CountRow(1, Arm.NEW, 1, 2, 3, 4, None))
    add_what_waits(connection)
    rows.tell_encode_seconds(connection, ROLLOUT, 1, Arm.OLD, 0.125)
    assert rows.counts(connection, ROLLOUT, Arm.NEW) == [(1, 1, 2, 3, 4, 0.25)]
    assert rows.counts(connection, ROLLOUT, Arm.OLD) == [(1, *nothing, 0.125)]


def test_devices_that_are_not_settled_can_be_put_off_but_not_into_the_future(connection: Connection) -> None:
    noted = [
        ReachedRow(1, NOW, "pending", None, 0),
        ReachedRow(2, NOW + 50, "pending", None, 0),
        ReachedRow(3, NOW, "timed-out", NOW + 9, 0),
    ]
    rows.put_outcomes(connection, ROLLOUT, noted)
    rows.put_outcomes(connection, OTHER, noted)
    rows.put_off(connection, ROLLOUT, 100, NOW + 120)
    assert [row[1] - NOW for row in rows.reached(connection, ROLLOUT)] == [100, 120, 0]
    rows.put_off(connection, ROLLOUT, 0, NOW - 500)
    assert [row[1] - NOW for row in rows.reached(connection, ROLLOUT)] == [-500, -500, 0]
    assert [row[1] - NOW for row in rows.reached(connection, OTHER)] == [0, 50, 0]


def test_devices_of_which_something_became_can_be_forgotten(connection: Connection) -> None:
    outcomes = ["pending", "timed-out", "confirmed", "rejected"]
    for rollout in (ROLLOUT, OTHER):
        noted = [ReachedRow(number, NOW, outcome, None, 0) for number, outcome in enumerate(outcomes)]
        rows.put_outcomes(connection, rollout, noted)
    rows.forget_outcomes(connection, ROLLOUT, ["pending", "timed-out"])
    assert [row[2] for row in rows.reached(connection, ROLLOUT)] == ["confirmed", "rejected"]
    assert [row[2] for row in rows.reached(connection, OTHER)] == outcomes


def test_what_became_of_a_device_is_what_was_noted_last_and_since_when_it_is_exposed_stays(
    connection: Connection,
) -> None:
    first = [ReachedRow(2, NOW, "pending", None, 1), ReachedRow(1, NOW, "pending", None, 0)]
    rows.put_outcomes(connection, ROLLOUT, first)
    rows.put_outcomes(connection, ROLLOUT, [])
    rows.put_outcomes(connection, OTHER, [ReachedRow(1, NOW, "rejected", NOW, 0)])
    rows.put_outcomes(connection, ROLLOUT, [ReachedRow(2, NOW + 5, "confirmed", NOW + 6, 3)])
    assert rows.reached(connection, ROLLOUT) == [
        ReachedRow(1, NOW, "pending", None, 0),
        ReachedRow(2, NOW, "confirmed", NOW + 6, 3),
    ]
    assert rows.tally(connection, ROLLOUT) == {"pending": 1, "confirmed": 1}


def test_the_devices_that_a_rollout_has_reached_come_a_page_at_a_time_and_forgotten_ones_do_not(
    connection: Connection,
) -> None:
    ids = [enrolled(connection, name) for name in ("one", "two", "three", "four")]
    outcomes = ("confirmed", "pending", "confirmed", "confirmed")
    noted = [ReachedRow(row, NOW + row, outcome, None, 3) for row, outcome in zip(ids, outcomes, strict=True)]
    rows.put_outcomes(connection, ROLLOUT, noted)
    rows.put_outcomes(connection, OTHER, noted[:1])
    connection.execute(update(devices).where(devices.c.id == ids[2]).values(forgotten_at=NOW))

    def page(outcome: str | None, after: int | None, limit: int = 9) -> list[str]:
        return [row.public_id for row in rows.reached_page(connection, ROLLOUT, outcome, after, limit)]

    assert page(None, None) == ["one", "two", "four"]
    assert page("confirmed", None) == ["one", "four"]
    assert page(None, ids[0], limit=1) == ["two"]
    [first] = rows.reached_page(connection, OTHER, None, None, 9)
    assert first == ReachedDevice(ids[0], "one", None, None, NOW + ids[0], "confirmed", None, 3)


def test_verdicts_are_kept_also_of_a_stage_that_is_tried_again(connection: Connection) -> None:
    first = [VerdictRow(0, 1, gate, NOW, "hold", "{}") for gate in ("accuracy", "bytes")]
    again = [VerdictRow(0, 1, "bytes", NOW + 60, "pass", "{}")]
    for some in (again, [], first):
        rows.add_verdicts(connection, ROLLOUT, some)
    assert rows.verdicts(connection, ROLLOUT) == first + again
    assert rows.verdicts(connection, OTHER) == []
