"""Damaged JPEG streams: whole ones taken apart into segments and scans, changed where it hurts, and put together."""

from collections.abc import Callable, Sequence
from random import Random
from typing import Final

Pieces = list[bytes]
Random01 = Callable[[], float]

SOF0, DHT, SOI, EOI, SOS, DQT, DRI, APP1, APP10 = 0xC0, 0xC4, 0xD8, 0xD9, 0xDA, 0xDB, 0xDD, 0xE1, 0xEA
# What decides something somewhere: empty, one, powers of two and their neighbours, markers' first bytes.
TELLING_BYTES: Final = (0, 1, 2, 3, 4, 0x0F, 0x10, 0x11, 0x12, 0x21, 0x22, 0x3F, 0x40, 0x7F, 0x80, 0xD0, 0xFE, 0xFF)
TELLING_WORDS: Final = (0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 32, 255, 256, 4095, 16384, 32767, 32768, 65499, 65500, 65535)


class Corpus:
    """Whole streams, divided into segments once. `mutated` draws a damaged one."""

    def __init__(self, streams: Sequence[bytes]) -> None:
        self.streams = list(streams)
        self._parts = [pieces_of(stream) for stream in streams]
        self._places = [weighted_places(pieces) for pieces in self._parts]
        self._donors = [piece for pieces in self._parts for piece in pieces]

    def mutated(self, rng: Random) -> bytes:
        """A stream with one to eight faults. The same state of `rng` gives the same stream."""
        random = rng.random
        chosen = int(random() * len(self._parts))
        pieces, places = self._parts[chosen].copy(), self._places[chosen]
        for _ in range(FAULTS[int(random() * len(FAULTS))]):
            at = places[int(random() * len(places))]
            change = MUTATIONS.get(kind_of(pieces[at]), ANY_PART)
            change[int(random() * len(change))](pieces, at, random)
            if random() < 0.05:
                pieces.insert(at, self._donors[int(random() * len(self._donors))])
        data = b"".join(pieces)
        return data[: int(random() * len(data))] if random() < 0.08 else data


# How many faults a stream gets: mostly one, so that what comes behind it is reached.
FAULTS: Final = (1, 1, 1, 1, 1, 1, 2, 2, 3, 8)
SCAN: Final = -1
# How often each kind of piece is hit; SOI and EOI, one in all.
WEIGHTS: Final = {SCAN: 12, DHT: 3, SOS: 3, SOF0: 4, SOF0 + 1: 4, SOF0 + 2: 2, DQT: 2, DRI: 3, APP1: 2, APP10: 3}


def pieces_of(stream: bytes) -> Pieces:
    """The pieces that join to the stream: SOI, segments, zeros between them, scans with their restart markers, EOI."""
    pieces, at = [stream[:2]], 2
    while at < len(stream):
        zeros = len(stream) - at - len(stream[at:].lstrip(b"\0"))
        if zeros:
            pieces.append(stream[at : at + zeros])
            at += zeros
            continue
        marker = stream[at + 1]
        end = at + 2 if marker == EOI else at + 2 + int.from_bytes(stream[at + 2 : at + 4])
        pieces.append(stream[at:end])
        at = end
        if marker == SOS:
            end = scan_end(stream, at)
            pieces.append(stream[at:end])
            at = end
    return pieces


def weighted_places(pieces: Pieces) -> list[int]:
    """The index of each piece, as many times as the weight of its kind."""
    return [at for at, piece in enumerate(pieces[1:], 1) for _ in range(WEIGHTS.get(kind_of(piece), 1))]


def scan_end(stream: bytes, at: int) -> int:
    """The position of the next marker that is no restart marker; stuffed bytes are no markers."""
    while (at := stream.find(b"\xff", at)) >= 0:
        if stream[at + 1] != 0 and not 0xD0 <= stream[at + 1] <= 0xD7:
            return at
        at += 2
    return len(stream)


