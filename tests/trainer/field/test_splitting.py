"""What is held out: whole devices for ever, and the newest of the others; the same whoever asks."""

import numpy as np

from trainer.field.splitting import SplittingRule, parted

RULE = SplittingRule(device_share=0.2, time_share=0.25)
RANDOM = np.random.default_rng(3)
DEVICES = np.array([f"d{number}" for number in RANDOM.integers(0, 60, 3_000)])
TIMES = RANDOM.uniform(0, 1e6, 3_000)


def test_every_frame_is_for_one_thing() -> None:
    parts = parted(DEVICES, TIMES, RULE)
    together = np.stack([parts.is_learned, parts.is_of_held_out_device, parts.is_newest]).sum(0)
    assert (together == 1).all()
    assert np.array_equal(parts.is_held_out, ~parts.is_learned)


def test_no_frame_of_a_held_out_device_is_learned_from_and_nothing_learned_is_newer_than_what_is_held_out() -> None:
    parts = parted(DEVICES, TIMES, RULE)
    held_out = set(DEVICES[parts.is_of_held_out_device].tolist())
    assert 4 <= len(held_out) <= 20
    assert not held_out & set(DEVICES[parts.is_learned].tolist())
    assert TIMES[parts.is_learned].max() < TIMES[parts.is_newest].min()
    others = ~parts.is_of_held_out_device
    assert abs(parts.is_newest.sum() / others.sum() - 0.25) < 0.01


def test_neither_order_nor_other_devices_nor_later_frames_change_a_devices_side() -> None:
    before = parted(DEVICES, TIMES, RULE)
    mixed = RANDOM.permutation(len(DEVICES))
    again = parted(DEVICES[mixed], TIMES[mixed], RULE)
    assert np.array_equal(again.is_learned, before.is_learned[mixed])
    more = parted(np.r_[DEVICES, DEVICES, ["new"]], np.r_[TIMES, TIMES + 2e6, 5e6], RULE)
    assert np.array_equal(more.is_of_held_out_device[: len(DEVICES)], before.is_of_held_out_device)


def test_a_fleet_of_one_is_divided_by_time_alone() -> None:
    for device in ("a", "b", "c", "d", "e", "f", "g", "h"):
        parts = parted(np.array([device] * 20), np.arange(20.0), SplittingRule(0.9, 0.25))
        assert not parts.is_of_held_out_device.any()
        assert np.flatnonzero(parts.is_newest).tolist() == [15, 16, 17, 18, 19]


def test_frames_of_one_moment_are_on_one_side() -> None:
    times = np.array([1.0, 1, 2, 2, 2, 2, 3, 3])
    parts = parted(np.array(["x"] * 8), times, SplittingRule(0, 0.5))
    assert np.flatnonzero(parts.is_newest).tolist() == [6, 7]
    assert not parted(np.array(["x"] * 8), np.ones(8), SplittingRule(0, 0.5)).is_newest.any()
    assert parted(np.array(["x"] * 4), np.arange(4.0), SplittingRule(0, 1.0)).is_newest.all()
    assert not parted(np.array(["x"] * 2), np.arange(2.0), SplittingRule(0, 0.2)).is_newest.any()
