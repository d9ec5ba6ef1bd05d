"""How large a classifier's batches should be: a rule over how long batches of several sizes took."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

GAIN_MIN = 0.03
"""A larger batch is worth waiting for only where it saves more than this share of the time a frame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchLimits:
    """What no batch may pass, however well it would pay.

    Args:
        frames: of the largest batch.
        seconds: how long a batch may keep its worker, a single frame excepted.
        overhead_seconds: what a batch costs beside its classifier: the way to a worker and back, a commit.
    """

    frames: int
    seconds: float = 0.1
    overhead_seconds: float = 0.0005


def sizes_to_time(frames_max: int) -> Iterator[int]:
    """The batch sizes whose time is measured: 1, 2, 4, 8... and `frames_max` itself."""
    size = 1
    while size < frames_max:
        yield size
        size *= 2
    yield frames_max


def batch_cap(seconds: Mapping[int, float], limits: BatchLimits) -> int:
    """The smallest size whose time a frame is within `GAIN_MIN` of the best there is within the limits.

    Args:
        seconds: how long a batch took, by its size; at least one of them.
    """
    allowed = [size for size in sorted(seconds) if seconds[size] <= limits.seconds] or [min(seconds)]
    a_frame = {size: (seconds[size] + limits.overhead_seconds) / size for size in allowed}
    best = min(a_frame.values())
    return next(size for size in allowed if a_frame[size] * (1 - GAIN_MIN) <= best)
