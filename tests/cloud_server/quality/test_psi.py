"""The population stability index over a window: 0 where nothing changed, the textbook's sum where something did."""

import numpy as np
import pytest

from cloud_server.quality.psi import FRAMES_MIN, WINDOW_FRAMES, Psi
from shared.bundle.signals import Signal
from tests.cloud_server.quality.streams import frames, reference

RNG = np.random.default_rng(1)
REFERENCE = reference(RNG)


def psi_after(*parts: np.ndarray) -> np.ndarray:
    psi = Psi(REFERENCE)
    for part in parts:
        psi.take(REFERENCE.place(part))
    assert psi.scores is not None
    return psi.scores


def test_there_is_no_score_before_enough_frames_were_seen() -> None:
    psi = Psi(REFERENCE)
    psi.take(REFERENCE.place(frames(RNG, FRAMES_MIN - 1)))
    assert psi.scores is None
    psi.take(REFERENCE.place(frames(RNG, 1)))
    assert psi.scores is not None


def test_frames_like_the_reference_score_next_to_nothing() -> None:
    assert psi_after(frames(RNG, 5_000)).max() < 0.03


def test_the_score_is_the_textbooks_sum_over_the_bins() -> None:
    shifted = frames(RNG, 50_000, shift=0.5)
    counts = np.bincount(REFERENCE.place(shifted)[:, 0], minlength=16) / len(shifted)
    shares = REFERENCE.shares[0, :16]
    textbook = float(((counts - shares) * np.log(counts / shares)).sum())
    assert psi_after(shifted)[0] == pytest.approx(textbook, rel=0.25)
    assert textbook > 0.1


def test_that_a_reference_is_of_few_frames_adds_nothing_to_the_score() -> None:
    rng, scores = np.random.default_rng(2), []
    for _ in range(10):
        few = reference(rng, 200)
        psi = Psi(few)
        psi.take(few.place(frames(rng, 3_000)))
        assert psi.scores is not None
        scores.append(psi.scores.mean())
    assert np.mean(scores) < 0.03


def test_labels_score_as_well() -> None:
    scores = psi_after(frames(RNG, 5_000, labels=4))
    assert scores[list(Signal).index(Signal.LABELS)] > 0.5
    assert np.delete(scores, list(Signal).index(Signal.LABELS)).max() < 0.03


def test_what_is_older_than_some_windows_is_forgotten() -> None:
    before, after = frames(RNG, 5_000, shift=1), frames(RNG, 5 * WINDOW_FRAMES)
    assert psi_after(before).min() > 0.5 or psi_after(before)[0] > 0.5
    assert psi_after(before, after)[0] < 0.03


def test_frames_one_by_one_score_like_frames_at_once() -> None:
    several = frames(RNG, 300, shift=0.3)
    assert psi_after(*np.split(several, 300)) == pytest.approx(psi_after(several))
