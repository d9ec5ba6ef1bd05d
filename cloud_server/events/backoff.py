"""How long to leave an endpoint alone that could not be told."""

from collections.abc import Callable

FLOOR_SECONDS = 1.0
CEILING_SECONDS = 300.0
LONGEST_RETRY_AFTER_SECONDS = 3600.0


def delay_seconds(failures: int, retry_after_seconds: float, random: Callable[[], float]) -> float:
    """The seconds to wait before the next try: full jitter up to a ceiling that doubles with every failure.

    Never less than a floor, nor than the endpoint asked for, of which an hour is believed.

    Args:
        failures: in a row, this one among them.
        random: uniform in [0, 1).
    """
    ceiling = min(CEILING_SECONDS, FLOOR_SECONDS * 2.0 ** min(failures, 16))
    asked = min(max(retry_after_seconds, 0.0), LONGEST_RETRY_AFTER_SECONDS)
    return max(FLOOR_SECONDS, asked) + random() * ceiling
