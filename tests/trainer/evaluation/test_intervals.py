"""Intervals and McNemar's test: known values."""

import pytest
from scipy.stats import binomtest

from trainer.evaluation.intervals import mcnemar, paired_interval, wilson_interval


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    # from Wilson's closed form at the ends: 0 of n gives z^2 / (n + z^2)
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (50, 100, 0.4038, 0.5962), (950, 1000, 0.9347, 0.9619)],
)
def test_wilson_interval_has_its_published_values(right: int, n: int, low: float, high: float) -> None:
    assert wilson_interval(right, n) == pytest.approx((low, high), abs=2e-4)


@pytest.mark.parametrize(("gained", "lost"), [(0, 0), (5, 0), (0, 5), (7, 7), (20, 9), (600, 520), (30_000, 29_000)])
def test_mcnemar_is_the_exact_binomial_test_of_the_frames_that_differ(gained: int, lost: int) -> None:
    expected = binomtest(gained, gained + lost).pvalue if gained + lost else 1.0
    assert mcnemar(gained, lost) == pytest.approx(expected, rel=1e-6)


def test_the_paired_interval_is_bonett_s_and_price_s() -> None:
    # By hand, of 12 gained and 43 lost of 100: (13 - 44) / 102 and z times the root of (57 - 31^2 / 102) / 102^2.
    low, high = paired_interval(12, 43, 100)
    assert (low + high) / 2 == pytest.approx(-31 / 102)
    assert high - low == pytest.approx(2 * 1.959964 * ((57 - 31**2 / 102) ** 0.5) / 102)


def test_without_a_difference_the_interval_is_still_wide() -> None:
    low, high = paired_interval(0, 0, 50)
    assert low < -0.01 < 0.01 < high


def test_both_are_mirrored_where_the_sides_are_changed() -> None:
    low, high = paired_interval(9, 20, 200)
    assert paired_interval(20, 9, 200) == pytest.approx((-high, -low))
    assert mcnemar(9, 20) == mcnemar(20, 9)
