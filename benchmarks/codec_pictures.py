"""The pictures that every side of the codec's benchmarks gets: photographs that packages bring, and CIFAR-100.

Seven photographs: `grace_hopper` of matplotlib's sample data, and six of scikit-image's. 224x224 pictures are crops of
them, 1280x720 ones tilings of them, nothing scaled. 32x32 pictures are the first of CIFAR-100's test split where
DCTWIRE_DATA names a folder with `cifar-100-python`, and otherwise crops scaled down.
"""

import os
from functools import cache
from pathlib import Path

import matplotlib as mpl
import numpy as np
import skimage
from numpy.typing import NDArray
from PIL import Image

from trainer.data import cifar

Pixels = NDArray[np.uint8]
SCIKIT_IMAGE = ("astronaut", "chelsea", "coffee", "motorcycle_left", "motorcycle_right", "rocket")


def pictures(side: int) -> Pixels:
    """uint8 (n, height, width, 3): 256 of 32x32, 64 of 224x224, or 4 of 1280x720."""
    rng = np.random.default_rng(side)
    if side == 32 and "DCTWIRE_DATA" in os.environ:
        return cifar.load(Path(os.environ["DCTWIRE_DATA"]), seed=0).test.pixels[:256]
    if side == 32:
        return np.stack([scaled(crop(rng, 192, 192), 32) for _ in range(256)])
    if side == 224:
        return np.stack([crop(rng, 224, 224) for _ in range(64)])
    return np.stack([tiling(rng, 720, 1280) for _ in range(4)])


def described() -> str:
    """Which 32x32 pictures `pictures` takes."""
    return "CIFAR-100's test split" if "DCTWIRE_DATA" in os.environ else "photographs scaled down"


def crop(rng: np.random.Generator, height: int, width: int) -> Pixels:
    """Somewhere in one of the photographs."""
    source = photographs()[rng.integers(len(photographs()))]
    top, left = (rng.integers(whole - part + 1) for whole, part in zip(source.shape, (height, width), strict=False))
    return source[top : top + height, left : left + width]


def scaled(pixels: Pixels, side: int) -> Pixels:
    """Shrunk to a square."""
    return np.asarray(Image.fromarray(pixels).resize((side, side), Image.Resampling.LANCZOS))


def tiling(rng: np.random.Generator, height: int, width: int) -> Pixels:
    """240x256 crops side by side."""
    rows = [np.hstack([crop(rng, 240, 256) for _ in range(width // 256)]) for _ in range(height // 240)]
    return np.vstack(rows)


@cache
def photographs() -> tuple[Pixels, ...]:
    """uint8 (h, w, 3) each, at least 256 wide and 240 high."""
    paths = [Path(mpl.get_data_path()) / "sample_data" / "grace_hopper.jpg"]
    paths += [Path(skimage.__file__).parent / "data" / name for name in _file_names()]
    return tuple(np.asarray(Image.open(path).convert("RGB")) for path in paths)


def _file_names() -> list[str]:
    return [f"{name}.{'jpg' if name == 'rocket' else 'png'}" for name in SCIKIT_IMAGE]
