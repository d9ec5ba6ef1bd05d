"""How much worse the new arm is: estimates and bounds by hand."""

import math

import numpy as np
import pytest

from cloud_server.rollout.harm import MISSED, Harm, difference, growth
from cloud_server.rollout.means import Mean, Sample, high_mean, low_mean, t_quantile

RNG = np.random.default_rng(5)


def sample(values: object, most: float) -> Sample:
    """Devices of equal weight."""
    array = np.asarray(values, dtype=np.float64)
    return Sample(values=array, weights=np.ones(array.size), least=0.0, most=most)


def known(harm: Harm | None) -> Harm:
    assert harm is not None
    return harm


def test_a_difference_is_of_means_and_its_bounds_are_so_many_standard_errors_away() -> None:
    new, old = sample(RNG.uniform(0.2, 0.4, 30), 1.0), sample(RNG.uniform(0.1, 0.3, 40), 1.0)
    found = known(difference(new, old, 0.01))
    low_new, high_new, low_old, high_old = low_mean(new), high_mean(new), low_mean(old), high_mean(old)
    assert low_new and high_new and low_old and high_old
    assert found.estimate == pytest.approx(new.values.mean() - old.values.mean())
    assert found.believed == pytest.approx(low_new.value - high_old.value)
    lower = found.believed - t_quantile(0.01, low_new.freedom) * math.sqrt(low_new.variance + high_old.variance)
    assert found.lower == pytest.approx(lower)
    upper = high_new.value - low_old.value
    upper += t_quantile(MISSED, low_new.freedom) * math.sqrt(high_new.variance + low_old.variance)
    assert found.upper == pytest.approx(upper)


def test_what_is_known_without_devices_is_taken_as_it_is() -> None:
    new = sample(RNG.uniform(0.2, 0.4, 30), 1.0)
    found = known(difference(new, Mean(value=0.1, variance=0.0, freedom=math.inf), 0.01))
    assert found.estimate == pytest.approx(new.values.mean() - 0.1)


def test_the_bounds_of_growth_are_where_new_less_ratio_times_old_is_so_many_errors_from_zero() -> None:
    new, old = sample(RNG.uniform(100, 200, 60), 450), sample(RNG.uniform(80, 160, 80), 360)
    found = known(growth(new, old, 0.01))
    low_new, high_new, low_old, high_old = low_mean(new), high_mean(new), low_mean(old), high_mean(old)
    assert low_new and high_new and low_old and high_old
    assert found.estimate == pytest.approx(new.values.mean() / old.values.mean() - 1)
    for harm, a, b, t in (
        (found.lower, low_new, high_old, t_quantile(0.01, low_new.freedom)),
        (found.upper, high_new, low_old, -t_quantile(MISSED, low_new.freedom)),
    ):
        ratio = 1 + harm
        assert a.value - ratio * b.value == pytest.approx(t * math.sqrt(a.variance + ratio**2 * b.variance))
    assert found.lower < found.believed < found.estimate < found.upper


def test_growth_is_at_least_nothing_left_and_at_most_anything_where_the_old_mean_is_unsure() -> None:
    new, old = sample([1.0, 1.0, 1.0, 1.0], 3.0), sample([1.0, 1.0, 1.0, 1.0], 3.0)
    found = known(growth(new, old, 1e-4))
    assert found.lower == -1
    assert found.upper == math.inf


def test_growth_is_at_least_nothing_left_where_only_the_new_mean_is_unsure() -> None:
    found = known(growth(sample([0.0] * 40 + [3.0], 3.0), sample([1.0, 1.1, 0.9] * 100, 3.0), 1e-4))
    assert found.lower == -1
    assert math.isfinite(found.upper)


def test_nothing_is_compared_with_too_few_devices_or_with_nothing() -> None:
    many, two, nobody = sample([0.5] * 20, 1.0), sample([0.5, 0.5], 1.0), sample([], 0.0)
    for new, old in ((two, many), (many, two), (nobody, many), (many, nobody)):
        assert difference(new, old, 0.01) is None
        assert growth(new, old, 0.01) is None
    assert growth(many, sample([0.0] * 20, 0.0), 0.01) is None
