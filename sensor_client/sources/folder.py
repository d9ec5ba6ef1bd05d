"""A folder of picture files as a simulated camera."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sensor_client.picture_files import Pixels, load_pixels
from sensor_client.sources.shot import SourceError

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".webp"})


@dataclass(frozen=True)
class FolderShot:
    """A picture file, and the label that its folder's name gives it, if any."""

    path: Path
    label: str | None
    captured_at: float | None = None

    def pixels(self) -> Pixels:
        """See `Shot`."""
        return load_pixels(self.path)


class FolderCamera:
    """A folder of pictures, in the order of the numbers in their names (`<label>/<index>.png`), else by name."""

    def __init__(self, folder: Path, *, is_looping: bool) -> None:
        """List the folder.

        Raises:
            SourceError: there is no picture in it.
        """
        self._shots = list_shots(folder)
        self._is_looping = is_looping

    @property
    def shot_count(self) -> int | None:
        """The number of pictures; None where they are taken again and again."""
        return None if self._is_looping else len(self._shots)

    def shots(self) -> Iterator[FolderShot]:
        """Every picture in order; then from the first one again where the camera loops."""
        yield from self._shots
        while self._is_looping:
            yield from self._shots


def open_folder(address: str, *, is_looping: bool) -> FolderCamera | None:
    """A camera for the folder at `address`; None where that is no folder.

    Raises:
        SourceError: there is no picture in it.
    """
    folder = Path(address)
    return FolderCamera(folder, is_looping=is_looping) if folder.is_dir() else None


def list_shots(folder: Path) -> list[FolderShot]:
    """Every picture file below `folder`, in shooting order.

    Raises:
        SourceError: there is none.
    """
    paths = [path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file()]
    if not paths:
        raise SourceError(f"{folder}: no pictures there ({', '.join(sorted(SUFFIXES))})")
    return [FolderShot(path, _label(folder, path)) for path in sorted(paths, key=_shooting_order)]


def _label(folder: Path, path: Path) -> str | None:
    return path.parent.name if path.parent != folder else None


def _shooting_order(path: Path) -> tuple[bool, int, str]:
    number = re.search(r"(\d+)\D*$", path.stem)
    return (number is None, int(number[1][-18:]) if number else 0, str(path))
