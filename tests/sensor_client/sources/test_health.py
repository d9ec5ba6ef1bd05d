"""How a source does is told once a change, and can be read at any time."""

from collections.abc import Mapping
from typing import Any

from sensor_client.sources import Condition, SourceHealth, Stillness
from tests.sensor_client.fakes import FakeClock


def test_a_source_that_is_lost_and_comes_back_is_logged_once_each_way(
    health: SourceHealth, clock: FakeClock, lines: list[Mapping[str, Any]]
) -> None:
    began = clock.now()
    health.came()
    for _ in range(50):
        clock.elapsed_seconds += 2
        health.lost("connection refused")
    while_lost = health.report
    clock.elapsed_seconds += 10
    health.came()

    assert (while_lost.condition, while_lost.since, while_lost.fault_at) == (Condition.LOST, began + 2, began + 100)
    after = health.report
    assert (after.condition, after.since, after.last_picture_at) == (Condition.GIVING, began + 110, began + 110)
    assert (after.pictures, after.losses, after.fault) == (2, 1, "connection refused")
    assert [(line["event"], line.get("reason"), line.get("after_seconds")) for line in lines] == [
        ("source-lost", "connection refused", None),
        ("source-back", None, 108.0),
    ]


def test_another_fault_of_a_lost_source_is_news(health: SourceHealth, lines: list[Mapping[str, Any]]) -> None:
    for reason in ("no route", "no route", "asks for a\nlogin", "asks for a login"):
        health.lost(reason)

    assert [line["reason"] for line in lines] == ["no route", "asks for a login"]
    assert health.report.losses == 1


def test_a_still_picture_is_logged_once_and_again_when_it_is_over(
    health: SourceHealth, clock: FakeClock, lines: list[Mapping[str, Any]]
) -> None:
    for stillness in (None, Stillness.FROZEN, Stillness.FROZEN, None, None):
        health.is_still(stillness)
        clock.elapsed_seconds += 1

    assert [line["event"] for line in lines] == ["picture-does-not-change", "picture-changes-again"]
    assert (health.report.stillness, health.report.still_since) == (None, None)


def test_what_was_dropped_and_the_end_are_told(health: SourceHealth) -> None:
    health.drop()
    health.drop()
    health.ended()

    assert (health.report.dropped, health.report.condition) == (2, Condition.ENDED)


def test_a_source_that_is_there_again_waits_for_its_next_picture(
    health: SourceHealth, lines: list[Mapping[str, Any]]
) -> None:
    health.found()
    health.lost("its folder is gone")
    health.found()
    health.came()

    assert [line["event"] for line in lines] == ["source-lost", "source-back"]
    assert health.report.condition is Condition.GIVING
