"""Checksums of bodies: a frame is given out as it was stored, or not at all."""

import zlib


def checksum_of(body: bytes) -> int:
    """What is stored beside a body."""
    return zlib.crc32(body)


def is_as_stored(body: bytes, checksum: int | None) -> bool:
    """Whether a body is what was stored, as far as can be told: an earlier program stored no checksum."""
    return checksum is None or zlib.crc32(body) == checksum
