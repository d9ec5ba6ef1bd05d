"""Means over devices: what they are by hand, whom they leave out, and how sure they are."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, t

from cloud_server.rollout.means import (
    LYING,
    Sample,
    distrusted_devices,
    high_mean,
    low_mean,
    mean,
    shares,
    sizes,
    t_quantile,
)


def sample(*values: float, weights: tuple[float, ...] | None = None) -> Sample:
    """What devices say of a share."""
    return Sample(values=np.array(values), weights=np.array(weights or [1.0] * len(values)), least=0.0, most=1.0)


def whole(*values: int) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    return np.array(values, dtype=np.int64)


def test_nobody_weighs_more_than_the_median_device_and_who_has_nothing_is_left_out() -> None:
    found = shares(whole(1, 2, 0, 1000), whole(10, 20, 0, 1000))
    assert found.values.tolist() == [0.1, 0.1, 1.0]
    assert found.weights.tolist() == [10, 20, 20]
    assert mean(found) == pytest.approx((1 + 2 + 20) / 50)


def test_no_size_counts_for_more_than_three_times_the_median() -> None:
    found = sizes(np.array([100.0, 200.0, 1e9, 0.0]), np.array([1.0, 2.0, 1.0, 0.0]))
    assert found.values.tolist() == [100, 100, 300]
    assert (found.least, found.most) == (0, 300)


def test_of_nobody_there_is_no_mean() -> None:
    for nobody in (shares(whole(), whole()), sizes(np.array([]), np.array([]))):
        assert math.isnan(mean(nobody))
        assert low_mean(nobody) is None
        assert high_mean(nobody) is None


def test_a_low_mean_leaves_out_the_highest_and_adds_one_more_at_the_lowest() -> None:
    found = low_mean(sample(0.2, 0.3, 0.9))
    assert found is not None
    assert found.value == pytest.approx((0.2 + 0.3 + 0.0) / 3)
    assert found.variance == pytest.approx(np.var([0.2, 0.3, 0.0], ddof=1) / 3)
    assert found.freedom == 1


def test_a_high_mean_is_a_low_one_upside_down() -> None:
    found = high_mean(sample(0.2, 0.3, 0.9))
    assert found is not None
    assert found.value == pytest.approx((0.3 + 0.9 + 1.0) / 3)
    assert found.variance == pytest.approx(np.var([0.3, 0.9, 1.0], ddof=1) / 3)


def test_two_devices_are_too_few() -> None:
    assert low_mean(sample(0.2, 0.3)) is None


def test_of_devices_that_say_the_same_the_heaviest_are_left_out_in_whatever_order_they_come() -> None:
    weights = tuple(float(weight) for weight in range(1, 41))
    one, other = sample(*[0.0] * 40, weights=weights), sample(*[0.0] * 40, weights=weights[::-1])
    kept = sum(weights) - sum(weights[-distrusted_devices(40) :])
    for each in (one, other):
        found = high_mean(each)
        assert found is not None
        assert found.value == pytest.approx(40 / (kept + 40))


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0.1, 10)), min_size=3, max_size=9),
)
def test_left_out_are_exactly_those_without_whom_the_mean_is_lowest(devices: list[tuple[float, float]]) -> None:
    values, weights = (np.array(column) for column in zip(*devices, strict=True))
    found = low_mean(Sample(values=values, weights=weights, least=0.0, most=1.0))
    kept = range(len(devices))
    left_out = distrusted_devices(len(devices))
    lowest = min(
        float(np.average(values[[*some]], weights=weights[[*some]]))
        for some in combinations(kept, len(devices) - left_out)
    )
    assert found is not None
    # The one more device, which says 0, only dilutes: undo that for the set that was kept.
    diluted = [
        float(weights[[*some]] @ values[[*some]] / (weights[[*some]].sum() + weights.max()))
        for some in combinations(kept, len(devices) - left_out)
        if float(np.average(values[[*some]], weights=weights[[*some]])) <= lowest + 1e-9
    ]
    assert any(found.value == pytest.approx(value, abs=1e-9) for value in diluted)


@pytest.mark.parametrize("devices", [1, 5, 20, 50, 100, 338, 500, 2500, 10_000])
def test_a_sample_seldom_has_more_liars_than_are_left_out(devices: int) -> None:
    assert binom.sf(distrusted_devices(devices), devices, LYING) < 0.011
    assert distrusted_devices(devices) <= 1 + LYING * devices + 3 * math.sqrt(LYING * devices)


@pytest.mark.parametrize("freedom", [3, 4, 5, 8, 20, 100, 1000, 100_000])
@pytest.mark.parametrize("above", [0.1, 0.05, 0.01, 1e-3, 7e-5, 1e-6])
def test_the_quantile_is_students_or_a_little_more(freedom: float, above: float) -> None:
    ratio = t_quantile(above, freedom) / t.isf(above, freedom)
    assert 0.999 < ratio < (1.4 if freedom < 5 else 1.1 if freedom < 20 else 1.002)


def test_hardly_any_freedom_means_hardly_any_certainty() -> None:
    assert t_quantile(1e-4, 1) > t.isf(1e-4, 1) > 3000
    assert math.isfinite(t_quantile(1e-300, 1))