def kind_of(piece: bytes) -> int:
    """The code of the piece's marker, or SCAN."""
    is_marker = len(piece) >= 2 and piece[0] == 0xFF and piece[1] >= 0xC0 and piece[1] & 0xF8 != 0xD0
    return piece[1] if is_marker else SCAN


def put(pieces: Pieces, at: int, offset: int, value: bytes) -> None:
    """Overwrite some bytes of a piece; an offset outside it counts from its start."""
    piece = pieces[at]
    offset = offset if offset < len(piece) else 0
    pieces[at] = piece[:offset] + value + piece[offset + len(value) :]


def telling_byte(random: Random01) -> bytes:
    value = int(random() * 256) if random() < 0.3 else TELLING_BYTES[int(random() * len(TELLING_BYTES))]
    return bytes((value,))


def telling_word(random: Random01) -> bytes:
    return TELLING_WORDS[int(random() * len(TELLING_WORDS))].to_bytes(2)


def set_byte(pieces: Pieces, at: int, random: Random01) -> None:
    put(pieces, at, int(random() * len(pieces[at])), telling_byte(random))


def flip_bit(pieces: Pieces, at: int, random: Random01) -> None:
    piece = pieces[at]
    offset = int(random() * len(piece))
    if piece:
        put(pieces, at, offset, bytes((piece[offset] ^ 1 << int(random() * 8),)))


def drop(pieces: Pieces, at: int, _: Random01) -> None:
    pieces[at] = b""


def double(pieces: Pieces, at: int, _: Random01) -> None:
    pieces.insert(at, pieces[at])


def swap(pieces: Pieces, at: int, random: Random01) -> None:
    other = int(random() * len(pieces))
    pieces[at], pieces[other] = pieces[other], pieces[at]


def cut_tail(pieces: Pieces, at: int, random: Random01) -> None:
    """Cut the end of a piece off; the pieces behind it stay."""
    pieces[at] = pieces[at][: int(random() * len(pieces[at]))]


def drop_some(pieces: Pieces, at: int, random: Random01) -> None:
    start = int(random() * len(pieces[at]))
    pieces[at] = pieces[at][:start] + pieces[at][start + 1 + int(random() * 40) :]


def insert_bytes(pieces: Pieces, at: int, random: Random01) -> None:
    start, count = int(random() * (len(pieces[at]) + 1)), 1 + int(random() * 20)
    pieces[at] = pieces[at][:start] + telling_byte(random) * count + pieces[at][start:]


def insert_marker(pieces: Pieces, at: int, random: Random01) -> None:
    marker = bytes((0xFF, 0xC0 + int(random() * 0x3F)))
    start = int(random() * (len(pieces[at]) + 1)) if random() < 0.5 else 0
    pieces[at] = pieces[at][:start] + marker + pieces[at][start:]


def set_marker(pieces: Pieces, at: int, random: Random01) -> None:
    """Give a segment another marker: progressive, arithmetic, a table instead of a frame header, and others."""
    put(pieces, at, 1, bytes((0xC0 + int(random() * 0x3F),)))


def set_length(pieces: Pieces, at: int, random: Random01) -> None:
    """Write a wrong length into a segment."""
    near = (int.from_bytes(pieces[at][2:4]) + int(random() * 7) - 3) & 0xFFFF
    put(pieces, at, 2, near.to_bytes(2) if random() < 0.5 else telling_word(random))


def set_body(pieces: Pieces, at: int, random: Random01) -> None:
    """Change one of the first bytes of a body, where destinations, factors and counts stand."""
    put(pieces, at, 4 + int(random() * 20), telling_byte(random))


def move_code(pieces: Pieces, at: int, random: Random01) -> None:
    """Give one code another length and keep the number of codes: some codes become too many, too long or unused."""
    taken, given = 5 + int(random() * 16), 5 + int(random() * 16)
    piece = bytearray(pieces[at])
    if max(taken, given) < len(piece) and piece[taken]:
        piece[taken] -= 1
        piece[given] = min(piece[given] + 1, 255)
        pieces[at] = bytes(piece)


