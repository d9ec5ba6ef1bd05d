"""Damaged JPEG streams: whole ones taken apart into segments and scans, changed where it hurts, and put together."""

from collections.abc import Callable, Sequence
from random import Random
from typing import Final

Parts = list[bytes]
Random01 = Callable[[], float]

SOF0, DHT, SOI, EOI, SOS, DQT, DRI, APP10 = 0xC0, 0xC4, 0xD8, 0xD9, 0xDA, 0xDB, 0xDD, 0xEA
# What decides something somewhere: empty, one, powers of two and their neighbours, markers' first bytes.
TELLING_BYTES: Final = (0, 1, 2, 3, 4, 0x0F, 0x10, 0x11, 0x12, 0x21, 0x22, 0x3F, 0x40, 0x7F, 0x80, 0xD0, 0xFE, 0xFF)
TELLING_WORDS: Final = (0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 32, 255, 256, 4095, 16384, 32767, 32768, 65499, 65500, 65535)


class Corpus:
    """Whole streams, taken apart once; `mutated` draws a damaged one."""

    def __init__(self, streams: Sequence[bytes]) -> None:
        self.streams = list(streams)
        self._parts = [parts_of(stream) for stream in streams]
        self._places = [weighted_places(parts) for parts in self._parts]
        self._donors = [part for parts in self._parts for part in parts]

    def mutated(self, rng: Random) -> bytes:
        """One stream with one to eight faults; the same state of `rng` gives the same stream."""
        random = rng.random
        chosen = int(random() * len(self._parts))
        parts, places = self._parts[chosen].copy(), self._places[chosen]
        for _ in range(FAULTS[int(random() * len(FAULTS))]):
            at = places[int(random() * len(places))]
            change = MUTATIONS.get(kind_of(parts[at]), ANY_PART)
            change[int(random() * len(change))](parts, at, random)
            if random() < 0.05:
                parts.insert(at, self._donors[int(random() * len(self._donors))])
        data = b"".join(parts)
        return data[: int(random() * len(data))] if random() < 0.08 else data


# How many faults a stream gets: mostly one, so that what comes behind it is reached.
FAULTS: Final = (1, 1, 1, 1, 1, 1, 2, 2, 3, 8)
SCAN: Final = -1
# How often each kind of part is hit; SOI and EOI, one in all.
WEIGHTS: Final = {SCAN: 12, DHT: 3, SOS: 3, SOF0: 4, SOF0 + 1: 4, SOF0 + 2: 2, DQT: 2, DRI: 3, APP10: 3}


def parts_of(stream: bytes) -> Parts:
    """SOI, each segment, each scan's entropy-coded data (restart markers included) and EOI; joined, the stream."""
    parts, at = [stream[:2]], 2
    while at < len(stream):
        marker = stream[at + 1]
        end = at + 2 if marker == EOI else at + 2 + int.from_bytes(stream[at + 2 : at + 4])
        parts.append(stream[at:end])
        at = end
        if marker == SOS:
            end = scan_end(stream, at)
            parts.append(stream[at:end])
            at = end
    return parts


def weighted_places(parts: Parts) -> list[int]:
    """Indices of the parts, each as often as it is to be hit."""
    return [at for at, part in enumerate(parts[1:], 1) for _ in range(WEIGHTS.get(kind_of(part), 1))]


def scan_end(stream: bytes, at: int) -> int:
    """Where the next marker begins that is neither a stuffed byte nor a restart."""
    while (at := stream.find(b"\xff", at)) >= 0:
        if stream[at + 1] != 0 and not 0xD0 <= stream[at + 1] <= 0xD7:
            return at
        at += 2
    return len(stream)


def kind_of(part: bytes) -> int:
    """The marker's code, or SCAN."""
    is_marker = len(part) >= 2 and part[0] == 0xFF and part[1] >= 0xC0 and part[1] & 0xF8 != 0xD0
    return part[1] if is_marker else SCAN


def put(parts: Parts, at: int, offset: int, value: bytes) -> None:
    """Overwrite some bytes of a part; an offset outside it is taken from its start."""
    part = parts[at]
    offset = offset if offset < len(part) else 0
    parts[at] = part[:offset] + value + part[offset + len(value) :]


def telling_byte(random: Random01) -> bytes:
    value = int(random() * 256) if random() < 0.3 else TELLING_BYTES[int(random() * len(TELLING_BYTES))]
    return bytes((value,))


def telling_word(random: Random01) -> bytes:
    return TELLING_WORDS[int(random() * len(TELLING_WORDS))].to_bytes(2)


def set_byte(parts: Parts, at: int, random: Random01) -> None:
    put(parts, at, int(random() * len(parts[at])), telling_byte(random))


def flip_bit(parts: Parts, at: int, random: Random01) -> None:
    part = parts[at]
    offset = int(random() * len(part))
    if part:
        put(parts, at, offset, bytes((part[offset] ^ 1 << int(random() * 8),)))


def drop(parts: Parts, at: int, _: Random01) -> None:
    parts[at] = b""


def double(parts: Parts, at: int, _: Random01) -> None:
    parts.insert(at, parts[at])


