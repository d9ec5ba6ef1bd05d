"""A progressive encoder for tests (T.81 annex G): any script of scans over given levels, all in the same codes.

libjpeg's own scripts are few. This one's streams are read by libjpeg too, which the tests use as their judge.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from shared.jpeg import ZIGZAG, Coefficients, Encoder, Stream, TableSet
from tests.shared.jpeg.streams import segment, segments

LUMA_FACTORS = {"grey": (1, 1), "4:4:4": (1, 1), "4:2:2": (2, 1), "4:2:0": (2, 2), "4:4:0": (1, 2), "4:1:1": (4, 1)}
# A code of 4 bits for each DC size; for each AC symbol but FF one of 8 or 9 bits. None is all ones.
DC_TABLE = bytes([0, 0, 0, 12, *[0] * 12, *range(12)])
AC_TABLE = bytes([*[0] * 7, 254, 1, *[0] * 7, *range(255)])


@dataclass(frozen=True)
class Scan:
    """A scan: indices of its components, the coefficients by zig-zag position, and their bits (Ss, Se, Ah, Al)."""

    components: tuple[int, ...]
    start: int
    end: int
    high: int
    low: int


def every(start: int, end: int, high: int, low: int) -> list[Scan]:
    """One scan for each of three components."""
    return [Scan((index,), start, end, high, low) for index in range(3)]


# DC interleaved, then each band at once.
BAND_BY_BAND = (Scan((0, 1, 2), 0, 0, 0, 0), *every(1, 2, 0, 0), *every(3, 20, 0, 0), *every(21, 63, 0, 0))
# Every bit of every coefficient by itself, DC of each component alone and together, in turn.
BIT_BY_BIT = (
    *every(0, 0, 0, 3),
    *every(1, 63, 0, 3),
    *(scan for low in (2, 1, 0) for scan in (Scan((0, 1, 2), 0, 0, low + 1, low), *every(1, 63, low + 1, low))),
)


def encode(levels: Coefficients, script: Sequence[Scan], restart_interval: int = 0) -> bytes:
    """The progressive stream of these levels."""
    interchange = Encoder(TableSet.standard(sampling=levels.sampling).with_quant(levels.quant)).encode_coefficients(
        levels, Stream.INTERCHANGE
    )
    kept = [(marker, interchange[s:e]) for marker, s, e in segments(interchange) if marker not in (0xC4, 0xDA)]
    prefix = b"".join(b"\xff\xc2" + part[2:] if marker == 0xC0 else part for marker, part in kept)
    tables = segment(0xC4, b"\x00" + DC_TABLE) + segment(0xC4, b"\x10" + AC_TABLE)
    interval = segment(0xDD, restart_interval.to_bytes(2)) if restart_interval else b""
    scans = b"".join(coded_scan(levels, scan, restart_interval) for scan in script)
    return b"\xff\xd8" + prefix + tables + interval + scans + b"\xff\xd9"


def coded_scan(levels: Coefficients, scan: Scan, restart_interval: int) -> bytes:
    """SOS and entropy-coded data, with restart markers."""
    rows = b"".join(bytes([index + 1, 0]) for index in scan.components)
    body = bytes([len(scan.components)]) + rows + bytes([scan.start, scan.end, scan.high << 4 | scan.low])
    mcus = list(mcu_order(levels, scan.components))
    step = restart_interval or len(mcus)
    parts = [coded_segment(mcus[first : first + step], scan) for first in range(0, len(mcus), step)]
    data = parts[0] + b"".join(bytes([0xFF, 0xD0 + n % 8]) + part for n, part in enumerate(parts[1:]))
    return segment(0xDA, body) + data


def mcu_order(levels: Coefficients, components: tuple[int, ...]) -> Iterator[list[tuple[int, list[int]]]]:
    """Each MCU as (component of the scan, levels in zig-zag order) of its blocks; what only pads repeats others."""
    if len(components) == 1:
        plane = levels.planes[components[0]]
        for row, column in np.ndindex(plane.shape[1:]):
            yield [(0, plane[list(ZIGZAG), row, column].tolist())]
        return
    horizontal, vertical = LUMA_FACTORS[levels.sampling]
    mcu_rows, mcu_columns = -(-levels.height // (8 * vertical)), -(-levels.width // (8 * horizontal))
    for mcu_row, mcu_column in np.ndindex(mcu_rows, mcu_columns):
        mcu = []
        for place, index in enumerate(components):
            plane, (h, v) = levels.planes[index], (horizontal, vertical) if index == 0 else (1, 1)
            for row, column in np.ndindex(v, h):
                y, x = min(mcu_row * v + row, plane.shape[1] - 1), min(mcu_column * h + column, plane.shape[2] - 1)
                mcu.append((place, plane[list(ZIGZAG), y, x].tolist()))
        yield mcu


class Bits:
    """Bits that become bytes, stuffed (T.81 F.1.2.3)."""

    def __init__(self) -> None:
        self.text: list[str] = []

    def put(self, value: int, count: int) -> None:
        """Append the lowest bits of a value."""
        if count:
            self.text.append(f"{value & ((1 << count) - 1):0{count}b}")

    def symbol(self, symbol: int) -> None:
        """Append an AC symbol's code."""
        self.put(*((symbol, 8) if symbol < 254 else (508, 9)))

    def number(self, value: int, size: int) -> None:
        """Append the bits behind a size (T.81 F.1.2.1)."""
        self.put(value if value >= 0 else value - 1, size)

    def done(self) -> bytes:
        """The bytes; the last is filled with ones."""
        text = "".join(self.text)
        text += "1" * (-len(text) % 8)
        return bytes(int(text[at : at + 8], 2) for at in range(0, len(text), 8)).replace(b"\xff", b"\xff\0")


