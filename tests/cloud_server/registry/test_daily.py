"""What the whole fleet sent, saved and got right, day by day."""

import pytest
from sqlalchemy import Connection

from cloud_server.registry.daily import daily_of
from cloud_server.registry.report import accuracy_of
from cloud_server.storage.database import add_what_waits
from cloud_server.storage.rows import baseline_sums, daily_sums, sums
from cloud_server.storage.rows.daily_sums import DayAnswered, DaySpent, MeasuredRatio

TODAY = 20_000
DAYS = range(TODAY - 1, TODAY + 1)


def test_a_day_without_anything_is_there_and_knows_nothing() -> None:
    daily = daily_of([], [], [], DAYS)
    assert [day.day for day in daily.days] == [TODAY - 1, TODAY]
    assert (daily.total.frames, daily.total.saving, daily.total.accuracy, daily.total.estimated) == (
        0,
        None,
        None,
        None,
    )


def test_what_is_saved_is_told_by_the_familys_own_ordinary_jpeg() -> None:
    spent = [
        DaySpent(TODAY - 1, "digits", "interchange", 10, 10_000, 500),
        DaySpent(TODAY, "digits", "v1", 10, 4_000, 500),
    ]
    measured = [MeasuredRatio("digits", "v1", 1, 99)]
    yesterday, today = daily_of(spent, [], measured, DAYS).days
    assert yesterday.saving == 0.0
    assert today.saving == pytest.approx(0.6)


def test_a_family_that_posts_none_is_told_by_what_was_measured_with_the_same_http_around() -> None:
    spent = [DaySpent(TODAY, "digits", "v1", 10, 4_000, 1_000)]
    today = daily_of(spent, [], [MeasuredRatio("digits", "v1", 300, 600)], DAYS).days[-1]
    assert today.ordinary_bytes == 7_000


def test_a_saving_is_unknown_as_long_as_it_is_unknown_of_one_family() -> None:
    spent = [DaySpent(TODAY, "digits", "interchange", 1, 1_000, 50), DaySpent(TODAY, "letters", "v1", 1, 500, 50)]
    assert daily_of(spent, [], [], DAYS).days[-1].saving is None
    assert daily_of(spent[:1], [], [], DAYS).days[-1].saving == 0.0


def test_accuracy_is_of_labels_and_the_estimate_of_confidences() -> None:
    answered = [
        DayAnswered(TODAY, "digits", 50, 10, 9, 40, 30_000_000),
        DayAnswered(TODAY, "letters", 50, 10, 7, 10, 10_000_000),
    ]
    today = daily_of([], answered, [], DAYS).days[-1]
    assert today.accuracy is not None
    assert today.estimated is not None
    assert (today.accuracy.labelled, today.accuracy.share) == (20, 0.8)
    assert (today.estimated.frames, today.estimated.share) == (50, 0.8)
    assert today.estimated.low < 0.8 < today.estimated.high


def test_the_random_audit_is_counted_apart_from_all_labels() -> None:
    answered = [
        DayAnswered(TODAY, "digits", 50, 10, 9, audited=4, audited_correct=1),
        DayAnswered(TODAY, "letters", 50, 10, 9, audited=4, audited_correct=3),
    ]
    today = daily_of([], answered, [], DAYS).days[-1]
    assert today.audited == accuracy_of(8, 4)
    assert today.accuracy == accuracy_of(20, 18)


def test_hours_become_days_in_utc_on_either_database(connection: Connection) -> None:
    for hour in (TODAY * 24 - 1, TODAY * 24, TODAY * 24 + 23):
        for shard in (1, 2):
            sums.add_bytes(connection, [sums.ByteSum("digits", "v1", hour, shard, 1, 10, 0, 5, 3, 99)])
            sums.add_answer(
                connection, sums.AnswerSum("digits", "v1", "exact", hour, shard, 1, 10, 1, 1, 1, 500_000, 1, 0)
            )
    baseline_sums.add(connection, [baseline_sums.BaselineSum("digits", "v1", TODAY * 24, 1, 1, 15, 40)])
    add_what_waits(connection)
    assert daily_sums.spent_by_day(connection, TODAY - 1) == [
        DaySpent(TODAY - 1, "digits", "v1", 2, 36, 6),
        DaySpent(TODAY, "digits", "v1", 4, 72, 12),
    ]
    assert daily_sums.spent_by_day(connection, TODAY)[0].day == TODAY
    assert daily_sums.answered_by_day(connection, TODAY) == [DayAnswered(TODAY, "digits", 4, 4, 4, 4, 2_000_000, 4, 0)]
    assert daily_sums.measured_since(connection, TODAY) == [MeasuredRatio("digits", "v1", 15, 40)]
