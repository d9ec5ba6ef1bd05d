"""A batch of frames (`application/vnd.dctwire.batch`): one shared prefix, then scans.

Layout, every number an unsigned LEB128 varint of at most 10 bytes unless said otherwise:

    magic   4 bytes  "DWB1"
    prefix  length, bytes        everything of each frame up to and including SOS's header; at most 16 KiB
    count   1..BATCH_MAX_FRAMES
    base    first frame's capture time, milliseconds since 1970
    count times:
        sequence delta           to the frame before (the first: the sequence itself), at least 1 after the first
        capture time delta       zig-zag coded, milliseconds, to the frame before (the first: 0 is left out)
        scan    length, bytes    the entropy-coded bytes, without EOI

A frame is prefix + scan + EOI, byte for byte.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, NamedTuple, Self

from shared.errors import PeerError
from shared.jpeg import EOI
from shared.wire.problems import SEQUENCE_MAX

BATCH_MEDIA_TYPE = "application/vnd.dctwire.batch"
BATCH_MAX_FRAMES = 256
BATCH_MAX_PREFIX_BYTES = 16 << 10  # every frame repeats it once rebuilt: this bounds what a small body can unfold to
_MAGIC = b"DWB1"
_VARINT_MAX_BYTES = 10


class BatchError(PeerError):
    """These bytes are no batch; the message names the first byte that is wrong."""

    code: ClassVar[str] = "invalid-batch"


class BatchItem(NamedTuple):
    """One frame of a batch: its sequence number, capture time (ms since 1970) and entropy-coded scan."""

    sequence: int
    captured_at_ms: int
    scan: bytes


@dataclass(frozen=True, slots=True)
class Batch:
    """Frames that share everything but their scans."""

    prefix: bytes
    items: tuple[BatchItem, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.items) <= BATCH_MAX_FRAMES:
            raise BatchError(f"a batch has 1 to {BATCH_MAX_FRAMES} frames, not {len(self.items)}")
        if len(self.prefix) > BATCH_MAX_PREFIX_BYTES:
            raise BatchError(f"a prefix has at most {BATCH_MAX_PREFIX_BYTES} bytes, not {len(self.prefix)}")
        sequences = [item.sequence for item in self.items]
        if any(later <= earlier for earlier, later in pairwise(sequences)):
            raise BatchError("sequence numbers must grow within a batch")
        if sequences[0] < 0 or sequences[-1] > SEQUENCE_MAX:
            raise BatchError("a sequence number is out of range")

    def frames(self) -> Iterator[bytes]:
        """Each frame as the JPEG it was."""
        return (self.prefix + item.scan + EOI for item in self.items)

    def to_bytes(self) -> bytes:
        """The bytes of this batch, as `from_bytes` reads them."""
        first = self.items[0]
        out = bytearray(_MAGIC)
        out += _varint(len(self.prefix)) + self.prefix + _varint(len(self.items)) + _varint(first.captured_at_ms)
        sequence, captured_at_ms = 0, first.captured_at_ms
        for item in self.items:
            out += _varint(item.sequence - sequence)
            if item is not first:
                out += _varint(_zigzag(item.captured_at_ms - captured_at_ms))
            out += _varint(len(item.scan)) + item.scan
            sequence, captured_at_ms = item.sequence, item.captured_at_ms
        return bytes(out)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Parse a whole batch; no byte may be left over.

        Raises:
            BatchError: not a batch, cut short, or a number is out of range.
        """
        reader = _Reader(data)
        if reader.take(len(_MAGIC)) != _MAGIC:
            raise BatchError("a batch begins with DWB1")
        prefix = reader.take(reader.varint())
        count = reader.varint()
        if not 1 <= count <= BATCH_MAX_FRAMES:
            raise BatchError(f"a batch has 1 to {BATCH_MAX_FRAMES} frames, not {count}")
        sequence, captured_at_ms = 0, reader.varint()
        items = []
        for index in range(count):
            sequence += reader.varint()
            if index:
                captured_at_ms += _unzigzag(reader.varint())
            items.append(BatchItem(sequence, captured_at_ms, reader.take(reader.varint())))
        reader.expect_end()
        return cls(prefix, tuple(items))


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        if count > len(self._data) - self._at:
            raise BatchError(f"byte {self._at}: {count} bytes promised, {len(self._data) - self._at} left")
        self._at += count
        return self._data[self._at - count : self._at]

    def varint(self) -> int:
        if self._at < len(self._data) and (small := self._data[self._at]) < 0x80:
            self._at += 1
            return small
        value = 0
        for index in range(_VARINT_MAX_BYTES):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << (7 * index)
            if byte < 0x80:
                return value
        raise BatchError(f"byte {self._at}: a number of more than {_VARINT_MAX_BYTES} bytes")

    def expect_end(self) -> None:
        if self._at != len(self._data):
            raise BatchError(f"{len(self._data) - self._at} bytes after the last frame")


def _varint(value: int) -> bytes:
    if value < 0:
        raise BatchError(f"{value} is negative")
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _zigzag(value: int) -> int:
    return value << 1 if value >= 0 else (-value << 1) - 1


def _unzigzag(value: int) -> int:
    return value >> 1 if value % 2 == 0 else -(value >> 1) - 1
