"""What this process may use of the machine's memory, what it uses, and how it gives freed memory back."""

import ctypes
import gc
import os
from pathlib import Path

CGROUP_LIMITS = ("memory.max", "memory/memory.limit_in_bytes")


def allowed_bytes(cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """The machine's memory, or the cgroup's limit where that is less (version 2, then 1)."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = [_limit(cgroup / name) for name in CGROUP_LIMITS]
    return min([machine, *(limit for limit in limits if limit is not None)])


def resident_bytes() -> int:
    """How much of this process lies in the machine's memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def give_back() -> None:
    """Collect garbage, and give freed memory that the allocator still holds back to the system."""
    gc.collect()
    trim()


def trim() -> None:
    """Give freed memory that the allocator still holds back to the system (glibc only)."""
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if malloc_trim is not None:
        malloc_trim(0)


def _limit(path: Path) -> int | None:
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() else None
