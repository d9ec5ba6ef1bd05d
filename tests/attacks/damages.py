"""What can happen to a file on a camera's disk: a table of damages, for every file that a state directory has."""

from collections.abc import Callable
from pathlib import Path
from random import Random


def emptied(path: Path) -> None:
    """A power cut after the file was made and before its content was on disk."""
    _replace(path, b"")


def cut(path: Path) -> None:
    """A power cut in the middle of its content."""
    data = _content(path)
    _replace(path, data[: len(data) // 2])


def zeroed(path: Path) -> None:
    """Length without content, as some file systems leave it after a power cut."""
    _replace(path, bytes(len(_content(path))))


def scribbled(path: Path) -> None:
    """A worn-out flash page gives any bytes."""
    _replace(path, Random(7).randbytes(max(64, len(_content(path)))))


def made_a_directory(path: Path) -> None:
    """A directory where a file belongs, with a file in it."""
    path.unlink()
    path.mkdir()
    (path / "found.000").write_bytes(b"x")


def unreadable(path: Path) -> None:
    """A link to itself: opening it fails for root, too, whom no mode keeps out."""
    path.unlink()
    path.symlink_to(path.name)


def removed(path: Path) -> None:
    """Gone."""
    path.unlink()


Damage = Callable[[Path], None]
DAMAGES: tuple[Damage, ...] = (emptied, cut, zeroed, scribbled, made_a_directory, unreadable, removed)


def files_of(state: Path) -> list[Path]:
    """Every file and link below a state directory, found, not listed: a new one is damaged, too."""
    return sorted(path for path in state.rglob("*") if path.is_symlink() or path.is_file())


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # it was made unreadable before
        return b""


def _replace(path: Path, data: bytes) -> None:
    path.unlink()  # of a link, the link: where it leads, is damaged for itself
    path.write_bytes(data)
