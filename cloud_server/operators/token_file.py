"""Tokens in files that only their owner can read."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

TOKEN_FILE = "admin-token"  # noqa: S105 - a file's name
"""Where the first admin's lies, in the server's data folder."""


@contextmanager
def new_token_file(path: Path) -> Iterator[Callable[[str], object]]:
    """A new file for a token that is still to be made, and what writes it there; it is gone again after an error.

    Raises:
        FileExistsError: there is something of this name, be it a link; it stays as it is.
        OSError: it cannot be made or written.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            yield lambda token: file.write(f"{token}\n")
    except BaseException:
        path.unlink()
        raise


def partial_of(path: Path) -> Path:
    """Where a token is written that is to replace the one in a file."""
    return path.with_name(f".{path.name}.partial")


def write_token(path: Path, token: str) -> None:
    """Write a token to a file that only its owner can read, whole or not at all; what was there is replaced.

    Raises:
        OSError: it cannot be written.
    """
    partial = partial_of(path)
    partial.unlink(missing_ok=True)
    with new_token_file(partial) as write:
        write(token)
    partial.replace(path)
