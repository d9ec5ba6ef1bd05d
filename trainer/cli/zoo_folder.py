"""Where the zoo is, unless a command is told otherwise."""

from importlib.resources import files
from pathlib import Path


def zoo_folder(asked: Path | None) -> Path:
    """The folder of entries: the one that was asked for, or that of the repository."""
    return asked or Path(str(files("trainer.zoo")))