def swap(parts: Parts, at: int, random: Random01) -> None:
    other = int(random() * len(parts))
    parts[at], parts[other] = parts[other], parts[at]


def cut_tail(parts: Parts, at: int, random: Random01) -> None:
    """The part ends early, what follows stands."""
    parts[at] = parts[at][: int(random() * len(parts[at]))]


def drop_some(parts: Parts, at: int, random: Random01) -> None:
    start = int(random() * len(parts[at]))
    parts[at] = parts[at][:start] + parts[at][start + 1 + int(random() * 40) :]


def insert_bytes(parts: Parts, at: int, random: Random01) -> None:
    start, count = int(random() * (len(parts[at]) + 1)), 1 + int(random() * 20)
    parts[at] = parts[at][:start] + telling_byte(random) * count + parts[at][start:]


def insert_marker(parts: Parts, at: int, random: Random01) -> None:
    marker = bytes((0xFF, 0xC0 + int(random() * 0x3F)))
    start = int(random() * (len(parts[at]) + 1)) if random() < 0.5 else 0
    parts[at] = parts[at][:start] + marker + parts[at][start:]


def set_marker(parts: Parts, at: int, random: Random01) -> None:
    """Another kind of segment with the same body: progressive, arithmetic, a table where a frame was..."""
    put(parts, at, 1, bytes((0xC0 + int(random() * 0x3F),)))


def set_length(parts: Parts, at: int, random: Random01) -> None:
    """A length field that is not the segment's."""
    near = (int.from_bytes(parts[at][2:4]) + int(random() * 7) - 3) & 0xFFFF
    put(parts, at, 2, near.to_bytes(2) if random() < 0.5 else telling_word(random))


def set_body(parts: Parts, at: int, random: Random01) -> None:
    """A byte among the first of the body, where slots, factors and counts stand."""
    put(parts, at, 4 + int(random() * 20), telling_byte(random))


def move_code(parts: Parts, at: int, random: Random01) -> None:
    """A code of another length, the number of codes kept: too many short ones, over-long ones, unused ones."""
    taken, given = 5 + int(random() * 16), 5 + int(random() * 16)
    part = bytearray(parts[at])
    if max(taken, given) < len(part) and part[taken]:
        part[taken] -= 1
        part[given] = min(part[given] + 1, 255)
        parts[at] = bytes(part)


def set_symbol(parts: Parts, at: int, random: Random01) -> None:
    """A run and size that is doubled, too large, or of the other class."""
    put(parts, at, 21 + int(random() * max(len(parts[at]) - 21, 1)), telling_byte(random))


def set_size(parts: Parts, at: int, random: Random01) -> None:
    """Height or width: none, one, one less, as many as there are."""
    put(parts, at, 5 if random() < 0.5 else 7, telling_word(random))


def set_component(parts: Parts, at: int, random: Random01) -> None:
    """A component's identifier, factors or slot."""
    put(parts, at, 9 + int(random() * 10), telling_byte(random))


def set_interval(parts: Parts, at: int, random: Random01) -> None:
    put(parts, at, 4, telling_word(random))


def insert_restarts(parts: Parts, at: int, random: Random01) -> None:
    """An interval where there was none, or another one."""
    parts.insert(at, b"\xff\xdd\0\4" + telling_word(random))


def insert_fill(parts: Parts, at: int, random: Random01) -> None:
    """Fill bytes: legal before a marker, not inside a scan."""
    start = int(random() * (len(parts[at]) + 1)) if random() < 0.5 else 0
    parts[at] = parts[at][:start] + b"\xff" * (1 + int(random() * 5)) + parts[at][start:]


def restart(parts: Parts, at: int, random: Random01) -> None:
    """A restart marker somewhere in a scan, or another number on one that is there."""
    marker = bytes((0xFF, 0xD0 + int(random() * 8)))
    found = next((index for index in range(0xD0, 0xD8) if bytes((0xFF, index)) in parts[at]), None)
    if found is not None and random() < 0.7:
        parts[at] = parts[at].replace(bytes((0xFF, found)), marker if random() < 0.5 else b"", 1)
    else:
        start = int(random() * (len(parts[at]) + 1))
        parts[at] = parts[at][:start] + marker + parts[at][start:]


def set_run(parts: Parts, at: int, random: Random01) -> None:
    """The same bits over and over: all ones are no code, all zeros the shortest one."""
    value = (b"\xff\0", b"\0", b"\xfe", b"\xaa")[int(random() * 4)] * (1 + int(random() * 40))
    put(parts, at, int(random() * len(parts[at])), value)


def lengthen(parts: Parts, at: int, random: Random01) -> None:
    """More data than the frame has blocks."""
    start = int(random() * len(parts[at]))
    parts[at] += parts[at][start:]


Mutation = Callable[[Parts, int, Random01], None]
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
    APP10: (*SEGMENT, *(set_body,) * 3),
    **dict.fromkeys((SOF0, SOF0 + 1, SOF0 + 2), (*SEGMENT, *(set_size, set_component) * 4)),
}
