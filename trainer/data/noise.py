"""Smooth coloured noise in whole numbers: pictures that show nothing, the same on every machine."""

import hashlib

import numpy as np
from numpy.typing import NDArray

GAIN = 2  # contrast; a mean of so many octaves is grey


def pictures(count: int, height: int, width: int) -> NDArray[np.uint8]:
    """RGB (count, height, width, 3): octaves of noise, each as strong as its cells are wide, like 1/f fields."""
    cells = [1 << octave for octave in range(min(height, width).bit_length() - 1)]
    fields = sum(cell * _octave(count, height, width, cell) for cell in cells)
    return np.clip((fields // sum(cells) - 128) * GAIN + 128, 0, 255).astype(np.uint8)


def _octave(count: int, height: int, width: int, cell: int) -> NDArray[np.int64]:
    """SHAKE-256 bytes at the corners of cells, bilinear between them; 0 to 255."""
    down, across = -(-height // cell) + 1, -(-width // cell) + 1
    noise = hashlib.shake_256(f"{height} {width} {cell}".encode()).digest(count * down * across * 3)
    corners = np.frombuffer(noise, np.uint8).reshape(count, down, across, 3).astype(np.int64)
    rows = _between(corners, cell, axis=1)[:, :height]
    return _between(rows, cell, axis=2)[:, :, :width] // cell**2


def _between(corners: NDArray[np.int64], cell: int, axis: int) -> NDArray[np.int64]:
    """`cell` values from each corner to the next, times `cell`."""
    fields = np.moveaxis(corners, axis, 0)
    far = np.arange(cell).reshape(-1, *(1,) * (fields.ndim - 1))
    values = fields[:-1, None] * (cell - far) + fields[1:, None] * far
    return np.moveaxis(values.reshape(-1, *fields.shape[1:]), 0, axis)
