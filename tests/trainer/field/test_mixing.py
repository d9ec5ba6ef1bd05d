"""How often uploads are shown: newer ones more, rare classes more, no device and no frame too often."""

import numpy as np
import pytest

from trainer.field.mixing import DAY_SECONDS, MixingRule, mixed

PLAIN = MixingRule(balance=0.0, device_share=1.0, repeats=1_000.0)


def _same(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.zeros(count, np.int64), np.array(["a"] * count), np.zeros(count)


def test_an_upload_is_worth_half_as_much_after_the_half_life() -> None:
    labels, devices, _ = _same(3)
    times = np.array([0.0, 30, 60]) * DAY_SECONDS
    expected = mixed(PLAIN, labels, devices, times, 700).expected
    assert expected == pytest.approx([100, 200, 400])


def test_classes_are_brought_nearer_to_each_other_by_the_balance() -> None:
    labels = np.repeat([0, 1], [90, 10])
    for balance, ratio in ((0.0, 9.0), (0.5, 3.0), (1.0, 1.0)):
        rule = MixingRule(balance=balance, device_share=1.0, repeats=1_000.0)
        expected = mixed(rule, labels, np.array(["a"] * 100), np.zeros(100), 1_000).expected
        by_class = np.bincount(labels, expected)
        assert by_class[0] / by_class[1] == pytest.approx(ratio)


def test_no_device_gets_more_of_the_room_than_it_may_and_the_others_get_the_rest() -> None:
    devices = np.array(["loud"] * 900 + [f"d{number}" for number in range(20) for _ in range(5)])
    rule = MixingRule(balance=0.0, device_share=0.25, repeats=1_000.0)
    expected = mixed(rule, np.zeros(1_000, np.int64), devices, np.zeros(1_000), 1_000).expected
    assert expected[:900].sum() == pytest.approx(250)
    assert expected[900:] == pytest.approx(np.full(100, 7.5))
    assert expected.sum() == pytest.approx(1_000)


def test_few_devices_may_have_twice_an_equal_share() -> None:
    devices = np.array(["loud"] * 97 + ["b", "c", "d"])
    expected = mixed(MixingRule(repeats=1_000.0), np.zeros(100, np.int64), devices, np.zeros(100), 100).expected
    assert expected[:97].sum() == pytest.approx(50)


def test_no_upload_is_shown_more_often_than_the_repeats_whatever_room_there_is() -> None:
    mixture = mixed(MixingRule(repeats=8), *_same(10), 100_000)
    assert mixture.expected == pytest.approx(np.full(10, 8.0))
    assert mixture.total == 80
    times = np.array([0.0] * 9 + [365 * DAY_SECONDS])
    one_is_new = mixed(MixingRule(repeats=8), np.zeros(10, np.int64), np.array(["a"] * 10), times, 100_000)
    assert one_is_new.expected.max() <= 9


def test_an_epoch_shows_as_many_as_expected_and_all_epochs_together_each_as_often_as_expected() -> None:
    random = np.random.default_rng(1)
    mixture = mixed(
        MixingRule(), random.integers(0, 5, 200), np.array(["a", "b"] * 100), random.uniform(0, 1e7, 200), 99
    )
    epochs = np.stack([mixture.showings((place + 0.5) / 1_000) for place in range(1_000)])
    assert (epochs.sum(1) == mixture.total).all()
    assert epochs.mean(0) == pytest.approx(mixture.expected, abs=2e-3)
    assert (np.abs(epochs - mixture.expected) < 1 + 1e-9).all()


def test_the_share_of_an_epoch_is_the_rules() -> None:
    mixture = mixed(MixingRule(share=0.2), *_same(1_000), 4_000)
    assert mixture.total == pytest.approx(1_000, abs=1)
