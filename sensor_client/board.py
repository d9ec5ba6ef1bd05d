"""What the board tells of itself: how warm it is, how full its disk, and what this program takes of its memory."""

import os
from itertools import islice
from pathlib import Path

from shared.wire import BoardState

ZONES = Path("/sys/class/thermal")
MEMORY = Path("/proc/self/statm")
ZONES_MAX = 16
READ_MAX_BYTES = 64
"""Of any file there: each is a number or two."""
LOWEST_CELSIUS, HIGHEST_CELSIUS = -100, 300
"""What lies beyond is no temperature, but a sensor that is not there."""
NEARLY_FULL_BYTES = 64 << 20
NEARLY_FULL_SHARE = 0.02


def board_state(folder: Path, zones: Path = ZONES, memory: Path = MEMORY) -> BoardState:
    """The board now; what it does not tell is left out.

    Args:
        folder: on the disk that matters.
        zones: where the kernel keeps its temperature sensors.
        memory: where it tells a process's pages.
    """
    try:
        space = os.statvfs(folder)
        free = space.f_bavail * space.f_frsize
    except OSError:
        free = None
    return BoardState(temperature_celsius=_warmest(zones), free_disk_bytes=free, memory_bytes=_resident_bytes(memory))


def is_nearly_full(folder: Path) -> bool:
    """Whether the disk has little room left, for its size."""
    try:
        space = os.statvfs(folder)
    except OSError:
        return False
    size, free = space.f_blocks * space.f_frsize, space.f_bavail * space.f_frsize
    return free < min(NEARLY_FULL_BYTES, size * NEARLY_FULL_SHARE)


def _warmest(zones: Path) -> float | None:
    try:
        found = sorted(islice(zones.glob("thermal_zone*"), ZONES_MAX))
    except OSError:
        return None
    celsius = [number / 1000 for number in (_first_number(zone / "temp") for zone in found) if number is not None]
    return max((one for one in celsius if LOWEST_CELSIUS <= one <= HIGHEST_CELSIUS), default=None)


def _resident_bytes(memory: Path) -> int | None:
    pages = _first_number(memory, place=1)
    return None if pages is None else pages * os.sysconf("SC_PAGE_SIZE")


def _first_number(path: Path, place: int = 0) -> int | None:
    try:
        with path.open("rb") as file:
            return int(file.read(READ_MAX_BYTES).split()[place])
    except (OSError, ValueError, IndexError):
        return None
