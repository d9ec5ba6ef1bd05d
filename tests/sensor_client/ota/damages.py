"""What can happen to a file of the updater's."""

from collections.abc import Callable
from pathlib import Path


def make_directory_of(path: Path) -> None:
    path.unlink()
    (path / "inside").mkdir(parents=True)


def make_endless_link_of(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "zeroed": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-9]),
    "gone": lambda path: path.unlink(),
    "a directory": make_directory_of,
    "an endless link": make_endless_link_of,
}
