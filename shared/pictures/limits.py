"""How large a picture file may be, in bytes and in pixels: more for a trainer's machine than for a camera's."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from shared.jpeg import Limits
from shared.pictures.errors import PictureError


@dataclass(frozen=True, kw_only=True)
class PictureLimits:
    """The most that a picture file may have; both are checked before anything is decoded."""

    file_bytes: int
    pixels: int

    @cached_property
    def of_jpeg(self) -> Limits:
        """The same limits as the codec takes them."""
        return Limits(max_bytes=self.file_bytes, max_pixels=self.pixels, max_restarts=self.pixels // 256)

    def check_bytes(self, path: Path, length: int) -> None:
        """Whether a file of this length may be read.

        Raises:
            PictureError: it is empty or too long.
        """
        if not 0 < length <= self.file_bytes:
            raise PictureError.of(path, f"{length} bytes; 1 to {self.file_bytes} are read")

    def check_pixels(self, width: int, height: int) -> None:
        """Whether a picture of this size may be decoded.

        Raises:
            ValueError: it has none or too many pixels.
        """
        if not 1 <= width * height <= self.pixels:
            raise ValueError(f"it has {width} x {height} pixels; 1 to {self.pixels} are read")


TRAINER_LIMITS = PictureLimits(file_bytes=256 << 20, pixels=64 << 20)
SENSOR_LIMITS = PictureLimits(file_bytes=32 << 20, pixels=16 << 20)
"""The pixels are those of the codec's own `Limits`, so that a JPEG too large for one way is too large for both; what
the worst of such pictures costs is in docs/pictures.md, and fits MemoryMax in deploy/systemd."""
