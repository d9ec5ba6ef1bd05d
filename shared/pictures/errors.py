"""What cannot be read as a picture."""

import os
from pathlib import Path
from typing import ClassVar

from shared.errors import PeerError

REASON_LIMIT_CHARACTERS = 300


class PictureError(PeerError):
    """This picture cannot be read; the next one may be good.

    Args:
        name: what the picture is called, such as its path: text that can be logged and stored, see `shown`.
        reason: what is wrong with it.
    """

    code: ClassVar[str] = "unreadable-picture"

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason

    @classmethod
    def of(cls, path: Path, reason: str | Exception) -> "PictureError":
        """The error of a file; a reason that is an exception says what kind it is where it says nothing else."""
        text = (str(reason) or type(reason).__name__)[:REASON_LIMIT_CHARACTERS]
        return cls(shown(path), text.encode(errors="backslashreplace").decode())


def shown(path: Path) -> str:
    """A path as text that every log, file and terminal takes: what is no UTF-8 or not printable is escaped."""
    text = os.fsencode(path).decode(errors="backslashreplace")
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
