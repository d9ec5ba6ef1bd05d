"""How signals stand in each process, as rows: the last word of each, and not for ever."""

from sqlalchemy import Connection, func, select, update

from cloud_server.storage.quality_tables import drift_signals
from cloud_server.storage.rows.drift import FORGET_SECONDS, DriftRow, lately, save

ZEROS = DriftRow("digits", 7, "zeros", 0.25, 640, 1, 50.0)
LABELS = DriftRow("digits", 7, "labels", None, 640, 0, None)


def test_what_a_process_saves_takes_the_place_of_what_it_said_before(connection: Connection) -> None:
    save(connection, "one", [ZEROS, LABELS])
    save(connection, "two", [ZEROS])
    save(connection, "one", [ZEROS._replace(score=0.5)])
    assert lately(connection, 60) == [("one", ZEROS._replace(score=0.5)), ("two", ZEROS)]
    save(connection, "one", [])
    assert lately(connection, 60) == [("two", ZEROS)]


def test_rows_come_by_version_and_signal(connection: Connection) -> None:
    later = ZEROS._replace(counter=12)
    save(connection, "one", [later, ZEROS, LABELS])
    assert [row for _, row in lately(connection, 60)] == [LABELS, ZEROS, later]


def test_what_an_ended_process_left_is_not_late_any_more_and_goes_after_a_day(connection: Connection) -> None:
    for replica, age_seconds in (("ended", 61), ("gone", FORGET_SECONDS + 60)):
        save(connection, replica, [ZEROS])
        is_its = drift_signals.c.replica == replica
        connection.execute(update(drift_signals).where(is_its).values(saved_at=drift_signals.c.saved_at - age_seconds))
    assert lately(connection, 60) == []
    save(connection, "two", [])
    assert connection.execute(select(func.count()).select_from(drift_signals)).scalar_one() == 1