def set_symbol(pieces: Pieces, at: int, random: Random01) -> None:
    """Replace a symbol by one that is there twice, has too large a size, or belongs to the other class."""
    put(pieces, at, 21 + int(random() * max(len(pieces[at]) - 21, 1)), telling_byte(random))


def set_size(pieces: Pieces, at: int, random: Random01) -> None:
    """Change height or width: to 0, 1, one less, or the largest number."""
    put(pieces, at, 5 if random() < 0.5 else 7, telling_word(random))


def set_component(pieces: Pieces, at: int, random: Random01) -> None:
    """Change a component's identifier, factors or destination."""
    put(pieces, at, 9 + int(random() * 10), telling_byte(random))


def set_interval(pieces: Pieces, at: int, random: Random01) -> None:
    put(pieces, at, 4, telling_word(random))


def insert_restarts(pieces: Pieces, at: int, random: Random01) -> None:
    """Define a restart interval, or another one."""
    pieces.insert(at, b"\xff\xdd\0\4" + telling_word(random))


def insert_fill(pieces: Pieces, at: int, random: Random01) -> None:
    """Insert fill bytes, which are legal before a marker but not inside a scan."""
    start = int(random() * (len(pieces[at]) + 1)) if random() < 0.5 else 0
    pieces[at] = pieces[at][:start] + b"\xff" * (1 + int(random() * 5)) + pieces[at][start:]


def restart(pieces: Pieces, at: int, random: Random01) -> None:
    """Insert a restart marker into a scan, or change the number of one."""
    marker = bytes((0xFF, 0xD0 + int(random() * 8)))
    found = next((index for index in range(0xD0, 0xD8) if bytes((0xFF, index)) in pieces[at]), None)
    if found is not None and random() < 0.7:
        pieces[at] = pieces[at].replace(bytes((0xFF, found)), marker if random() < 0.5 else b"", 1)
    else:
        start = int(random() * (len(pieces[at]) + 1))
        pieces[at] = pieces[at][:start] + marker + pieces[at][start:]


def set_run(pieces: Pieces, at: int, random: Random01) -> None:
    """Repeat the same bits: all ones are no code, all zeros are the shortest code."""
    value = (b"\xff\0", b"\0", b"\xfe", b"\xaa")[int(random() * 4)] * (1 + int(random() * 40))
    put(pieces, at, int(random() * len(pieces[at])), value)


def lengthen(pieces: Pieces, at: int, random: Random01) -> None:
    """Append data behind the last block."""
    start = int(random() * len(pieces[at]))
    pieces[at] += pieces[at][start:]


Mutation = Callable[[Pieces, int, Random01], None]
ANY_PART: Final[Sequence[Mutation]] = (
    set_byte, flip_bit, drop, double, swap, cut_tail, drop_some,
    insert_bytes, insert_marker, insert_restarts, insert_fill,
)  # fmt: skip
SEGMENT: Final[Sequence[Mutation]] = (*ANY_PART, set_marker, set_length, set_length, set_body, set_body, set_body)
MUTATIONS: Final[dict[int, Sequence[Mutation]]] = {
    SCAN: (*ANY_PART, *(set_byte, flip_bit) * 4, restart, restart, set_run, lengthen, cut_tail),
    DHT: (*SEGMENT, *(move_code, set_symbol) * 4),
    DQT: SEGMENT,
    SOS: (*SEGMENT, *(set_body,) * 6),
    DRI: (*SEGMENT, *(set_interval,) * 6),
    APP1: (*SEGMENT, *(set_body,) * 3),
    APP10: (*SEGMENT, *(set_body,) * 3),
    **dict.fromkeys((SOF0, SOF0 + 1, SOF0 + 2), (*SEGMENT, *(set_size, set_component) * 4)),
}
