"""The embedded data set `synthetic`: generated characters, so that nothing has to be downloaded."""

import hashlib
import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

from trainer.data import glyphs, scenes
from trainer.data.cache import ArrayCache, Arrays
from trainer.data.dataset import Dataset, Progress, Split, SplitName
from trainer.data.decoded import as_splits
from trainer.data.section import Pad, Seed
from trainer.section import Count, Section

CLASSES = glyphs.ALPHABET
VERSION = 1  # change it with anything that changes a pixel


class SyntheticData(Section):
    """The embedded, generated data set; its characters must not be mirrored."""

    name: Literal["synthetic"]
    size: Literal[32, 64] = 32
    seed: Seed = 1
    train: Count = 32_768
    validation: Count = 4_096
    test: Count = 4_096
    pad: Pad = 0
    flip: Literal[False] = False


@dataclass(frozen=True)
class SyntheticConfig:
    """Which pictures to generate.

    Args:
        size: height and width in pixels, 32 or 64.
        seed: another seed gives another, equally distributed data set.
        train, validation, test: pictures a split.
    """

    size: int = 32
    seed: int = 1
    train: int = 32_768
    validation: int = 4_096
    test: int = 4_096

    @property
    def name(self) -> str:
        """The data set's name in every output."""
        return f"synthetic-{self.size}/v{VERSION}/seed{self.seed}"

    @property
    def key(self) -> str:
        """Content key: equal for equal pictures."""
        canonical = json.dumps({"version": VERSION, **asdict(self)}, sort_keys=True)
        return f"synthetic-{hashlib.sha256(canonical.encode()).hexdigest()[:16]}"


def load(config: SyntheticConfig, cache: ArrayCache, progress: Progress = lambda *_: None) -> Dataset:
    """The data set, generated at most once a cache.

    Args:
        progress: called with pictures done and in all, while generating.
    """
    arrays = cache.get(config.key, lambda: _generate_all(config, progress))
    return Dataset.of(config.name, CLASSES, as_splits(arrays))


def generate(
    split: SplitName, count: int, *, size: int, seed: int, progress: Callable[[int], None] = lambda _: None
) -> Split:
    """The first `count` pictures of a split; picture i depends on (size, seed, split, i) alone.

    Args:
        size: sides of a picture in pixels.
        progress: called with the number of pictures done.
    """
    number = list(SplitName).index(split)
    chunks = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for chunk in pool.map(partial(scenes.render, size, seed, number), range(-(-count // scenes.CHUNK))):
            chunks.append(chunk)
            progress(min(count, len(chunks) * scenes.CHUNK))
    pixels = np.concatenate([chunk.pixels for chunk in chunks])[:count]
    return Split(pixels, np.concatenate([chunk.labels for chunk in chunks])[:count])


def _generate_all(config: SyntheticConfig, progress: Progress) -> Arrays:
    counts = {name: cast(int, getattr(config, name)) for name in SplitName}
    arrays: dict[str, NDArray[np.generic]] = {}
    before = 0
    for name, count in counts.items():
        split = generate(
            name,
            count,
            size=config.size,
            seed=config.seed,
            progress=lambda done, before=before: progress(before + done, sum(counts.values())),  # type: ignore[misc]
        )
        arrays |= {f"{name}_pixels": split.pixels, f"{name}_labels": split.labels}
        before += count
    return arrays
