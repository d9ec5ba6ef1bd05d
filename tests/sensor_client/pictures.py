"""A folder of pictures to photograph."""

from pathlib import Path

import numpy as np
from PIL import Image


def write_pictures(folder: Path, count: int, side: int = 32) -> Path:
    """`count` different pictures, as `<label>/<index>.png` with labels A and B in turn."""
    random = np.random.default_rng(5)
    for index in range(count):
        path = folder / "AB"[index % 2] / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse = random.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC).save(path)
    return folder
