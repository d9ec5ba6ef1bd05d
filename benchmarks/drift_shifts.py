"""What may befall a camera, done to CIFAR-100's test pictures at three strengths, for the benchmark `drift`."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from trainer.data import Split

Rng = np.random.Generator
Pictures = NDArray[np.float32]
"""float32 (n, 32, 32, 3), RGB, 0 to 255."""
SMEAR_AT = 12.0, 20.0
GREY = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601


def pixels(change: Callable[[Pictures, int, Rng], Pictures]) -> Callable[[Split, int, Rng], Split]:
    """A shift of pictures alone."""

    def of(split: Split, strength: int, rng: Rng) -> Split:
        changed = change(split.pixels.astype(np.float32), strength, rng)
        return Split(np.clip(np.rint(changed), 0, 255).astype(np.uint8), split.labels)

    return of


def _blur(pictures: Pictures, strength: int, _: Rng) -> Pictures:
    sigma = (0.4, 0.6, 1.0)[strength]
    return np.asarray(gaussian_filter(pictures, (0, sigma, sigma, 0)))


def _noise(pictures: Pictures, strength: int, rng: Rng) -> Pictures:
    return pictures + rng.normal(0, (8, 16, 32)[strength], pictures.shape).astype(np.float32)


def _brightness(pictures: Pictures, strength: int, _: Rng) -> Pictures:
    return pictures + (16, 32, 64)[strength]


def _contrast(pictures: Pictures, strength: int, _: Rng) -> Pictures:
    return 128 + (pictures - 128) * np.float32((0.85, 0.7, 0.45)[strength])


def _smear(pictures: Pictures, strength: int, _: Rng) -> Pictures:
    """Blurred and veiled towards white where the lens is smeared: a disc off the centre with a soft edge."""
    rows, columns = np.mgrid[:32, :32]
    away = np.hypot(rows - SMEAR_AT[0], columns - SMEAR_AT[1])
    share = np.clip(((5, 9, 16)[strength] - away) / 3 + 0.5, 0, 1).astype(np.float32)[..., None]
    smeared = 0.75 * gaussian_filter(pictures, (0, 2, 2, 0)) + 0.25 * 230
    return np.asarray(pictures * (1 - share) + smeared * share)


def _night(pictures: Pictures, strength: int, rng: Rng) -> Pictures:
    """Less light, so less colour and more of the sensor's noise."""
    light, colour, noise = ((0.6, 0.7, 3), (0.4, 0.4, 6), (0.25, 0.1, 10))[strength]
    grey = (pictures @ GREY)[..., None]
    dim = light * (colour * pictures + (1 - colour) * grey)
    return np.asarray(dim + rng.normal(0, noise, pictures.shape).astype(np.float32))


def _labels(split: Split, strength: int, rng: Rng) -> Split:
    """Only so many of the 100 classes are left before the camera, drawn by chance."""
    left = rng.permutation(100)[: (50, 25, 10)[strength]]
    return split.take(np.flatnonzero(np.isin(split.labels, left)))


SHIFTS: Mapping[str, Callable[[Split, int, Rng], Split]] = {
    "blur": pixels(_blur),
    "noise": pixels(_noise),
    "brightness": pixels(_brightness),
    "contrast": pixels(_contrast),
    "labels": _labels,
    "smear": pixels(_smear),
    "night": pixels(_night),
}
"""By name, as in `drift_report`: the pictures after a change, and their labels, at strength 0, 1 or 2."""
