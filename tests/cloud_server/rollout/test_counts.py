"""Counts fit together: shapes, types, and no part that is more than its whole."""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cloud_server.rollout.counts import Arm, Counts
from tests.cloud_server.rollout.fleets import arm, counts, pairs


def test_counts_of_nobody_are_counts() -> None:
    assert counts(0).new.frames.size == 0


def test_what_encoding_takes_may_be_unknown() -> None:
    assert np.isnan(arm(3, encode_seconds=np.nan).encode_seconds).all()


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("refused", np.array([1, 2], dtype=np.int64), "refused is int64 (2,), not int64 (3,)"),
        ("bytes", np.array([1.0, 2.0, 3.0]), "bytes is float64 (3,), not int64 (3,)"),
        ("encode_seconds", np.array([1, 2, 3]), "encode_seconds is int64 (3,), not float64 (3,)"),
        ("refused", np.array([0, -1, 0]), "refused holds a number below 0"),
        ("encode_seconds", np.array([0.1, np.inf, 0.1]), "encode_seconds holds a number below 0, or no finite one"),
        ("fallback", np.array([0, 101, 0]), "a device has more fallback than frames"),
        ("correct", np.array([0, 21, 0]), "a device has more correct than labelled"),
    ],
)
def test_an_arm_that_does_not_fit_is_refused(name: str, value: Any, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        replace(arm(3), **{name: value})


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"differing": 26}, "more differing than pairs"),
        ({"labelled": 26}, "more labelled than pairs"),
        ({"only_old_right": 21, "only_new_right": 0}, "more only_old_right than labelled"),
        ({"only_new_right": 21, "only_old_right": 0}, "more only_new_right than labelled"),
        (
            {"only_old_right": 11, "only_new_right": 10},
            "more pairs that one bundle alone had right than labelled pairs",
        ),
        ({"pairs": -1}, "pairs holds a number below 0"),
    ],
)
def test_pairs_that_do_not_fit_are_refused(change: dict[str, int], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        pairs(2, **change)


def test_parts_of_different_fleets_are_refused() -> None:
    with pytest.raises(ValueError, match="the old arm has 2 devices; the new arm has 3 devices; pairs has 2 devices"):
        Counts(old=arm(2), new=arm(3), pairs=pairs(2))


def test_an_arm_has_one_axis() -> None:
    with pytest.raises(ValueError, match="frames is int64"):
        Arm(
            **{name: np.zeros((2, 2), dtype=np.int64) for name in ("frames", "bytes", "fallback", "refused")},
            labelled=np.zeros(4, dtype=np.int64),
            correct=np.zeros(4, dtype=np.int64),
            encode_seconds=np.zeros(4),
        )
