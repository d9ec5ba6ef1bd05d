"""Damaged JPEG streams, drawn from a seed: bytes, bits, lengths, whole segments, splices."""

import random
from collections.abc import Callable

import numpy as np

from shared.jpeg import Decoder, Encoder, Sampling, Stream, TableSet
from tests.shared.jpeg import pictures, streams

TABLES = TableSet.standard(75)


def sources() -> list[bytes]:
    """Small valid streams of every kind that is read, two of a batch's size, and some that are refused."""
    picture = pictures.natural(19, 26, 1)
    grey = np.ascontiguousarray(picture[..., 0])
    row = pictures.natural(32, 32, 2)
    levels = Decoder().decode(Encoder(TABLES).encode(picture, Stream.INTERCHANGE))
    return [
        Encoder(TABLES).encode(picture),
        Encoder(TABLES).encode(picture, Stream.INTERCHANGE),
        Encoder(TableSet.standard(90, Sampling.YUV444)).encode(picture, Stream.INTERCHANGE),
        Encoder(TableSet.standard(90, Sampling.YUV422)).encode(picture, Stream.INTERCHANGE),
        Encoder(TableSet.standard(90, Sampling.GREY)).encode(grey, Stream.INTERCHANGE),
        streams.one_scan_a_component(levels, TABLES),
        Encoder(TABLES).encode(row),
        Encoder(TABLES).encode(row, Stream.INTERCHANGE),
        pictures.pillow_jpeg(picture, quality=80, subsampling=2, restart_marker_blocks=1),
        pictures.pillow_jpeg(picture, quality=80, optimize=True),
        pictures.pillow_jpeg(picture, quality=80, progressive=True),
        TABLES.to_stream(),
    ]


def mutated(seed: int, corpus: list[bytes]) -> bytes:
    """The stream that this seed stands for."""
    rng = random.Random(seed)
    data = rng.choice(corpus)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        data = rng.choice(MUTATIONS)(data, rng, corpus)
    return data


def place(data: bytes, rng: random.Random) -> int:
    """Somewhere in the stream, its head more often than its share."""
    return rng.randrange(min(len(data), rng.choice((64, 700, 1 << 20))) or 1)


def change_byte(data: bytes, rng: random.Random, _: list[bytes]) -> bytes:
    at = place(data, rng)
    value = rng.choice((rng.randrange(256), 0, 1, 0x7F, 0x80, 0xFE, 0xFF))
    return data[:at] + bytes([value]) + data[at + 1 :]


def flip_bit(data: bytes, rng: random.Random, _: list[bytes]) -> bytes:
    at = place(data, rng)
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :] if data else data


def cut(data: bytes, rng: random.Random, _: list[bytes]) -> bytes:
    return data[: place(data, rng)]


def drop(data: bytes, rng: random.Random, _: list[bytes]) -> bytes:
    at = place(data, rng)
    return data[:at] + data[at + rng.randint(1, 40) :]


def insert(data: bytes, rng: random.Random, _: list[bytes]) -> bytes:
    at = place(data, rng)
    return data[:at] + rng.choice((rng.randbytes(rng.randint(1, 20)), b"\xff" * 3, bytes(9))) + data[at:]


def insert_marker(data: bytes, rng: random.Random, _: list[bytes]) -> bytes:
    at = place(data, rng)
    return data[:at] + bytes([0xFF, rng.randrange(0xC0, 0xFF)]) + data[at:]


def splice(data: bytes, rng: random.Random, corpus: list[bytes]) -> bytes:
    other = rng.choice(corpus)
    return data[: place(data, rng)] + other[place(other, rng) :]


def segment_edges(data: bytes) -> list[tuple[int, int]]:
    """(start, end) of what look like segments."""
    edges, at = [], 2
    while data[at : at + 1] == b"\xff" and at + 4 <= len(data):
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4])
        edges.append((at, end))
        at = end
    return edges


def move_segment(data: bytes, rng: random.Random, corpus: list[bytes]) -> bytes:
    """Drop, double or move a segment, or take one from another stream."""
    donor = rng.choice((data, data, rng.choice(corpus)))
    edges, targets = segment_edges(donor), segment_edges(data)
    if not edges or not targets:
        return data
    start, end = rng.choice(edges)
    taken = donor[start:end]
    if donor is data and rng.random() < 0.5:
        data = data[:start] + data[end:]
    at = rng.choice(targets)[0]
    return data[:at] + taken + data[at:] if rng.random() < 0.7 else data


def change_length(data: bytes, rng: random.Random, _: list[bytes]) -> bytes:
    edges = segment_edges(data)
    if not edges:
        return data
    at = rng.choice(edges)[0] + 2
    length = rng.choice((0, 1, 2, 3, 0xFFFF, int.from_bytes(data[at : at + 2]) + rng.randint(-3, 3)))
    return data[:at] + (length & 0xFFFF).to_bytes(2) + data[at + 2 :]


def change_in_segment(data: bytes, rng: random.Random, _: list[bytes]) -> bytes:
    """One byte of a segment's body: slots, factors, code counts, sizes."""
    edges = [(start, end) for start, end in segment_edges(data) if start + 5 < min(end, len(data))]
    if not edges:
        return data
    start, end = rng.choice(edges)
    at = rng.randrange(start + 4, min(end, start + 24, len(data)))
    return data[:at] + bytes([rng.choice((rng.randrange(256), data[at] ^ 1, 0x11, 0x22))]) + data[at + 1 :]


MUTATIONS: list[Callable[[bytes, random.Random, list[bytes]], bytes]] = [
    change_byte,
    flip_bit,
    flip_bit,
    cut,
    drop,
    insert,
    insert_marker,
    splice,
    move_segment,
    change_length,
    change_in_segment,
    change_in_segment,
]
