"""The rate-accuracy plot: everything that is known is on it, where it belongs, and in words."""

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_server.console.rate_accuracy import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Kind,
    Point,
    expected_points,
    measured_points,
    plot,
)
from cloud_server.registry.measured import Measured
from cloud_server.registry.report import accuracy_of
from shared.bundle import Expected

SHARES = st.floats(0, 1)


def expected(scan_bytes: float, accuracy: float) -> Expected:
    return Expected(bytes_p50=scan_bytes, bytes_p95=scan_bytes, accuracy=accuracy, n=10, data="noise")


def seen(scan: float | None, labelled: int) -> Measured:
    """What the field shows of a version, half of whose audited frames are right, and all that have a label."""
    audited = accuracy_of(labelled, labelled // 2)
    return Measured(9, scan_bytes=scan, sent_bytes=scan, accuracy=accuracy_of(50, 50), audited=audited)


def test_a_family_without_a_version_has_no_plot() -> None:
    assert plot([]) is None


def test_only_versions_whose_bytes_and_audit_are_known_are_measured() -> None:
    known = {"v1": seen(200, 10), "v2": seen(None, 10), "v3": seen(200, 0), "interchange": seen(900, 10)}
    assert [(point.name, point.is_this) for point in measured_points(known, this=1)] == [
        ("v1", True),
        ("ordinary JPEG", False),
    ]


def test_the_version_that_the_plot_is_for_is_drawn_last_so_that_nothing_hides_it() -> None:
    shown = plot(expected_points([(1, expected(100, 0.5)), (2, expected(200, 0.6))], this=1))
    assert shown is not None
    assert [(mark.name, mark.is_this) for mark in shown.marks] == [("v2", False), ("v1", True)]


def test_more_bytes_lie_to_the_right_and_more_accuracy_above() -> None:
    shown = plot(expected_points([(1, expected(100, 0.5)), (2, expected(200, 0.6))], this=None))
    assert shown is not None
    first, second = shown.marks
    assert first.x < second.x
    assert first.y > second.y


def test_a_point_lies_on_the_line_of_its_round_number() -> None:
    shown = plot(expected_points([(1, expected(100, 0.5)), (2, expected(200, 0.6))], this=None))
    assert shown is not None
    assert {tick.text: tick.at for tick in shown.across}["100"] == shown.marks[0].x
    assert {tick.text: tick.at for tick in shown.up}["50 %"] == shown.marks[0].y


def test_every_point_is_told_in_words_and_measured_ones_with_their_interval() -> None:
    points = [*expected_points([(1, expected(123.4, 0.5))], this=1), *measured_points({"v1": seen(130, 100)}, this=1)]
    shown = plot(points)
    assert shown is not None
    assert shown.description == (
        "v1 expected: 123 bytes a frame, 50.0 % right. v1 measured: 130 bytes a frame, 50.0 % right (40.4 % to 59.6 %)."
    )


@given(st.lists(st.tuples(st.floats(0, 1e7), SHARES, SHARES, SHARES), min_size=1, max_size=20))
def test_whatever_is_known_lies_within_the_picture(known: list[tuple[float, float, float, float]]) -> None:
    points = [
        Point(Kind.MEASURED, "v1", scan_bytes, statistics.median(shares), min(shares), max(shares))
        for scan_bytes, *shares in known
    ]
    shown = plot(points)
    assert shown is not None
    for mark in shown.marks:
        assert LEFT <= mark.x <= WIDTH - RIGHT
        for y in (mark.y, mark.y_low, mark.y_high):
            assert y is not None
            assert TOP - 0.1 <= y <= HEIGHT - BOTTOM + 0.1
    for ticks in (shown.across, shown.up):
        assert 2 <= len(ticks) <= 10
        assert len({tick.text for tick in ticks}) == len(ticks)
        assert all(math.isfinite(tick.at) for tick in ticks)


def test_what_is_measured_of_a_version_is_linked_with_what_was_expected_of_it_and_with_nothing_else() -> None:
    points = expected_points([(1, expected(100, 0.5)), (2, expected(200, 0.6))], this=None)
    shown = plot([*points, *measured_points({"v2": seen(230, 100), "interchange": seen(900, 100)}, this=None)])
    assert shown is not None
    (link,) = shown.links
    marks = {(mark.kind, mark.name): mark for mark in shown.marks}
    first, second = marks[Kind.EXPECTED, "v2"], marks[Kind.MEASURED, "v2"]
    assert (link.x1, link.y1, link.x2, link.y2) == (first.x, first.y, second.x, second.y)


@pytest.mark.parametrize(("name", "is_left"), [("v1", False), ("ordinary JPEG", True)])
def test_a_name_that_has_no_room_right_of_its_point_stands_left_of_it(name: str, *, is_left: bool) -> None:
    points = [Point(Kind.EXPECTED, name, 1000.0, 0.5), Point(Kind.EXPECTED, "v2", 1.0, 0.6)]
    shown = plot(points)
    assert shown is not None
    assert {mark.name: mark.is_named_left for mark in shown.marks} == {name: is_left, "v2": False}
