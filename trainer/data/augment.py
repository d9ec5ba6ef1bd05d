"""Augmentation before the codec: a shifted crop and a flip, the same for a picture and epoch wherever it is computed.

Each number is a hash of (seed, epoch, the picture's row), so that neither the order of pictures, nor the size of a
batch, nor how many processes share it changes what a picture looks like in an epoch.
"""

import numpy as np
from numpy.typing import NDArray

_GOLDEN = 0x9E3779B97F4A7C15  # SplitMix64's increment (Steele, Lea, Flood 2014): odd, so that counters never meet early
_WORD = 1 << 64


def augmented(
    pixels: NDArray[np.uint8], rows: NDArray[np.int64], *, seed: int, epoch: int, pad: int, flip: bool = True
) -> NDArray[np.uint8]:
    """Each picture shifted by up to `pad` pixels each way, edges reflected, and mirrored left to right or not.

    Args:
        pixels: uint8 (n, h, w, 3); not changed.
        rows: int64 (n,), each picture's place in its split.
        pad: less than h and w; 0 shifts nothing.

    Returns:
        uint8 (n, h, w, 3), a new array.
    """
    count, height, width, channels = pixels.shape
    shifts = uniform(rows, seed, epoch, 3)
    y = _reflected(np.arange(height) + _shift(shifts[0], pad), height)
    x = _reflected(np.arange(width) + _shift(shifts[1], pad), width)
    if flip:
        mirrored = shifts[2] < 0.5
        x[mirrored] = x[mirrored, ::-1]
    places = (np.arange(count)[:, None] * height + y)[:, :, None] * width + x[:, None, :]
    shown: NDArray[np.uint8] = np.take(pixels.reshape(-1, channels), places.reshape(-1), axis=0)
    return shown.reshape(pixels.shape)


def uniform(rows: NDArray[np.int64], seed: int, epoch: int, count: int) -> NDArray[np.float64]:
    """Random numbers in [0, 1), float64 (count, n): a function of (seed, epoch, row, which of the count) alone."""
    stream = _mixed(np.array([(seed * _GOLDEN + epoch) % _WORD], np.uint64))
    counters = rows.astype(np.uint64) * np.uint64(count) + np.arange(count, dtype=np.uint64)[:, None]
    upper_bits = _mixed(stream + counters * np.uint64(_GOLDEN)) >> np.uint64(11)
    return upper_bits.astype(np.float64) * 2.0**-53


def _mixed(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's finaliser: every bit of the input reaches every bit of the output."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))


def _shift(uniforms: NDArray[np.float64], pad: int) -> NDArray[np.int64]:
    """Random shifts from -pad to pad, all equally likely, int64 (n, 1)."""
    return (uniforms * (2 * pad + 1)).astype(np.int64)[:, None] - pad


def _reflected(places: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """Places beside 0..length-1 brought inside by reflection about the first and the last."""
    inside = np.abs(places)
    return np.where(inside < length, inside, 2 * (length - 1) - inside)
