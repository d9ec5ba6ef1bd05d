"""Whose labels are believed: liars are set aside by name, honest fleets stay whole, too many liars stop everything."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom

from trainer.field.outliers import PoisonedLabelsError, TrustRule, outliers, upper_tail, within_quota

RULE = TrustRule()


def fleet(
    rates: list[float], labels: int, seed: int = 1
) -> tuple[NDArray[np.str_], NDArray[np.bool_], NDArray[np.bool_]]:
    """Labels of devices that contradict the champion at these rates."""
    random = np.random.default_rng(seed)
    devices = np.repeat([f"d{place}" for place in range(len(rates))], labels)
    contradicted = random.random(len(devices)) < np.repeat(rates, labels)
    return devices, np.ones(len(devices), np.bool_), contradicted


def test_a_device_whose_labels_are_shuffled_is_set_aside_by_name_and_with_its_figures() -> None:
    (found,) = outliers(*fleet([0.2] * 9 + [0.97], 40), RULE)
    assert found.device == "d9"
    assert found.labels == 40
    assert found.contradicted >= 35
    assert "of its 40 labels contradict confident answers" in found.describe()


@pytest.mark.parametrize("rate", [0.02, 0.2, 0.45])
def test_an_honest_fleet_loses_nobody_whatever_the_field_has_become(rate: float) -> None:
    for seed in range(50):
        assert not outliers(*fleet([rate] * 100, 30, seed), RULE)


def test_somewhat_harder_places_are_no_reason_for_distrust() -> None:
    for seed in range(20):
        assert not outliers(*fleet([0.2] * 30 + [0.3], 200, seed), RULE)


def test_the_fleets_rate_is_no_loud_devices_to_move() -> None:
    devices, witnessed, contradicted = fleet([0.1] * 8, 20)
    loud = np.array(["loud"] * 2_000)
    found = outliers(
        np.r_[devices, loud],
        np.r_[witnessed, np.ones(2_000, np.bool_)],
        np.r_[contradicted, np.ones(2_000, np.bool_)],
        RULE,
    )
    assert [one.device for one in found] == ["loud"]
    assert found[0].fleet_rate < 0.3


def test_a_third_of_liars_stop_everything_by_name() -> None:
    with pytest.raises(PoisonedLabelsError) as caught:
        outliers(*fleet([0.2] * 14 + [0.97] * 6, 40), RULE)
    assert caught.value.devices == ("d14", "d15", "d16", "d17", "d18", "d19")
    assert caught.value.among == 20
    assert "6 of 20 devices" in str(caught.value)
    assert "d18 and 1 more" in str(caught.value)


def test_fewer_are_set_aside_and_one_of_a_few_devices_is_no_fleet_of_liars() -> None:
    assert len(outliers(*fleet([0.2] * 15 + [0.97] * 5, 60), RULE)) == 5
    assert [one.device for one in outliers(*fleet([0.2, 0.97], 60), RULE)] == ["d1"]


def test_what_no_confident_answer_witnesses_and_what_is_too_little_says_nothing() -> None:
    devices, witnessed, contradicted = fleet([0.2] * 9 + [0.97], 40)
    assert not outliers(devices, witnessed & (devices != "d9"), contradicted, RULE)
    assert not outliers(*fleet([0.0] * 9 + [1.0], 7), RULE)
    assert not outliers(devices, np.zeros_like(witnessed), contradicted, RULE)


def test_the_tail_is_the_binomials() -> None:
    for successes, n, chance in ((0, 5, 0.3), (3, 5, 0.3), (29, 30, 0.75), (40, 40, 0.3), (500, 1_000, 0.45)):
        assert upper_tail(successes, n, chance) == pytest.approx(binom.sf(successes - 1, n, chance), rel=1e-9)


def test_a_devices_newest_frames_are_within_its_quota() -> None:
    devices = np.array(["a", "b", "a", "a", "b", "a"])
    times = np.array([5.0, 1, 3, 9, 2, 3])
    assert within_quota(devices, times, 2).tolist() == [True, True, False, True, True, False]
    assert within_quota(devices, times, 3).tolist() == [True, True, False, True, True, True]
    assert within_quota(devices, times, 9).all()
    assert len(within_quota(devices[:0], times[:0], 2)) == 0
