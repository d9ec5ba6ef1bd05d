"""Exif blocks that tests make up entry by entry, as cameras' firmware does and Pillow would not."""

import io
import struct

from PIL import Image

PREFIX = b"Exif\0\0"
ORIENTATION = 0x0112
BYTE, ASCII, SHORT, LONG, RATIONAL, SSHORT = 1, 2, 3, 4, 5, 8


def block(value: int, *, order: str = "<", kind: int = SHORT, count: int = 1, offset: int = 8) -> bytes:
    """A TIFF block whose first directory, at `offset`, holds the orientation as a value of `kind`."""
    own = {BYTE: "B", SHORT: "H", SSHORT: "h"}.get(kind, "L")
    entry = struct.pack(f"{order}HHL", ORIENTATION, kind, count) + struct.pack(f"{order}{own}", value).ljust(4, b"\0")
    return start(order, offset) + directory(order, entry)


def start(order: str = "<", offset: int = 8) -> bytes:
    """The header of a block, and zeros up to its first directory."""
    name = b"II" if order == "<" else b"MM"
    return (name + struct.pack(f"{order}HL", 42, offset)).ljust(offset, b"\0")


def directory(order: str, *entries: bytes) -> bytes:
    """A directory of whole entries that has no successor."""
    return struct.pack(f"{order}H", len(entries)) + b"".join(entries) + bytes(4)


def with_exif(jpeg: bytes, exif: bytes) -> bytes:
    """The JPEG with a block as its first APP1 segment."""
    body = PREFIX + exif
    return jpeg[:2] + b"\xff\xe1" + (len(body) + 2).to_bytes(2) + body + jpeg[2:]


def written_by_pillow(orientation: int, *, big_endian: bool = False, **others: object) -> bytes:
    """A block as Pillow writes it, with its prefix; names of `others` are tags such as `x0132`."""
    exif = Image.Exif()
    exif.endian = ">" if big_endian else "<"
    exif[ORIENTATION] = orientation
    for name, value in others.items():
        exif[int(name.removeprefix("x"), 16)] = value
    return exif.tobytes()


def kept_by_pillow(block: bytes, kind: str) -> bytes:
    """A block with its prefix as Pillow hands it out of a picture file of this format."""
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, kind, exif=block)
    found: bytes = Image.open(io.BytesIO(file.getvalue())).info["exif"]
    return found
