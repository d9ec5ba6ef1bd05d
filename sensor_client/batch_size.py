"""How many frames one request carries: a pure rule. Fewer after it failed, more again while it goes well."""

SLOW_SECONDS = 10.0
"""A third of an exchange's deadline: requests that take longer grow no more."""


def halved(frames: int) -> int:
    """The size after a request with so many frames failed; a poisonous frame is alone after a few."""
    return max(1, frames // 2)


def regrown(size: int, most: int, seconds: float) -> int:
    """The size after a request of this size was answered in so many seconds; never above `most`."""
    return min(most, size if seconds > SLOW_SECONDS else size * 2)
