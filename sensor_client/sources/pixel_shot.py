"""A shot that a library has decoded already."""

from dataclasses import dataclass

import numpy as np

from shared.pictures import Pixels


@dataclass(frozen=True)
class PixelShot:
    """Samples as OpenCV has them: uint8 (height, width, 3) with blue first, or (height, width) grey."""

    samples: Pixels
    label: str | None = None
    captured_at: float | None = None

    def jpeg(self) -> bytes | None:
        """See `Shot`: there is none any more."""
        return None

    def pixels(self) -> Pixels:
        """See `Shot`."""
        return self.samples if self.samples.ndim == 2 else np.ascontiguousarray(self.samples[:, :, ::-1])

    def settle(self) -> None:
        """See `Shot`: nobody remembers."""
