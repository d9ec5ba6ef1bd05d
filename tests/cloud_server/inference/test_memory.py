"""Memory limits are read from where a container's are."""

import os
from pathlib import Path

import pytest

from cloud_server.inference.memory import allowed_bytes, give_back, resident_bytes

MACHINE = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@pytest.mark.parametrize("name", ["memory.max", "memory/memory.limit_in_bytes"])
@pytest.mark.parametrize(("text", "allowed"), [("1048576\n", 1 << 20), ("max\n", MACHINE), (f"{1 << 63}", MACHINE)])
def test_the_lesser_of_machine_and_container_counts(tmp_path: Path, name: str, text: str, allowed: int) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text)
    assert allowed_bytes(tmp_path) == allowed


def test_freed_memory_goes_back_to_the_system() -> None:
    give_back()
    before = resident_bytes()
    held = [bytes([1]) * 100_000 for _ in range(300)]
    assert resident_bytes() - before > 20_000_000
    held.clear()
    give_back()
    assert resident_bytes() - before < 10_000_000
