"""What a block of code makes durable, in its order: every sync and every replacement of a name, seen from outside."""

import os
import sys
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self


class DiskLog:
    """Use it with `with`. `entries` holds, for files in `folder`:

    - `sync NAME SIZE`: the file's content was synced, when it had SIZE bytes; a leading dot marks a temporary name;
    - `sync .`: the folder itself was synced, and with it the names in it;
    - `replace`: a name was given to another file.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self.entries: list[str] = []

    def __enter__(self) -> Self:
        sys.setprofile(self._on_call)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        sys.setprofile(None)

    def _on_call(self, frame: FrameType, event: str, function: object) -> None:
        if event != "c_call":
            return
        if function is os.replace or function is os.rename:
            self.entries.append("replace")
        elif function is os.fsync:
            self.entries.append(f"sync {self._synced(frame)}")

    def _synced(self, frame: FrameType) -> str:
        """The file of the folder that the caller holds open by its descriptor."""
        numbers = [value for value in frame.f_locals.values() if type(value) is int]
        links = [Path(f"/proc/self/fd/{number}") for number in numbers]
        [path] = {
            path for link in links if link.is_symlink() and (path := link.readlink()).is_relative_to(self._folder)
        }
        if path == self._folder:
            return "."
        name = ".temporary" if path.name.startswith(".") else path.name
        return f"{name} {path.stat().st_size}"
