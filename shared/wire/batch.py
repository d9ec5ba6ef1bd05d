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

That is format 1. Format 2 is for companions of other frames: magic "DWB2", and two numbers more:

    kind    after prefix             what all frames of the batch are: 0 frame, 1 probe, 2 detail
    of      after sequence delta     how far the number of the frame that it belongs to is below its own, at least 1;
                                     not in a batch of kind 0

Both are read. Ordinary frames are always written in format 1, which every server reads.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import ge
from typing import ClassVar, NamedTuple, Self

from shared.errors import PeerError
from shared.jpeg import EOI
from shared.wire.kinds import Kind
from shared.wire.sequences import SEQUENCE_MAX

BATCH_MEDIA_TYPE = "application/vnd.dctwire.batch"
BATCH_MAX_FRAMES = 256
BATCH_MAX_PREFIX_BYTES = 16 << 10  # every frame repeats it once rebuilt: this bounds what a small body can unfold to
_MAGIC = b"DWB1"
_COMPANIONS_MAGIC = b"DWB2"
_VARINT_MAX_BYTES = 10
_FRAME = Kind.FRAME  # looking it up in its class takes as long as reading three numbers, for every batch


class BatchError(PeerError):
    """These bytes are no batch; the message names the first byte that is wrong."""

    code: ClassVar[str] = "invalid-batch"


class BatchItem(NamedTuple):
    """One frame of a batch: its sequence number, capture time (ms since 1970) and entropy-coded scan.

    Args:
        of: a companion's: the sequence number of the frame that it belongs to. None: it is no companion.
    """

    sequence: int
    captured_at_ms: int
    scan: bytes
    of: int | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Frames that share everything but their scans, and are all of one kind."""

    prefix: bytes
    items: tuple[BatchItem, ...]
    kind: Kind = _FRAME

    def __post_init__(self) -> None:
        if not 1 <= len(self.items) <= BATCH_MAX_FRAMES:
            raise BatchError(f"a batch has 1 to {BATCH_MAX_FRAMES} frames, not {len(self.items)}")
        if len(self.prefix) > BATCH_MAX_PREFIX_BYTES:
            raise BatchError(f"a prefix has at most {BATCH_MAX_PREFIX_BYTES} bytes, not {len(self.prefix)}")
        sequences = [item.sequence for item in self.items]
        if any(map(ge, sequences, sequences[1:])):
            raise BatchError("sequence numbers must grow within a batch")
        if sequences[0] < 0 or sequences[-1] > SEQUENCE_MAX:
            raise BatchError("a sequence number is out of range")
        if self.kind is not _FRAME:
            self._check_companions(sequences)
        elif [item.of for item in self.items].count(None) < len(self.items):
            raise BatchError("an ordinary frame belongs to no other: say what kind of companions these are")

    def _check_companions(self, sequences: Sequence[int]) -> None:
        """Each belongs to an earlier frame, which is none of these: those are companions themselves."""
        for item in self.items:
            if item.of is None or not 0 <= item.of < item.sequence:
                raise BatchError(f"frame {item.sequence} is a {self.kind}: name the earlier frame that it belongs to")
        if not {item.of for item in self.items}.isdisjoint(sequences):
            raise BatchError("a companion belongs to an ordinary frame, not to another companion")

    def frames(self) -> Iterator[bytes]:
        """Each frame as the JPEG it was."""
        return (self.prefix + item.scan + EOI for item in self.items)

    def to_bytes(self) -> bytes:
        """The bytes of this batch, as `from_bytes` reads them."""
        first = self.items[0]
        magic, kind = (_MAGIC, b"") if self.kind is _FRAME else (_COMPANIONS_MAGIC, _varint(self.kind.code))
        out = bytearray(magic + _varint(len(self.prefix)) + self.prefix + kind)
        out += _varint(len(self.items)) + _varint(first.captured_at_ms)
        sequence, captured_at_ms = 0, first.captured_at_ms
        for item in self.items:
            out += _varint(item.sequence - sequence)
            if item.of is not None:
                out += _varint(item.sequence - item.of)
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
        take, varint = reader.take, reader.varint
        magic = take(len(_MAGIC))
        if magic not in (_MAGIC, _COMPANIONS_MAGIC):
            raise BatchError("a batch begins with DWB1 or DWB2")
        prefix = take(varint())
        kind = _FRAME if magic == _MAGIC else _kind(varint())
        count = varint()
        if not 1 <= count <= BATCH_MAX_FRAMES:
            raise BatchError(f"a batch has 1 to {BATCH_MAX_FRAMES} frames, not {count}")
        are_companions = kind is not _FRAME
        sequence, captured_at_ms = 0, varint()
        items = []
        for index in range(count):
            sequence += varint()
            of = sequence - varint() if are_companions else None
            if index:
                captured_at_ms += _unzigzag(varint())
            items.append(BatchItem(sequence, captured_at_ms, take(varint()), of))
        reader.expect_end()
        return cls(prefix, tuple(items), kind)


class _Reader:
    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        start, end = self._at, self._at + count
        if end > len(self._data):
            raise BatchError(f"byte {start}: {count} bytes promised, {len(self._data) - start} left")
        self._at = end
        return self._data[start:end]

    def varint(self) -> int:
        start = self._at
        if start < len(self._data) and (small := self._data[start]) < 0x80:
            self._at = start + 1
            return small
        value = shift = 0
        for byte in self._data[start : start + _VARINT_MAX_BYTES]:
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                self._at = start + shift // 7
                return value
        if start + _VARINT_MAX_BYTES > len(self._data):
            raise BatchError(f"byte {start}: the batch ends within a number")
        raise BatchError(f"byte {start}: a number of more than {_VARINT_MAX_BYTES} bytes")

    def expect_end(self) -> None:
        if self._at != len(self._data):
            raise BatchError(f"{len(self._data) - self._at} bytes after the last frame")


def _kind(code: int) -> Kind:
    if (kind := Kind.of_code(code)) is None:
        raise BatchError(f"there is no kind {code} of frames: 0 to {len(Kind) - 1} are known")
    return kind


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
