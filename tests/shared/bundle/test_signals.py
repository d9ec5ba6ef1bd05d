"""The signals of frames: each column says what its name says, of statistics made by hand."""

import numpy as np
import pytest

from shared.bundle.coefficients import CoefficientStatistics, coefficient_statistics
from shared.bundle.signals import CLASS_BINS, Signal, label_bins, signals_of


def signals_of_planes(y: dict[int, float], c: dict[int, float], *, classes: int = 10) -> dict[Signal, float]:
    """The signals of one frame with one block of Y whose coefficients these are, and one each of Cb and Cr."""
    luma, chroma = np.zeros((1, 64, 1, 1), np.float32), np.zeros((1, 128, 1, 1), np.float32)
    for frequency, value in y.items():
        luma[0, frequency] = value
    for frequency, value in c.items():
        chroma[0, frequency] = value
    row = signals_of(coefficient_statistics(luma, chroma), np.array([0.7], np.float32), np.array([3]), classes)[0]
    return dict(zip(Signal, row.tolist(), strict=True))


def test_levels_keep_their_sign_and_are_no_detail() -> None:
    found = signals_of_planes({0: -5}, {0: -2, 64: 3})
    assert (found[Signal.LUMA_LEVEL], found[Signal.CB_LEVEL], found[Signal.CR_LEVEL]) == (-5, -2, 3)
    details = (Signal.LUMA_LOW, Signal.LUMA_MID, Signal.LUMA_HIGH, Signal.CHROMA_DETAIL)
    assert [found[detail] for detail in details] == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("row", "column", "band", "frequencies"),
    [
        (0, 1, Signal.LUMA_LOW, 5),
        (1, 1, Signal.LUMA_LOW, 5),
        (3, 0, Signal.LUMA_MID, 15),
        (2, 3, Signal.LUMA_MID, 15),
        (0, 6, Signal.LUMA_HIGH, 43),
        (7, 7, Signal.LUMA_HIGH, 43),
    ],
)
def test_a_frequency_counts_in_its_band_alone_by_its_absolute_value(
    row: int, column: int, band: Signal, frequencies: int
) -> None:
    found = signals_of_planes({8 * row + column: -frequencies}, {})
    bands = {each: found[each] for each in (Signal.LUMA_LOW, Signal.LUMA_MID, Signal.LUMA_HIGH)}
    assert bands == pytest.approx(dict.fromkeys(bands, 0.0) | {band: 1.0})


def test_the_detail_of_chroma_is_the_mean_of_both_planes() -> None:
    assert signals_of_planes({}, {1: 63, 64 + 63: -63})[Signal.CHROMA_DETAIL] == pytest.approx(1.0)


def test_zeros_are_counted_over_all_planes() -> None:
    assert signals_of_planes({0: 1, 9: -1}, {70: 1})[Signal.ZEROS] == pytest.approx(1 - 3 / 192)


def test_confidence_and_label_are_the_answer_s() -> None:
    found = signals_of_planes({}, {})
    assert [found[Signal.CONFIDENCE], found[Signal.LABELS]] == pytest.approx([0.7, 3])


def test_labels_are_told_apart_as_long_as_there_are_bins_and_neighbours_share_them_beyond() -> None:
    few = np.arange(CLASS_BINS)
    assert label_bins(few, CLASS_BINS).tolist() == few.tolist()
    many = label_bins(np.arange(100), 100)
    assert sorted(set(many.tolist())) == list(range(CLASS_BINS))
    assert np.bincount(many).max() == 2
    assert (np.diff(many) >= 0).all()


def test_there_is_a_row_a_frame() -> None:
    rng = np.random.default_rng(1)
    several = CoefficientStatistics(
        rng.random((3, 64), np.float32), rng.random((3, 2, 64), np.float32), rng.random(3, np.float32)
    )
    confidences, labels = np.array([0.1, 0.2, 0.3], np.float32), np.array([0, 1, 2])
    together = signals_of(several, confidences, labels, 3)
    assert together.shape == (3, len(Signal))
    assert together.dtype == np.dtype(np.float32)
    for row in range(3):
        alone = signals_of(several.of([row]), confidences[[row]], labels[[row]], 3)[0]
        assert np.allclose(together[row], alone, rtol=1e-6)
