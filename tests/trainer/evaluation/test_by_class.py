"""Figures class by class, counted by hand."""

import numpy as np
import pytest

from trainer.evaluation.by_class import by_class, confusion
from trainer.evaluation.intervals import wilson_interval


def test_frames_are_counted_by_what_they_show_and_what_is_said_of_them() -> None:
    truth, likeliest = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 2, 2, 1, 0, 2])
    assert confusion(truth, likeliest, 4).tolist() == [[1, 0, 2, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]


def test_each_class_has_its_share_its_interval_and_what_it_is_taken_for() -> None:
    counts = np.array([[6, 1, 3, 0], [0, 5, 0, 0], [0, 0, 0, 2], [0, 0, 0, 0]])
    cat, dog, emu, fox = by_class(counts, ["cat", "dog", "emu", "fox"])
    assert (cat.n, cat.accuracy, cat.taken_for, cat.taken) == (10, 0.6, "emu", 3)
    assert (cat.low, cat.high) == pytest.approx(wilson_interval(6, 10))
    assert (dog.accuracy, dog.taken_for, dog.taken) == (1.0, None, 0)
    assert (emu.accuracy, emu.taken_for) == (0.0, "fox")
    assert (fox.n, fox.accuracy, fox.low, fox.taken_for) == (0, None, None, None)
