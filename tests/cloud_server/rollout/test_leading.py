"""That rollouts are led is noted, and what nobody led is put off, whatever else a row says."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection

from cloud_server.open_storage import engine_of
from cloud_server.rollout.leading import is_to_be_noted, note
from cloud_server.storage.migrating import migrate
from cloud_server.storage.rows import rollout_counts, rollouts
from cloud_server.storage.rows.rollout_counts import ReachedRow
from cloud_server.storage.rows.rollouts import RolloutRow
from tests.cloud_server.harness.rollouts import EVERYBODY, NOW, begun, ended, new_rollout
from tests.cloud_server.harness.server import settings

DAY = 86_400.0


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    connector = engine_of(settings(tmp_path))
    migrate(connector)
    with connector.begin() as connection:
        yield connection
    connector.dispose()


def led(connection: Connection, now: float) -> RolloutRow:
    """The one active rollout, after it was led at a time."""
    (row,) = note(connection, now)
    assert row == rollouts.find(connection, row.id)
    return row


def test_while_it_is_led_again_and_again_nothing_is_put_off(connection: Connection) -> None:
    first = begun(connection, [EVERYBODY])
    for elapsed in (5, 30, 90, 80):
        assert led(connection, NOW + elapsed) == first._replace(led_at=NOW + elapsed)


def test_what_nobody_led_for_a_day_goes_on_where_it_was(connection: Connection) -> None:
    first = begun(connection, [EVERYBODY])
    reached = ReachedRow(1, NOW + 20, "pending", None, 0)
    rollout_counts.put_outcomes(connection, first.id, [reached])
    led(connection, NOW + 50)
    row = led(connection, NOW + 50 + DAY)
    assert (row.state_since, row.stage_since, row.led_at) == (NOW + DAY, NOW + DAY, NOW + 50 + DAY)
    assert row.version == first.version + 1, "whoever saw it as it was is told that it has changed"
    assert rollout_counts.reached(connection, first.id) == [reached._replace(exposed_at=NOW + 20 + DAY)]


def test_a_clock_that_was_set_back_begins_what_waits_anew(connection: Connection) -> None:
    first = begun(connection, [EVERYBODY])
    rollout_counts.put_outcomes(connection, first.id, [ReachedRow(1, NOW + 20, "pending", None, 0)])
    row = led(connection, NOW - DAY)
    assert (row.state_since, row.stage_since, row.led_at) == (NOW - DAY, NOW - DAY, NOW - DAY)
    assert rollout_counts.reached(connection, first.id)[0][1] == NOW - DAY


def test_each_active_rollout_is_put_off_by_its_own_gap_and_none_that_has_ended(connection: Connection) -> None:
    over = ended(connection, begun(connection, new=new_rollout("aaaa2222", "letters")))
    begun(connection, new=new_rollout("bbbb2222", "letters"), now=NOW + DAY)
    begun(connection, new=new_rollout("cccc2222", "digits"))
    late, new = note(connection, NOW + DAY + 30)
    assert (late.id, late.state_since) == ("cccc2222", NOW + DAY + 30)
    assert (new.id, new.state_since) == ("bbbb2222", NOW + DAY)
    assert rollouts.find(connection, over.id) == over


def test_it_is_noted_every_few_seconds_and_whatever_the_clock_does(connection: Connection) -> None:
    row = begun(connection, [EVERYBODY])
    seconds = (0, 9, 10, 3600, -1)
    assert [is_to_be_noted([row], NOW + elapsed) for elapsed in seconds] == [False, False, True, True, True]
    assert is_to_be_noted([row, row._replace(led_at=None)], NOW)
