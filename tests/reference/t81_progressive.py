"""The blocks of progressive scans, decoded as ITU-T T.81 G.1.2 and G.2 describe it."""

from dataclasses import dataclass, field

from tests.reference.t81_bits import Bits, Codes, ReferenceDecoderError, zigzag


@dataclass(frozen=True)
class Span:
    """The coefficients that a scan brings, by zig-zag position, and their bits: Ss, Se, Ah and Al of B.2.3."""

    start: int
    end: int
    high: int
    low: int


@dataclass
class Segment:
    """What lasts from block to block of an entropy-coded segment: predictions by component, and EOBRUN of G.1.2.2."""

    bits: Bits
    predictions: list[int] = field(default_factory=lambda: [0, 0, 0])
    ended_blocks: int = 0


def decode_block(segment: Segment, block: list[int], span: Span, index: int, codes: Codes) -> None:
    """Add what the scan brings of a block (64 levels in natural order) of the scan's component `index`."""
    if span.start == 0:
        decode_dc(segment, block, span, index, codes)
    elif span.high == 0:
        decode_first(segment, block, span, codes)
    else:
        refine(segment, block, span, codes)


def decode_dc(segment: Segment, block: list[int], span: Span, index: int, codes: Codes) -> None:
    """G.1.2.1: a difference of levels without their lower bits, or the next bit."""
    if span.high == 0:
        segment.predictions[index] += segment.bits.receive_and_extend(segment.bits.code(codes))
        block[0] = segment.predictions[index] << span.low
    else:
        block[0] |= segment.bits.bit() << span.low


def decode_first(segment: Segment, block: list[int], span: Span, codes: Codes) -> None:
    """G.1.2.2: as in sequential scans, but the end of a block may stand for a run of blocks (table G.1)."""
    if segment.ended_blocks:
        segment.ended_blocks -= 1
        return
    position, order = span.start, zigzag()
    while position <= span.end:
        run, size = divmod(segment.bits.code(codes), 16)
        if size == 0 and run < 15:
            segment.ended_blocks = (1 << run) + segment.bits.receive(run) - 1
            return
        position += run
        if position > span.end:
            raise ReferenceDecoderError("a run goes past the end of its band")
        block[order[position]] = segment.bits.receive_and_extend(size) * (1 << span.low)
        position += 1


def refine(segment: Segment, block: list[int], span: Span, codes: Codes) -> None:
    """G.1.2.3: each level that is not zero gets its next bit when it is passed; runs count the others (figure G.7)."""
    position, order = span.start, zigzag()
    while position <= span.end and not segment.ended_blocks:
        run, size = divmod(segment.bits.code(codes), 16)
        if size == 0 and run < 15:
            # This block is one of them.
            segment.ended_blocks = (1 << run) + segment.bits.receive(run)
            break
        if size > 1:
            raise ReferenceDecoderError("a refinement that brings more than one bit")
        level = segment.bits.receive_and_extend(size) * (1 << span.low)
        while position <= span.end and (run or block[order[position]]):
            if block[order[position]]:
                correct(segment, block, order[position], span)
            else:
                run -= 1
            position += 1
        if position > span.end:
            raise ReferenceDecoderError("a run goes past the end of its band")
        block[order[position]] = level
        position += 1
    if segment.ended_blocks:
        segment.ended_blocks -= 1
        for index in order[position : span.end + 1]:
            if block[index]:
                correct(segment, block, index, span)


def correct(segment: Segment, block: list[int], index: int, span: Span) -> None:
    """Add the next bit to the magnitude of a level."""
    bit = segment.bits.bit() << span.low
    block[index] += bit if block[index] > 0 else -bit
