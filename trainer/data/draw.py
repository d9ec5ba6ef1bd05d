"""Which pictures are set aside for validation and test, where nobody has set them aside: pure."""

import numpy as np
from numpy.typing import NDArray

from trainer.data.dataset import Rows


def drawn(labels: Rows, twins: Rows, count: int, seed: int) -> NDArray[np.bool_]:
    """About `count` pictures: of each class in proportion and one at least, and with each all that are the same.

    Args:
        labels: int64 (n,), each picture's class.
        twins: int64 (n,), equal for pictures that are the same, which must not stand on both sides.

    Returns:
        bool (n,), whether a picture is set aside.
    """
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(len(labels))
    _, first = np.unique(twins[shuffled], return_index=True)
    ones = shuffled[np.sort(first)]  # one picture of each set of twins, in the drawn order
    turn = np.empty(len(ones))
    for label in np.unique(labels):
        of_class = np.flatnonzero(labels[ones] == label)
        turn[of_class] = np.arange(len(of_class)) / len(of_class)  # every class's first picture comes first
    chosen = ones[np.argsort(turn, kind="stable")[: max(count, len(np.unique(labels)))]]
    return np.isin(twins, twins[chosen])
