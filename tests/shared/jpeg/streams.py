"""Streams taken apart and put together for tests."""

import struct

from shared.jpeg import Coefficients, Encoder, Sampling, Stream, TableSet


def segment(marker: int, body: bytes) -> bytes:
    """A marker segment: marker, length and body."""
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def segments(jpeg: bytes) -> list[tuple[int, int, int]]:
    """(marker, start, end) of every segment up to the first scan's header."""
    found, position = [], 2
    while True:
        marker, length = jpeg[position + 1], int.from_bytes(jpeg[position + 2 : position + 4])
        found.append((marker, position, position + 2 + length))
        position += 2 + length
        if marker == 0xDA:
            return found


def scan_of(jpeg: bytes) -> bytes:
    """The entropy-coded bytes of a stream of one scan."""
    return jpeg[segments(jpeg)[-1][2] : -2]


def without(jpeg: bytes, *markers: int) -> bytes:
    """The stream without the segments of this marker."""
    kept = b"".join(jpeg[start:end] for marker, start, end in segments(jpeg) if marker not in markers)
    return jpeg[:2] + kept + jpeg[segments(jpeg)[-1][2] :]


def replace_segment(jpeg: bytes, marker: int, replacement: bytes) -> bytes:
    """The stream with the first segment of this marker replaced by other bytes."""
    start, end = next((start, end) for found, start, end in segments(jpeg) if found == marker)
    return jpeg[:start] + replacement + jpeg[end:]


def with_tables(abbreviated: bytes, tables: TableSet) -> bytes:
    """An abbreviated frame with its tables put back (T.81 B.5): a JPEG for anyone."""
    return abbreviated[:2] + tables.to_stream()[2:-2] + abbreviated[2:]


def one_scan_a_component(coefficients: Coefficients, tables: TableSet) -> bytes:
    """The stream with one scan for each component instead of one interleaved scan (T.81 A.2.2)."""
    interleaved = Encoder(tables).encode_coefficients(coefficients, Stream.INTERCHANGE)
    prefix = interleaved[: segments(interleaved)[-1][1]]
    scans = []
    for index, plane in enumerate(coefficients.planes):
        pair = tables.huffman[2:] if index else tables.huffman[:2]
        own = TableSet(Sampling.GREY, (tables.quant[index],), pair)
        height, width = 8 * plane.shape[1], 8 * plane.shape[2]
        lone = Coefficients(height, width, Sampling.GREY, (plane,), own.quant)
        header = bytes([1, index + 1, 0x11 if index else 0x00, 0, 63, 0])
        scans.append(segment(0xDA, header) + Encoder(own).encode_coefficients(lone, Stream.SCAN))
    return prefix + b"".join(scans) + b"\xff\xd9"
