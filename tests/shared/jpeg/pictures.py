"""Pictures to code: natural statistics, noise, and one photograph that matplotlib ships."""

import io
from collections.abc import Callable
from functools import cache
from pathlib import Path

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]
# (height, width, seed, channels) to a picture.
Draw = Callable[..., Pixels]


def natural(height: int, width: int, seed: int, channels: int = 3) -> Pixels:
    """A picture with what photographs share: amplitudes that fall as 1/f, correlated channels and one sharp edge."""
    rng = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None, :])
    frequency[0, 0] = 1
    noise = np.fft.fft2(rng.normal(size=(channels, height, width))) / np.maximum(frequency, 1 / 512)
    field = np.fft.ifft2(noise).real
    mixed = 0.8 * field.mean(0) + 0.3 * field
    mixed /= mixed.std() + 1e-9
    edge = np.add.outer(np.arange(height), np.arange(width)) > (height + width) / 2
    return to_pixels(128 + 45 * mixed.transpose(1, 2, 0) + 40 * edge[..., None])


def noise(height: int, width: int, seed: int, channels: int = 3) -> Pixels:
    """A picture of random numbers."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


def extremes(height: int, width: int, seed: int, channels: int = 3) -> Pixels:
    """A picture of 0 and 255 only, which has the largest coefficients."""
    return np.where(noise(height, width, seed, channels) > 127, 255, 0).astype(np.uint8)


def flat(height: int, width: int, seed: int, channels: int = 3) -> Pixels:
    """A picture of one colour."""
    return np.full((height, width, channels), np.arange(seed, seed + 20 * channels, 20) % 256, np.uint8)


def portrait(height: int, width: int, seed: int, channels: int = 3) -> Pixels:
    """A part of the photograph."""
    return photograph()[seed : seed + height, seed : seed + width, :channels]


@cache
def photograph() -> Pixels:
    """The photograph, a portrait, as uint8 (h, w, 3)."""
    path = Path(mpl.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    return np.asarray(Image.open(path).convert("RGB"))


def photograph_file() -> bytes:
    """The file of the photograph."""
    return (Path(mpl.get_data_path()) / "sample_data" / "grace_hopper.jpg").read_bytes()


def to_pixels(values: NDArray[np.float64]) -> Pixels:
    """The values rounded and clipped to 0..255."""
    return values.round().clip(0, 255).astype(np.uint8)


def pillow_jpeg(pixels: Pixels, **options: object) -> bytes:
    """The JPEG that Pillow (libjpeg-turbo) makes of (h, w, 3) or (h, w)."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "jpeg", **options)
    return out.getvalue()


def pillow_pixels(jpeg: bytes) -> Pixels:
    """The pixels that Pillow reads from a JPEG."""
    return np.asarray(Image.open(io.BytesIO(jpeg)))
