"""Does a process keep what it should let go? A rule over readings of its resident memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

MEBIBYTE = 2**20
WARM_UP = 0.25
"""The share of the readings in which caches, pools and rings may still fill."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Resident memory (MiB) at a time (seconds since the start)."""

    seconds: float
    mebibytes: float


def resident_mebibytes(pid: int) -> float:
    """Resident memory of a process now (Linux).

    Raises:
        FileNotFoundError: it has ended.
    """
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


def growth_mebibytes(readings: Sequence[Reading]) -> float:
    """How much more is held in the last third than in the first, once warmed up: the medians of both.

    Raises:
        ValueError: too few readings to tell.
    """
    settled = [reading.mebibytes for reading in readings[round(len(readings) * WARM_UP) :]]
    third = len(settled) // 3
    if third < 5:
        raise ValueError(f"{len(readings)} readings are too few")
    return median(settled[-third:]) - median(settled[:third])


def growth_bytes_a_request(readings: Sequence[Reading], requests: int) -> float:
    """The same growth for each of the requests, spread evenly over the readings, that lie between the two medians."""
    return growth_mebibytes(readings) * MEBIBYTE / (requests * (1 - WARM_UP) * 2 / 3)


def slope_mebibytes_per_hour(readings: Sequence[Reading]) -> float:
    """The median slope over all pairs of warmed-up readings half of the time apart (Theil and Sen's estimate)."""
    settled = readings[round(len(readings) * WARM_UP) :]
    half = len(settled) // 2
    pairs = zip(settled[: len(settled) - half], settled[half:], strict=True)
    return 3600 * median((late.mebibytes - early.mebibytes) / (late.seconds - early.seconds) for early, late in pairs)
