"""Splits whose files are decoded once, and from then on come from the cache."""

from collections.abc import Callable, Iterator
from typing import cast

import numpy as np
from numpy.typing import NDArray

from trainer.data.cache import ArrayCache, Arrays
from trainer.data.dataset import Progress, Rows, Split, SplitName, Splits

AT_ONCE = 1_024  # pictures between two reports of progress


def decoded_once(
    cache: ArrayCache, key: str, in_files: Callable[[], Splits], progress: Progress = lambda *_: None
) -> Splits:
    """The same splits in memory.

    Args:
        key: equal for equal pictures and splits.
        in_files: called when the cache has nothing of that key.
        progress: called with pictures done and in all, while decoding.
    """
    return as_splits(cache.get(key, lambda: _decode(in_files(), progress)))


def as_splits(arrays: Arrays) -> Splits:
    """Splits from the cache's arrays `train_pixels`, `train_labels` and so on."""
    return {name: _split(arrays, name) for name in SplitName}


def _decode(splits: Splits, progress: Progress) -> Arrays:
    total, before = sum(map(len, splits.values())), 0
    arrays: dict[str, NDArray[np.generic]] = {}
    for name, split in splits.items():
        pixels = np.empty(split.pictures.shape, np.uint8)
        for rows in _chunks(len(split)):
            pixels[rows] = split.pictures[rows]
            progress(before + rows.stop, total)
        before += len(split)
        arrays |= {f"{name}_pixels": pixels, f"{name}_labels": split.labels}
    return arrays


def _chunks(count: int) -> Iterator[slice]:
    return (slice(start, min(start + AT_ONCE, count)) for start in range(0, count, AT_ONCE))


def _split(arrays: Arrays, name: SplitName) -> Split:
    pixels, labels = arrays[f"{name}_pixels"], arrays[f"{name}_labels"]
    return Split(cast(NDArray[np.uint8], pixels), cast(Rows, labels))
