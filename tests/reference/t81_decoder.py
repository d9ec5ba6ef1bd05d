"""A Huffman JPEG decoder that follows ITU-T T.81 figure by figure, up to quantised coefficients."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, product
from math import ceil

import numpy as np
from numpy.typing import NDArray

from shared.jpeg import TableSet
from tests.reference.t81_bits import Bits, Codes, ReferenceDecoderError, take, zigzag
from tests.reference.t81_progressive import Segment, Span
from tests.reference.t81_progressive import decode_block as decode_progressive_block

SOI, EOI, SOS, DQT, DHT, DRI = 0xD8, 0xD9, 0xDA, 0xDB, 0xC4, 0xDD
SOF0, SOF1, SOF2 = 0xC0, 0xC1, 0xC2


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
    huffman: dict[tuple[int, int], Codes] = field(default_factory=dict)
    components: list[Component] = field(default_factory=list)
    height: int = 0
    width: int = 0
    restart_interval: int = 0
    is_progressive: bool = False


def decode(data: bytes) -> Decoder:
    """Decode one image; the components hold int16 (64, rows, columns) in natural order.

    Raises:
        ReferenceDecoderError: it is not such a stream, or it ends early.
    """
    if data[:2] != bytes([0xFF, SOI]):
        raise ReferenceDecoderError("no SOI")
    state, position = Decoder(), 2
    while not is_ended(state, data, position):
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


def is_ended(state: Decoder, data: bytes, position: int) -> bool:
    """Whether the data end behind a scan, without EOI."""
    is_scanned = any(component.quant for component in state.components)
    return is_scanned and not data[position:].lstrip(b"\0").lstrip(b"\xff")


def next_marker(data: bytes, position: int) -> tuple[int, int]:
    """The marker at `position`, which zeros and fill bytes (B.1.1.2) may precede, and the position behind it."""
    position = len(data) - len(data[position:].lstrip(b"\0"))
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
    elif marker in (SOF0, SOF1, SOF2):
        state.is_progressive = marker == SOF2
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
        codes: Codes = {}
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
        component.quant = component.quant or state.quant[component.quant_slot]
        scanned.append((component, codes_of(state, 0, slots >> 4), codes_of(state, 1, slots & 15)))
    start, end, bits = body[1 + 2 * body[0] :]
    span = Span(start, end, bits >> 4, bits & 15)
    mcus = list(scan_order(state, [component for component, _, _ in scanned]))
    interval, restart = state.restart_interval or len(mcus), 0
    for restart, first in enumerate(range(0, len(mcus), interval)):
        if first:
            marker, position = next_marker(data, position)
            if marker != 0xD0 + (restart - 1) % 8:
                raise ReferenceDecoderError("a restart marker is missing")
        segment = Segment(Bits(data, position))
        for index, row, column in chain.from_iterable(mcus[first : first + interval]):
            component, dc_codes, ac_codes = scanned[index]
            is_inside = row < component.levels.shape[1] and column < component.levels.shape[2]
            block = component.levels[:, row, column].tolist() if is_inside else [0] * 64
            if state.is_progressive:
                decode_progressive_block(segment, block, span, index, ac_codes if span.start else dc_codes)
            else:
                block = decode_block(segment.bits, dc_codes, ac_codes, segment.predictions[index])
                segment.predictions[index] = block[0]
            if is_inside:
                component.levels[:, row, column] = block
        position = segment.bits.end()
    return behind_last_restart(data, position, restart) if state.restart_interval else position


def codes_of(state: Decoder, kind: int, slot: int) -> Codes:
    """The codes of a table: the stream's own, or annex K's where a sequential stream leaves it out."""
    if (kind, slot) in state.huffman:
        return state.huffman[kind, slot]
    if state.is_progressive or slot > 1:
        return {}
    table, left_out = TableSet.standard().huffman[2 * slot + kind], Decoder()
    read_huffman(left_out, bytes([0]) + table.counts + table.symbols)
    return left_out.huffman[0, 0]


def behind_last_restart(data: bytes, position: int, restart: int) -> int:
    """The position behind the restart marker that may stand behind the last interval, which is number `restart`."""
    rest = data[position:].lstrip(b"\xff")
    is_there = data[position : position + 1] == b"\xff" and rest[:1] == bytes([0xD0 + restart % 8])
    return len(data) - len(rest) + 1 if is_there else position


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


def decode_block(bits: Bits, dc_codes: Codes, ac_codes: Codes, prediction: int) -> list[int]:
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
