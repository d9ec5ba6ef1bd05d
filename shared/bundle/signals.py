"""The numbers of a frame by which drift is noticed: the trainer makes histograms of them, and the server compares.

Both make them with this one function, of what the bundle's own classifier read and said.
"""

from enum import StrEnum

import numpy as np
import numpy.typing as npt

from shared.bundle.coefficients import CoefficientStatistics

CLASS_BINS = 64
"""Labels are told apart up to this many; of more, neighbours in the order of the logits share a bin."""
_LOW_MAX, _MID_MAX = 2, 5
Signals = npt.NDArray[np.float32]
"""float32 (n, signals): a row a frame, a column for each of `Signal`, in its order."""


class Signal(StrEnum):
    """A number of each frame; coefficients are in the unit that the classifier reads.

    LUMA_LEVEL, CB_LEVEL, CR_LEVEL: the mean DC. LUMA_LOW, LUMA_MID, LUMA_HIGH: the mean absolute AC coefficient of Y
    whose row and column of frequencies sum up to 1-2, 3-5, and more. CHROMA_DETAIL: the same of all AC of Cb and Cr.
    ZEROS: the share of coefficients that are zero. CONFIDENCE: of the answer, as the server gives it. LABELS: the
    answer, see `label_bins`; it is the one signal without an order.
    """

    LUMA_LEVEL = "luma_level"
    LUMA_LOW = "luma_low"
    LUMA_MID = "luma_mid"
    LUMA_HIGH = "luma_high"
    CB_LEVEL = "cb_level"
    CR_LEVEL = "cr_level"
    CHROMA_DETAIL = "chroma_detail"
    ZEROS = "zeros"
    CONFIDENCE = "confidence"
    LABELS = "labels"


def signals_of(
    statistics: CoefficientStatistics,
    confidences: npt.NDArray[np.float32],
    labels: npt.NDArray[np.int64],
    classes: int,
) -> Signals:
    """The signals of frames.

    Args:
        confidences: float32 (n,), of the answers.
        labels: int64 (n,), the answers by their place among the logits.
        classes: how many logits there are.
    """
    luma = statistics.y @ _LUMA
    chroma = statistics.c
    columns = (luma, chroma[:, :, 0], chroma.reshape(len(chroma), -1) @ _CHROMA_DETAIL, statistics.zeros)
    return np.column_stack([*columns, confidences, label_bins(labels, classes)]).astype(np.float32, copy=False)


def label_bins(labels: npt.NDArray[np.int64], classes: int) -> npt.NDArray[np.int64]:
    """The bin of each label: its place among the logits, or where there are more than `CLASS_BINS`, its share of them.

    So label i of n shares a bin with its neighbours: it is in bin `i * CLASS_BINS // n`.
    """
    return labels if classes <= CLASS_BINS else labels * CLASS_BINS // classes


def _luma_weights() -> npt.NDArray[np.float32]:
    """float32 (64, 4): what makes the level and the three bands of a row of Y's means."""
    order = np.add.outer(np.arange(8), np.arange(8)).ravel()  # row and column of a frequency, summed up
    bands = np.stack(
        [order == 0, (order > 0) & (order <= _LOW_MAX), (order > _LOW_MAX) & (order <= _MID_MAX), order > _MID_MAX], 1
    )
    weights: npt.NDArray[np.float64] = bands / bands.sum(axis=0)
    return weights.astype(np.float32)


_LUMA = _luma_weights()
_CHROMA_DETAIL = np.tile(np.array([0] + [1 / 126] * 63, np.float32), 2)
