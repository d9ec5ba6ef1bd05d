"""Smooth coloured noise in whole numbers: pictures that show nothing, the same on every machine."""

import hashlib

import numpy as np
from numpy.typing import NDArray

GAIN = 2  # contrast; a mean of so many octaves is grey


def pictures(count: int, height: int, width: int) -> NDArray[np.uint8]:
    """RGB (count, height, width, 3); a picture depends on its index and size alone."""
    return np.stack([_picture(index, height, width) for index in range(count)])


def _picture(index: int, height: int, width: int) -> NDArray[np.uint8]:
    """Octaves of noise, each as strong as its cells are wide, like the 1/f fields of natural pictures."""
    cells = [1 << octave for octave in range(min(height, width).bit_length() - 1)]
    field = sum(cell * _octave(index, height, width, cell) for cell in cells)
    return np.clip((field // sum(cells) - 128) * GAIN + 128, 0, 255).astype(np.uint8)


def _octave(index: int, height: int, width: int, cell: int) -> NDArray[np.int64]:
    """SHAKE-256 bytes at the corners of cells, bilinear between them: (height, width, 3), 0 to 255."""
    down, across = -(-height // cell) + 1, -(-width // cell) + 1
    noise = hashlib.shake_256(f"{index} {height} {width} {cell}".encode()).digest(down * across * 3)
    corners = np.frombuffer(noise, np.uint8).reshape(down, across, 3).astype(np.int64)
    rows = _between(corners, cell)[:height].swapaxes(0, 1)
    return _between(rows, cell)[:width].swapaxes(0, 1) // cell**2


def _between(corners: NDArray[np.int64], cell: int) -> NDArray[np.int64]:
    """Interpolate `cell` rows between each row and the next; values come out multiplied by `cell`."""
    far = np.arange(cell)[:, None, None]
    rows = corners[:-1, None] * (cell - far) + corners[1:, None] * far
    return rows.reshape(-1, *corners.shape[1:])
