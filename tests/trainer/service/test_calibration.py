"""The expected calibration error against a count by hand."""

import numpy as np
import pytest

from trainer.service.calibration import calibration_error


def logits_of(confidences: list[float]) -> "np.ndarray[tuple[int, int], np.dtype[np.float32]]":
    """Two classes; the first is likeliest, with these confidences."""
    share = np.array(confidences, np.float64)
    return np.stack([np.log(share / (1 - share)), np.zeros(len(share))], axis=1).astype(np.float32)


def test_it_is_the_mean_distance_of_confidence_and_accuracy_over_bins() -> None:
    logits = logits_of([0.9, 0.9, 0.9, 0.9, 0.6, 0.6])
    truth = np.array([0, 0, 0, 1, 0, 1])
    assert calibration_error(logits, truth, 1.0) == pytest.approx(
        (4 * abs(0.9 - 0.75) + 2 * abs(0.6 - 0.5)) / 6, abs=1e-6
    )


def test_who_is_always_sure_and_half_the_time_wrong_is_half_off() -> None:
    assert calibration_error(logits_of([0.999999] * 8), np.array([0, 1] * 4), 1.0) == pytest.approx(0.5, abs=1e-3)


def test_a_higher_temperature_makes_the_too_sure_truer() -> None:
    logits, truth = logits_of([0.99] * 10), np.array([0] * 7 + [1] * 3)
    assert calibration_error(logits, truth, 5.0) < calibration_error(logits, truth, 1.0)
