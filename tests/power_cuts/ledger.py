"""What a spool accepted: a line a frame, written once `append` has returned, and one before frames leave it.

`+ NUMBER BODY` says that the frame was safe; `- NUMBER` that it may be gone from then on.
"""

import os
from dataclasses import dataclass
from pathlib import Path


class Ledger:
    """Writes lines; each is one call to the system, so a kill leaves whole ones."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def accepted(self, sequence: int, body: bytes) -> None:
        """The frame is safe."""
        os.write(self._file, f"+ {sequence} {body.hex()}\n".encode())

    def leaving(self, sequence: int) -> None:
        """The frame may be gone."""
        os.write(self._file, f"- {sequence}\n".encode())


@dataclass(frozen=True)
class Accepted:
    """What a ledger says: the body of each frame that was accepted, and which ones may be gone."""

    bodies: dict[int, bytes]
    left: set[int]

    @classmethod
    def of(cls, text: bytes) -> "Accepted":
        """Read it; a line without its end is none.

        Raises:
            AssertionError: a number was given twice.
        """
        bodies: dict[int, bytes] = {}
        left: set[int] = set()
        for line in text.split(b"\n")[:-1]:
            kind, number, *body = line.decode().split()
            if kind == "-":
                left.add(int(number))
                continue
            assert int(number) not in bodies, f"{number} was given twice"
            bodies[int(number)] = bytes.fromhex(body[0])
        return cls(bodies, left)
