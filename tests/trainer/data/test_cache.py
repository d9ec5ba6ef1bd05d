"""Generated arrays on disk: found again, made again when damaged, and bounded."""

import os
from pathlib import Path

import numpy as np
import pytest

from trainer.data.cache import ArrayCache


class Maker:
    """Makes an array and counts how often it was asked to."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> dict[str, np.ndarray]:
        self.calls += 1
        return {"numbers": np.arange(5000)}


def test_what_was_made_once_comes_from_disk_afterwards(tmp_path: Path) -> None:
    make = Maker()
    first = ArrayCache(tmp_path / "new").get("key", make)
    second = ArrayCache(tmp_path / "new").get("key", make)
    assert make.calls == 1
    assert np.array_equal(first["numbers"], second["numbers"])


@pytest.mark.parametrize("damage", ["truncated", "bit flipped", "empty", "text"])
def test_a_damaged_file_is_made_again(tmp_path: Path, damage: str) -> None:
    make = Maker()
    ArrayCache(tmp_path).get("key", make)
    path = tmp_path / "key.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    damaged = {"truncated": bytes(content[:-100]), "bit flipped": bytes(content), "empty": b"", "text": b"no"}
    path.write_bytes(damaged[damage])
    again = ArrayCache(tmp_path).get("key", make)
    assert make.calls == 2
    assert np.array_equal(again["numbers"], np.arange(5000))
    ArrayCache(tmp_path).get("key", make)
    assert make.calls == 2


def test_the_files_unused_for_longest_go_first(tmp_path: Path) -> None:
    cache = ArrayCache(tmp_path, limit_bytes=100_000)  # two files of 40 kB
    cache.get("old", Maker())
    cache.get("older", Maker())
    os.utime(tmp_path / "old.npz", (2_000, 2_000))
    os.utime(tmp_path / "older.npz", (1_000, 1_000))
    cache.get("new", Maker())
    assert sorted(path.name for path in tmp_path.glob("*.npz")) == ["new.npz", "old.npz"]


def test_a_failure_while_making_leaves_nothing_behind(tmp_path: Path) -> None:
    def fail() -> dict[str, np.ndarray]:
        raise RuntimeError("out of paint")

    with pytest.raises(RuntimeError):
        ArrayCache(tmp_path).get("key", fail)
    assert list(tmp_path.glob("*.npz")) == list(tmp_path.glob("*.tmp")) == []