def coded_segment(mcus: Sequence[list[tuple[int, list[int]]]], scan: Scan) -> bytes:
    """One entropy-coded segment."""
    bits, predictions = Bits(), [0, 0, 0]
    if scan.start == 0:
        for place, block in (one for mcu in mcus for one in mcu):
            dc = block[0] >> scan.low
            if scan.high:
                bits.put(dc, 1)
                continue
            difference, predictions[place] = dc - predictions[place], dc
            size = abs(difference).bit_length()
            bits.put(size, 4)
            bits.number(difference, size)
        return bits.done()
    run = EndedBlocks(bits)
    for ((_, block),) in mcus:
        code_band(block, scan, run)
    run.flush()
    return bits.done()


class EndedBlocks:
    """EOBRUN and the correction bits that wait for it (T.81 G.1.2.2, G.1.2.3)."""

    def __init__(self, bits: Bits) -> None:
        self.bits, self.count = bits, 0
        self.corrections: list[int] = []

    def add(self, corrections: list[int]) -> None:
        """One more block has ended, and leaves these bits behind."""
        self.count += 1
        self.corrections += corrections
        if self.count == 32767:
            self.flush()

    def flush(self) -> None:
        """Write the run."""
        if self.count:
            size = self.count.bit_length() - 1
            self.bits.symbol(size << 4)
            self.bits.put(self.count, size)
        for bit in self.corrections:
            self.bits.put(bit, 1)
        self.count, self.corrections = 0, []


def code_band(block: list[int], scan: Scan, ended: EndedBlocks) -> None:
    """Code the band of one block (figures G.3 to G.7)."""
    sizes = [abs(level) >> scan.low for level in block]  # the point transform of AC rounds towards zero
    new = [at for at in range(scan.start, scan.end + 1) if (sizes[at] == 1 if scan.high else sizes[at])]
    last, zeros, corrections = (new[-1] if new else -1), 0, list[int]()
    for at in range(scan.start, scan.end + 1):
        if scan.high and sizes[at] > 1:
            corrections.append(sizes[at] & 1)
        elif at not in new:
            zeros += 1
        else:
            ended.flush()
            put_level(ended.bits, zeros, sizes[at] if block[at] > 0 else -sizes[at], scan)
            flush(ended.bits, corrections)
            zeros = 0
        if zeros == 16 and at < last and not (scan.high and sizes[at] > 1):
            ended.flush()
            ended.bits.symbol(0xF0)
            flush(ended.bits, corrections)
            zeros = 0
    if last < scan.end:
        ended.add(corrections)


def put_level(bits: Bits, zeros: int, level: int, scan: Scan) -> None:
    """Code a level that this scan brings first."""
    if scan.high:
        bits.symbol(zeros << 4 | 1)
        bits.put(level > 0, 1)
    else:
        size = abs(level).bit_length()
        bits.symbol(zeros << 4 | size)
        bits.number(level, size)


def flush(bits: Bits, corrections: list[int]) -> None:
    for bit in corrections:
        bits.put(bit, 1)
    corrections.clear()
