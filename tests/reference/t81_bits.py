"""The bits of an entropy-coded segment, read as ITU-T T.81 F.2.2 draws it, and the zig-zag order."""

from itertools import product

# The symbol of each code, by its length and its bits.
Codes = dict[tuple[int, int], int]


class ReferenceDecoderError(Exception):
    """The stream breaks a rule of the standard, or uses what this decoder does not read."""


def take(data: bytes, position: int, count: int) -> bytes:
    """The next bytes, which must be there."""
    part = data[position : position + count]
    if count < 0 or len(part) != count:
        raise ReferenceDecoderError("the data end early")
    return part


class Bits:
    """The bits of an entropy-coded segment, read by NEXTBIT, DECODE and RECEIVE of F.2.2."""

    def __init__(self, data: bytes, position: int) -> None:
        self.data = data
        self.position = position
        self.byte = 0
        self.before = 0
        self.left = 0

    def bit(self) -> int:
        """NEXTBIT (figure F.18). A marker inside a block is an error here."""
        if self.left == 0:
            self.before, self.byte = self.byte, take(self.data, self.position, 1)[0]
            self.position += 1
            if self.byte == 0xFF:
                if take(self.data, self.position, 1) != b"\0":
                    raise ReferenceDecoderError("the scan ends inside a block")
                self.position += 1
            self.left = 8
        self.left -= 1
        return self.byte >> self.left & 1

    def code(self, codes: Codes) -> int:
        """DECODE (figure F.16)."""
        code = 0
        for length in range(1, 17):
            code = code << 1 | self.bit()
            if (length, code) in codes:
                return codes[length, code]
        raise ReferenceDecoderError("a code that is not in its table")

    def receive(self, count: int) -> int:
        """RECEIVE (figure F.17)."""
        value = 0
        for _ in range(count):
            value = value << 1 | self.bit()
        return value

    def receive_and_extend(self, size: int) -> int:
        """RECEIVE and EXTEND (figures F.17 and F.12)."""
        value = self.receive(size)
        if size and value < 1 << (size - 1):
            value -= (1 << size) - 1
        return value

    def end(self) -> int:
        """The position behind the segment.

        The bits left in its last byte are padding. So are zero bytes behind it, unless the last byte is zero itself
        and has bits left, or so has the byte before it: then nobody can say which of them the blocks were coded in.
        """
        end = self.position
        while self.data[end : end + 1] == b"\0":
            end += 1
        if end > self.position and self.byte == 0 and (self.left or not self.before):
            raise ReferenceDecoderError("blocks were decoded from zeros that may be padding")
        return end


def zigzag() -> list[int]:
    """The zig-zag order (figure 5), walked along the diagonals."""
    cells = product(range(8), range(8))
    return [8 * v + u for v, u in sorted(cells, key=lambda cell: (sum(cell), cell[1 - sum(cell) % 2]))]
