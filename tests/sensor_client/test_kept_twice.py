"""A file that is kept twice."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sensor_client.kept_twice import KeptTwice


def is_whole(data: bytes) -> bool:
    return data.startswith(b"<") and data.endswith(b">")


def leave_out(path: Path) -> None:
    path.unlink()


def make_a_directory(path: Path) -> None:
    path.unlink()
    (path / "inside").mkdir(parents=True)


def fill(data: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(data)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "gone": leave_out,
    "a directory": make_a_directory,
    "empty": fill(b""),
    "cut": fill(b"<what was wr"),
    "zeroed": fill(bytes(20)),
}


@pytest.mark.parametrize("name", ["identity.json", "identity-copy.json"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_to_either_file_costs_nothing_and_heals(tmp_path: Path, damage: str, name: str) -> None:
    kept = KeptTwice(tmp_path / "identity.json", is_whole)
    kept.write(b"<what was written>")
    DAMAGES[damage](tmp_path / name)

    assert kept.read() == b"<what was written>" and kept.is_there
    kept.heal()

    assert (tmp_path / name).read_bytes() == b"<what was written>"
    assert (tmp_path / name).stat().st_mode & 0o777 == 0o600


def test_damage_to_both_is_told_from_nothing(tmp_path: Path) -> None:
    kept = KeptTwice(tmp_path / "identity.json", is_whole)
    assert kept.read() is None and not kept.is_there

    (tmp_path / "identity.json").write_bytes(b"<cut")

    assert kept.read() is None and kept.is_there
    kept.heal()
    assert kept.read() is None
