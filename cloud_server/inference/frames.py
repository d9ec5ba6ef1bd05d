"""Frames as they were sent, and what their markers say before anything is decoded."""

from collections.abc import Sequence
from hashlib import blake2b
from struct import Struct
from typing import NamedTuple

from shared.errors import PeerError
from shared.jpeg import EOI, FrameInfo, inspect
from shared.wire import Kind

DIGESTED_AT_EACH_END_BYTES = 8 << 10
_NUMBER = Struct(">q")


class Companion(NamedTuple):
    """What makes a frame a companion: its kind, and the number of the frame of its device that it belongs to.

    Nobody asks whether that frame was ever answered: it may be on its way, or lost.
    """

    kind: Kind
    of: int


class Frame(NamedTuple):
    """One JPEG as it was sent.

    Args:
        sequence: the device's number for it; None: it has none, and its answer is not stored.
        data: the whole JPEG.
        prefix: what the frames of a batch share, all before their scan. None: the frame came alone.
        top: how many of the likeliest labels are wanted beside the answer.
        companion: None: it is sent for its own sake.
    """

    sequence: int | None
    data: bytes
    prefix: bytes | None = None
    top: int = 0
    companion: Companion | None = None


def inspect_all(frames: Sequence[Frame]) -> list[FrameInfo | PeerError]:
    """What each frame's markers say, or why they cannot be read.

    Where tables are named by id, a prefix says everything but the scan's size, so it is read once.
    """
    by_prefix: dict[bytes | None, FrameInfo] = {}
    infos: list[FrameInfo | PeerError] = []
    for frame in frames:
        info = by_prefix.get(frame.prefix) or _inspect(frame.data)
        if frame.prefix is not None and isinstance(info, FrameInfo) and info.quant_id is None:
            by_prefix[frame.prefix] = info
        infos.append(info)
    return infos


def scan_bytes(frame: Frame, info: FrameInfo | PeerError) -> int:
    """Size of a frame's entropy-coded data; 0 when the frame cannot be read."""
    if isinstance(info, PeerError):
        return 0
    return info.scan_bytes if frame.prefix is None else len(frame.data) - len(frame.prefix) - len(EOI)


def scan_digest(frame: Frame, scan_bytes: int) -> int:
    """8 bytes of BLAKE2b over a frame's entropy-coded data, as a signed number: the same in every form of the frame.

    Of a longer scan, its length and as many bytes at its two ends as take the loop no time. Of a frame with several
    scans, the bytes between them are in it as well, in the place of the first ones.
    """
    data = frame.data
    end = len(data) - len(EOI) if data.endswith(EOI) else len(data)
    scan = data[end - scan_bytes : end]
    if len(scan) > 2 * DIGESTED_AT_EACH_END_BYTES:
        ends = scan[:DIGESTED_AT_EACH_END_BYTES], scan[-DIGESTED_AT_EACH_END_BYTES:]
        scan = b"%d" % len(scan) + b"".join(ends)
    digest: int = _NUMBER.unpack(blake2b(scan, digest_size=_NUMBER.size).digest())[0]
    return digest


def _inspect(data: bytes) -> FrameInfo | PeerError:
    try:
        return inspect(data)
    except PeerError as error:
        return error
