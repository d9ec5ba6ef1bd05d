"""Which uploads show pictures that the frozen holdout holds: they are never learned from. A check of contents.

Cameras may be shown pictures of the base set, and then their uploads would carry the holdout into training. Each
picture of the holdout is quantised with the steps of each table that occurs. An upload is its twin where the AC levels
of the two have a cosine of at least `ALIKE`, each level by the square root of its size, so that a few large ones do not
decide alone; both must have `LEVELS_LEAST` levels. A dead zone or rate-distortion optimisation in the camera hides no
twin: with the coarsest that recipes ask for, twins of synthetic pictures have 0.82 and more, other pictures of the same
kind at most 0.71. Another exposure, blur or crop makes another picture.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from trainer.data import Split
from trainer.diff_jpeg import Planes, coefficients
from trainer.diff_jpeg.quantise import as_channels
from trainer.diff_jpeg.surrogates import round_half_away
from trainer.field.uploads import Uploads

ALIKE = 0.78
LEVELS_LEAST = 12
VALUES_AT_ONCE = 1 << 24  # coefficients of pictures, and of uploads, that are compared with each other


def twins_of(holdouts: Sequence[Split], uploads: Uploads) -> NDArray[np.bool_]:
    """Which uploads are twins of a picture of the holdouts, bool (n,). Each picture is loaded once."""
    nearest = torch.full((len(uploads),), -1.0)
    groups = [(table, np.flatnonzero(uploads.table == table)) for table in np.unique(uploads.table)]
    for pictures in _parts_of(holdouts):
        for table, rows in groups:
            steps = torch.from_numpy(uploads.tables[table].astype(np.float32))
            y, c = as_channels(steps)
            directions = _directions(Planes(round_half_away(pictures.y / y), round_half_away(pictures.c / c)))
            for some in np.array_split(rows, -(-len(rows) // _at_once(pictures))):
                alike = (_directions(uploads.levels(some)) @ directions.T).amax(1)
                nearest[some] = torch.maximum(nearest[some], alike)
    found: NDArray[np.bool_] = (nearest >= ALIKE).numpy()
    return found


def _parts_of(holdouts: Sequence[Split]) -> Iterator[Planes]:
    """The coefficients of all pictures, some at a time."""
    for holdout in holdouts:
        _, height, width, _ = holdout.pictures.shape
        count = max(1, VALUES_AT_ONCE // (height * width * 3 // 2))
        for start in range(0, len(holdout), count):
            yield coefficients(torch.from_numpy(holdout.take(slice(start, start + count)).pixels))


def _at_once(like: Planes) -> int:
    """How many frames of this size are compared at once."""
    return max(1, VALUES_AT_ONCE // (like.y[0].numel() + like.c[0].numel()))


def _directions(levels: Planes) -> Tensor:
    """AC levels of each frame at length 1, (n, values); zeros where there are too few to tell."""
    y, c = levels.y.clone(), levels.c.clone()
    y[:, 0] = 0
    c[:, 0] = c[:, 64] = 0
    values = torch.cat([y.flatten(1), c.flatten(1)], dim=1)
    values[(values != 0).sum(1) < LEVELS_LEAST] = 0
    return functional.normalize(values.sign() * values.abs().sqrt(), dim=1)
