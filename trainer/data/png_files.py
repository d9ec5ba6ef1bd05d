"""Pictures of a data set as PNG files for a simulated camera: DIR/<label>/<index>.png."""

import json
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from trainer.data import Split
from trainer.errors import RunError

DIGITS = 6  # names sort like numbers


def write_pictures(split: Split, classes: tuple[str, ...], folder: Path, done: Callable[[int], None]) -> None:
    """Write every picture; the index in the name is the picture's place in the split, over all labels.

    Sorting by name alone, whatever the folder, gives a mixed order of labels that is the same each time.
    """
    for index, (pixels, label) in enumerate(zip(split.pixels, split.labels.tolist(), strict=True)):
        path = folder / classes[label] / f"{index:0{DIGITS}d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
        done(index + 1)


def write_description(folder: Path, *, data: str, split: str, count: int) -> None:
    """Say in `frames.json` where the pictures come from; before they are written, so that no others join them.

    Raises:
        RunError: other pictures are there already.
    """
    text = json.dumps({"data": data, "split": split, "count": count}) + "\n"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "frames.json"
    if path.exists() and path.read_text() != text:
        raise RunError(f"{folder} holds other pictures (see frames.json): choose another --out or remove it")
    path.write_text(text)
