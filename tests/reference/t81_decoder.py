"""A sequential Huffman JPEG decoder that follows ITU-T T.81 figure by figure, up to quantised coefficients."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from math import ceil

import numpy as np
from numpy.typing import NDArray

SOI, EOI, SOS, DQT, DHT, DRI = 0xD8, 0xD9, 0xDA, 0xDB, 0xC4, 0xDD
SOF0, SOF1 = 0xC0, 0xC1


class ReferenceDecoderError(Exception):
    """The stream breaks a rule of the standard, or uses what this decoder does not read."""


@dataclass
class Component:
    """A component of the frame header (B.2.2) and, once its scan is read, its levels."""

    identifier: int
    horizontal: int
    vertical: int
    quant_slot: int
    levels: NDArray[np.int16] = field(default_factory=lambda: np.zeros((64, 0, 0), np.int16))
    quant: bytes = b""


@dataclass
class Decoder:
    """What the marker segments have said so far."""

    quant: dict[int, bytes] = field(default_factory=dict)
    huffman: dict[tuple[int, int], dict[tuple[int, int], int]] = field(default_factory=dict)
    components: list[Component] = field(default_factory=list)
    height: int = 0
    width: int = 0
    restart_interval: int = 0


def decode(data: bytes) -> Decoder:
    """Decode one image; the components hold int16 (64, rows, columns) in natural order.

    Raises:
        ReferenceDecoderError: it is not such a stream, or it ends early.
    """
    if data[:2] != bytes([0xFF, SOI]):
        raise ReferenceDecoderError("no SOI")
    state, position = Decoder(), 2
    while True:
        marker, position = next_marker(data, position)
        if marker == EOI:
            break
        length = int.from_bytes(take(data, position, 2))
        body = take(data, position + 2, length - 2)
        position += length
        if marker == SOS:
            position = decode_scan(state, body, data, position)
        else:
            read_segment(state, marker, body)
    if not state.components or any(not component.quant for component in state.components):
        raise ReferenceDecoderError("a component has no scan")
    return state


def take(data: bytes, position: int, count: int) -> bytes:
    """The next bytes, which must be there."""
    part = data[position : position + count]
    if count < 0 or len(part) != count:
        raise ReferenceDecoderError("the data end early")
    return part


def next_marker(data: bytes, position: int) -> tuple[int, int]:
    """The marker at `position`, which fill bytes may precede (B.1.1.2), and the position behind it."""
    if take(data, position, 1) != b"\xff":
        raise ReferenceDecoderError("no marker where one must stand")
    while take(data, position, 1) == b"\xff":
        position += 1
    return data[position], position + 1


def read_segment(state: Decoder, marker: int, body: bytes) -> None:
    """Read a marker segment (B.2): tables or a frame header. Application data and comments are skipped."""
    if marker == DQT:
        read_quant(state, body)
    elif marker == DHT:
        read_huffman(state, body)
    elif marker == DRI:
        state.restart_interval = int.from_bytes(body)
    elif marker in (SOF0, SOF1):
        read_frame(state, body)
    elif not (0xE0 <= marker <= 0xEF or marker == 0xFE):
        raise ReferenceDecoderError(f"marker {marker:#x}")


def read_quant(state: Decoder, body: bytes) -> None:
    """Read quantisation tables, whose entries stand in zig-zag order (B.2.4.1)."""
    while body:
        precision, slot = body[0] >> 4, body[0] & 15
        size = 1 + precision
        entries = take(body, 1, 64 * size)
        table = bytearray(64)
        for position, natural in enumerate(zigzag()):
            table[natural] = int.from_bytes(entries[position * size : (position + 1) * size])
        state.quant[slot] = bytes(table)
        body = body[1 + 64 * size :]


def read_huffman(state: Decoder, body: bytes) -> None:
    """Read Huffman tables (B.2.4.2) as symbols by (length, code), made by figures C.1 and C.2."""
    while body:
        counts = take(body, 1, 16)
        symbols = take(body, 17, sum(counts))
        codes: dict[tuple[int, int], int] = {}
        code = used = 0
        for length, count in enumerate(counts, start=1):
            for symbol in symbols[used : used + count]:
                codes[length, code] = symbol
                code += 1
            used += count
            code <<= 1
        state.huffman[body[0] >> 4, body[0] & 15] = codes
        body = body[17 + len(symbols) :]


def read_frame(state: Decoder, body: bytes) -> None:
    """Read a frame header (B.2.2)."""
    if body[0] != 8:
        raise ReferenceDecoderError("not 8 bits a component value")
    state.height, state.width = int.from_bytes(body[1:3]), int.from_bytes(body[3:5])
    for row in range(body[5]):
        identifier, factors, slot = take(body, 6 + 3 * row, 3)
        state.components.append(Component(identifier, factors >> 4, factors & 15, slot))
    for component in state.components:
        component.levels = np.zeros((64, *blocks(state, component)), np.int16)


def blocks(state: Decoder, component: Component) -> tuple[int, int]:
    """The rows and columns of blocks without those that only pad MCUs (A.1.1, A.2.4)."""
    vertical = max(other.vertical for other in state.components)
    horizontal = max(other.horizontal for other in state.components)
    height, width = (
        ceil(state.height * component.vertical / vertical),
        ceil(state.width * component.horizontal / horizontal),
    )
    return ceil(height / 8), ceil(width / 8)


def decode_scan(state: Decoder, body: bytes, data: bytes, position: int) -> int:
    """Decode one scan (E.2.4); the position of the marker behind it."""
    scanned = []
    for row in range(body[0]):
        identifier, slots = take(body, 1 + 2 * row, 2)
        component = next(c for c in state.components if c.identifier == identifier)
        component.quant = state.quant[component.quant_slot]
        scanned.append((component, state.huffman[0, slots >> 4], state.huffman[1, slots & 15]))
    mcus = list(scan_order(state, [component for component, _, _ in scanned]))
    interval = state.restart_interval or len(mcus)
    for restart, first in enumerate(range(0, len(mcus), interval)):
        if first:
            marker, position = next_marker(data, position)
            if marker != 0xD0 + (restart - 1) % 8:
                raise ReferenceDecoderError("a restart marker is missing")
        bits = Bits(data, position)
        predictions = [0] * len(scanned)
        for mcu in mcus[first : first + interval]:
            for index, row, column in mcu:
                component, dc_codes, ac_codes = scanned[index]
                block = decode_block(bits, dc_codes, ac_codes, predictions[index])
                predictions[index] = block[0]
                if row < component.levels.shape[1] and column < component.levels.shape[2]:
                    component.levels[:, row, column] = block
        position = bits.end()
    return position


def scan_order(state: Decoder, components: list[Component]) -> Iterator[list[tuple[int, int, int]]]:
    """The blocks of each MCU as (component of the scan, block row, block column).

    A lone component's are ordered by A.2.2, those of interleaved components by A.2.3.
    """
    if len(components) == 1:
        rows, columns = components[0].levels.shape[1:]
        for row, column in product(range(rows), range(columns)):
            yield [(0, row, column)]
        return
    mcu_height = 8 * max(component.vertical for component in state.components)
    mcu_width = 8 * max(component.horizontal for component in state.components)
    mcu_rows, mcu_columns = ceil(state.height / mcu_height), ceil(state.width / mcu_width)
    for mcu_row, mcu_column in product(range(mcu_rows), range(mcu_columns)):
        yield [
            (index, mcu_row * c.vertical + row, mcu_column * c.horizontal + column)
            for index, c in enumerate(components)
            for row, column in product(range(c.vertical), range(c.horizontal))
        ]


def decode_block(
    bits: "Bits", dc_codes: dict[tuple[int, int], int], ac_codes: dict[tuple[int, int], int], prediction: int
) -> list[int]:
    """Decode one block: DC by figure F.12, AC by figures F.13 to F.15."""
    block = [0] * 64
    block[0] = prediction + bits.receive_and_extend(bits.code(dc_codes))
    position, order = 1, zigzag()
    while position < 64:
        run, size = divmod(bits.code(ac_codes), 16)
        if size == 0:
            if run != 15:
                break
            position += 16
            continue
        position += run
        if position > 63:
            raise ReferenceDecoderError("a run goes past the end of its block")
        block[order[position]] = bits.receive_and_extend(size)
        position += 1
    return block


class Bits:
    """The bits of an entropy-coded segment, read by NEXTBIT, DECODE and RECEIVE of F.2.2."""

    def __init__(self, data: bytes, position: int) -> None:
        self.data = data
        self.position = position
        self.byte = 0
        self.left = 0

    def bit(self) -> int:
        """NEXTBIT (figure F.18). A marker inside a block is an error here."""
        if self.left == 0:
            self.byte = take(self.data, self.position, 1)[0]
            self.position += 1
            if self.byte == 0xFF:
                if take(self.data, self.position, 1) != b"\0":
                    raise ReferenceDecoderError("the scan ends inside a block")
                self.position += 1
            self.left = 8
        self.left -= 1
        return self.byte >> self.left & 1

    def code(self, codes: dict[tuple[int, int], int]) -> int:
        """DECODE (figure F.16)."""
        code = 0
        for length in range(1, 17):
            code = code << 1 | self.bit()
            if (length, code) in codes:
                return codes[length, code]
        raise ReferenceDecoderError("a code that is not in its table")

    def receive_and_extend(self, size: int) -> int:
        """RECEIVE and EXTEND (figures F.17 and F.12)."""
        value = 0
        for _ in range(size):
            value = value << 1 | self.bit()
        if size and value < 1 << (size - 1):
            value -= (1 << size) - 1
        return value

    def end(self) -> int:
        """The position behind the segment. The bits left in its last byte are padding."""
        return self.position


def zigzag() -> list[int]:
    """The zig-zag order (figure 5), walked along the diagonals."""
    cells = product(range(8), range(8))
    return [8 * v + u for v, u in sorted(cells, key=lambda cell: (sum(cell), cell[1 - sum(cell) % 2]))]
