"""What a live camera's pictures say of it where they are the same to a bit, or of one colour: pure rules."""

from dataclasses import dataclass, replace

import numpy as np

from sensor_client.sources.health import Stillness
from shared.pictures import Pixels

FROZEN_GLANCES, FROZEN_SECONDS = 10, 300.0
"""So many glances in a row, over so long at least, at the same picture: a sensor's noise alone would change it."""
BLANK_GLANCES, BLANK_SECONDS = 4, 60.0
"""So many glances in a row, over so long at least, at pictures of one colour."""
BLOCK_SIDE = 8
BLANK_RANGE = 8.0
"""Grey levels between the darkest and the brightest block of a picture of one colour: means of 64 samples have little
noise, and a lamp or a star in the dark is still seen."""


@dataclass(frozen=True)
class Glance:
    """What was seen of a picture.

    Args:
        at_seconds: on a monotonic clock.
        digest: of all that it is made of.
        is_blank: whether it is of one colour.
    """

    at_seconds: float
    digest: int
    is_blank: bool


@dataclass(frozen=True)
class Seen:
    """What several glances in a row have in common."""

    last: Glance | None = None
    same: int = 0
    same_since_seconds: float = 0.0
    blank: int = 0
    blank_since_seconds: float = 0.0

    def after(self, glance: Glance) -> "Seen":
        """What is known after one more."""
        is_same = self.last is not None and self.last.digest == glance.digest
        same = replace(self, last=glance, same=self.same + 1)
        if not is_same:
            same = replace(same, same=1, same_since_seconds=glance.at_seconds)
        if not glance.is_blank:
            return replace(same, blank=0)
        since_seconds = self.blank_since_seconds if self.blank else glance.at_seconds
        return replace(same, blank=self.blank + 1, blank_since_seconds=since_seconds)

    @property
    def stillness(self) -> Stillness | None:
        """What is odd, if anything; a black picture that is frozen, too, is black."""
        if self.last is None:
            return None
        now_seconds = self.last.at_seconds
        if self.blank >= BLANK_GLANCES and now_seconds - self.blank_since_seconds >= BLANK_SECONDS:
            return Stillness.BLANK
        if self.same >= FROZEN_GLANCES and now_seconds - self.same_since_seconds >= FROZEN_SECONDS:
            return Stillness.FROZEN
        return None


def is_blank(pixels: Pixels) -> bool:
    """Whether every block of a picture has about the same colour.

    Args:
        pixels: uint8 (height, width, 3), or (height, width) grey.
    """
    height, width = (max(BLOCK_SIDE, side // BLOCK_SIDE * BLOCK_SIDE) for side in pixels.shape[:2])
    samples = pixels[:height, :width].reshape(*pixels[:height, :width].shape[:2], -1)
    if samples.shape[:2] != (height, width):  # smaller than a block
        return bool((np.ptp(samples, axis=(0, 1)) <= BLANK_RANGE).all())
    blocks = samples.reshape(height // BLOCK_SIDE, BLOCK_SIDE, width // BLOCK_SIDE, BLOCK_SIDE, -1).mean(axis=(1, 3))
    return bool((np.ptp(blocks, axis=(0, 1)) <= BLANK_RANGE).all())
