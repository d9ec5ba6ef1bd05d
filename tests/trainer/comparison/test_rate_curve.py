"""Curves: values and BD-rates that a pencil gives."""

import math

import pytest

from tests.trainer.present import present
from trainer.comparison.rate_curve import RateCurve, bd_rate

SIZES = (50, 100, 200, 400)
LINE = (0.3, 0.4, 0.5, 0.6)  # ten points a doubling: a straight line over log bytes
BENT = (0.30, 0.42, 0.50, 0.54)


def test_a_straight_line_over_log_bytes_is_read_exactly_in_both_directions() -> None:
    curve = RateCurve.through(SIZES[::-1], LINE[::-1])
    assert curve.accuracy_at(100 * math.sqrt(2)) == pytest.approx(0.45)
    assert curve.bytes_at(0.45) == pytest.approx(100 * math.sqrt(2))


@pytest.mark.parametrize(("size", "accuracy"), [*zip(SIZES, BENT, strict=True)])
def test_a_curve_goes_through_its_points_and_back(size: int, accuracy: float) -> None:
    curve = RateCurve.through(SIZES, BENT)
    assert curve.accuracy_at(size) == pytest.approx(accuracy)
    assert curve.bytes_at(accuracy) == pytest.approx(size)


def test_a_curve_stays_between_neighbours() -> None:
    curve = RateCurve.through((50, 100, 200, 400), (0.1, 0.5, 0.51, 0.9))
    between = [present(curve.accuracy_at(size)) for size in range(100, 201)]
    assert all(0.5 <= accuracy <= 0.51 for accuracy in between)


def test_a_curve_is_read_a_little_beyond_its_ends_and_no_further() -> None:
    curve = RateCurve.through(SIZES, LINE)
    assert curve.accuracy_at(400 * 1.02) == pytest.approx(0.6 + 0.1 * math.log2(1.02), abs=1e-4)
    assert curve.accuracy_at(50 * 0.98) == pytest.approx(0.3 + 0.1 * math.log2(0.98), abs=1e-4)
    assert curve.accuracy_at(400 * 1.04) is None
    assert curve.accuracy_at(50 * 0.96) is None
    assert curve.bytes_at(0.601) is None
    assert curve.bytes_at(0.299) is None


def test_points_that_fall_with_more_bytes_are_one_point_at_their_mean() -> None:
    curve = RateCurve.through((50, 100, 200, 400), (0.3, 0.44, 0.42, 0.5))
    assert curve.accuracy == pytest.approx([0.3, 0.43, 0.5])
    assert math.exp(curve.log_bytes[1]) == pytest.approx(math.sqrt(100 * 200))


def test_pooling_goes_back_as_far_as_it_must() -> None:
    curve = RateCurve.through((50, 100, 200, 400), (0.4, 0.45, 0.3, 0.5))
    assert curve.accuracy == pytest.approx([(0.4 + 0.45 + 0.3) / 3, 0.5])


def test_a_curve_is_read_as_far_as_it_was_measured_even_where_its_ends_were_pooled() -> None:
    curve = RateCurve.through((50, 100, 200, 400), (0.4, 0.3, 0.6, 0.5))
    assert [curve.accuracy_at(size) for size in (50, 400)] == pytest.approx([0.35, 0.55], abs=0.01)
    assert [curve.accuracy_at(size) for size in (48, 413)] == [None, None]


def test_two_points_at_equal_bytes_are_one() -> None:
    assert RateCurve.through((50, 50, 100), (0.3, 0.4, 0.5)).accuracy == pytest.approx([0.35, 0.5])


@pytest.mark.parametrize("accuracies", [LINE, BENT])
def test_three_quarters_of_the_bytes_everywhere_are_minus_25_percent(accuracies: tuple[float, ...]) -> None:
    ours = RateCurve.through([0.75 * size for size in SIZES], accuracies)
    theirs = RateCurve.through(SIZES, accuracies)
    found = present(bd_rate(ours, theirs))
    assert found.value == pytest.approx(-0.25)
    assert (found.low, found.high) == (accuracies[0], accuracies[-1])
    assert present(bd_rate(theirs, ours)).value == pytest.approx(1 / 0.75 - 1)
    assert present(bd_rate(theirs, theirs)).value == 0


def test_the_mean_is_taken_over_log_bytes_where_both_curves_are() -> None:
    # From 0.4 to 0.5 the first needs 100 to 200 bytes, the second 100 to 400: log2 of the share falls from 0 to -1.
    ours = RateCurve.through((100, 200), (0.4, 0.5))
    theirs = RateCurve.through((50, 100, 400, 800), (0.35, 0.4, 0.5, 0.55))
    straight = RateCurve.through((25, 100, 400, 1600), (0.3, 0.4, 0.5, 0.6))
    assert present(bd_rate(ours, straight)).value == pytest.approx(2**-0.5 - 1)
    found = present(bd_rate(ours, theirs))
    assert (found.low, found.high) == (0.4, 0.5)


def test_curves_that_share_no_accuracy_have_no_bd_rate() -> None:
    assert bd_rate(RateCurve.through((50, 100), (0.1, 0.2)), RateCurve.through((50, 100), (0.2, 0.3))) is None
    assert bd_rate(RateCurve.through((50,), (0.1,)), RateCurve.through((50, 100), (0.1, 0.3))) is None
