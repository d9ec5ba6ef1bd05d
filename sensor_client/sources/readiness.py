"""When a file that somebody else writes may be read: pure rules."""

from dataclasses import dataclass

QUIET_SECONDS = 1.0
"""A file that looks whole is read once it has not changed for so long."""
PATIENCE_SECONDS = 30.0
"""One that looks cut off, or is empty, is waited for so long after its last change; then it is read as it is."""

TAIL_BYTES = 64
HEAD_BYTES = 16
_JPEG, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
_PNG, _PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xae\x42\x60\x82"
_RIFF, _WEBP = b"RIFF", b"WEBP"
_BMP = b"BM"


@dataclass(frozen=True)
class FileEnds:
    """A file's length, and its first and last bytes."""

    length: int
    head: bytes
    tail: bytes


def seems_whole(ends: FileEnds) -> bool:
    """Whether a picture file's end looks like one; a kind of which only decoding tells is taken for whole."""
    if ends.head.startswith(_JPEG):
        return ends.tail.rstrip(b"\0").endswith(_JPEG_END)
    if ends.head.startswith(_PNG):
        return ends.tail.endswith(_PNG_END)
    if ends.head.startswith(_RIFF) and ends.head[8:12] == _WEBP:
        return ends.length >= 8 + int.from_bytes(ends.head[4:8], "little")
    if ends.head.startswith(_BMP):
        return ends.length >= int.from_bytes(ends.head[2:6], "little")
    return ends.length > 0


def may_be_read(*, unchanged_seconds: float, looks_whole: bool) -> bool:
    """Whether a file that has kept its size and its time of change for so long is read now."""
    return unchanged_seconds >= (QUIET_SECONDS if looks_whole else PATIENCE_SECONDS)
