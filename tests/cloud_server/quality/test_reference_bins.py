"""References as arrays: which bins frames fall into, and how likely each is."""

import numpy as np
import pytest

from cloud_server.quality.reference_bins import ReferenceBins
from shared.bundle import Drift, Histogram
from shared.bundle.signals import Signal

DRIFT = Drift(
    n=8,
    signals={
        "labels": Histogram(edges=(1.0, 2.0), shares=(0.5, 0.5, 0.0)),
        "zeros": Histogram(edges=(0.25,), shares=(0.25, 0.75)),
        "a_signal_of_a_newer_trainer": Histogram(edges=(0.25,), shares=(0.25, 0.75)),
    },
)


def test_signals_that_are_not_known_here_are_left_out() -> None:
    assert ReferenceBins.of(DRIFT).signals == (Signal.ZEROS, Signal.LABELS)


def test_a_value_on_an_edge_falls_into_the_bin_above_it() -> None:
    rows = np.zeros((4, len(Signal)), np.float32)
    rows[:, list(Signal).index(Signal.ZEROS)] = [0.1, 0.25, 0.9, -3]
    rows[:, list(Signal).index(Signal.LABELS)] = [0, 1, 2, 7]
    assert ReferenceBins.of(DRIFT).place(rows).tolist() == [[0, 0], [1, 1], [1, 2], [0, 2]]


def test_no_bin_is_impossible_because_no_held_out_frame_was_in_it() -> None:
    found = ReferenceBins.of(DRIFT)
    assert found.shares.tolist() == [
        pytest.approx([2.5 / 9, 6.5 / 9, 0]),
        pytest.approx([4.5 / 9.5, 4.5 / 9.5, 0.5 / 9.5]),
    ]
    assert found.sizes.tolist() == [2, 3]
