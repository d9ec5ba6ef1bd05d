"""A stream of bytes to the pictures in it: JPEG after JPEG, frames with their length before them, PPM and PGM."""

import re
from collections.abc import Iterator
from typing import Protocol

from shared.pictures import SENSOR_LIMITS

FRAME_LIMIT_BYTES = SENSOR_LIMITS.file_bytes
PNM_HEADER_LIMIT_BYTES = 1024
LENGTH_BYTES = 4


class Splitter(Protocol):
    """Takes pieces as they come, and keeps no more of them than one picture's limit and a piece."""

    @property
    def damages(self) -> int:
        """How often it had to look for the beginning of a picture where one was promised."""

    def pictures(self, piece: bytes) -> Iterator[bytes]:
        """The pictures that end in this piece."""

    def rest(self) -> bytes | None:
        """What the end of the input makes a picture of, if anything."""


_FIRST_BYTE = 0xFF
_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD8)})  # T.81 table B.1
_BEGINNING = re.compile(rb"\xff\xd8\x00{0,64}\xff")
_HALF_BEGINNING = re.compile(rb"\xff(\xd8\x00{0,64})?\Z")
_IN_SCAN_NO_MORE = re.compile(
    rb"\xff+[^\x00\xd0-\xd7\xff]"
)  # T.81 B.1.1.5: stuffed bytes and restarts belong to a scan


class JpegSplitter:
    """JPEG streams one after another, with anything between them: zeros, the boundaries and headers of multipart.

    Markers are walked (T.81 B.1.1.2), so an EOI inside a segment, such as of a thumbnail, ends nothing. A picture
    without EOI ends where the next one begins.
    """

    def __init__(self, limit_bytes: int = FRAME_LIMIT_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._buffer = bytearray()
        self._begun = False
        self._in_scan = False
        self._place = 0  # up to which the picture at the buffer's beginning was walked
        self.damages = 0

    def pictures(self, piece: bytes) -> Iterator[bytes]:
        """See `Splitter`."""
        self._buffer += piece
        while self._begun or self._begin():
            end = self._walk()
            if end is not None and end <= self._limit_bytes:
                yield self._cut(end)
            elif end is not None or (self._begun and len(self._buffer) > self._limit_bytes):
                self._give_up(end or len(self._buffer) - 1)
            elif self._begun:
                return

    def rest(self) -> bytes | None:
        """A picture whose scan had begun: some cameras leave EOI out."""
        if self._begun and self._in_scan:
            return self._cut(len(self._buffer))
        return None

    def _begin(self) -> bool:
        found = _BEGINNING.search(self._buffer)
        if found is None:
            half = _HALF_BEGINNING.search(self._buffer)
            del self._buffer[: half.start() if half else len(self._buffer)]
            return False
        del self._buffer[: found.start()]
        self._begun, self._in_scan, self._place = True, False, found.end() - 1 - found.start()
        return True

    def _cut(self, end: int) -> bytes:
        picture = bytes(self._buffer[:end])
        del self._buffer[:end]
        self._begun = False
        return picture

    def _give_up(self, place: int) -> None:
        """Look for the next picture from `place` on."""
        del self._buffer[:place]
        self._begun = False
        self.damages += 1

    def _walk(self) -> int | None:
        """Where the picture ends; None where its end has not come, or the picture was given up."""
        while True:
            if self._in_scan:
                found = _IN_SCAN_NO_MORE.search(self._buffer, self._place)
                if found is None:
                    self._place = max(self._place, len(self._buffer) - 1)
                    return None
                self._in_scan, self._place = False, found.end() - 2
                if found[0][-1] == _SOI:
                    return self._place
            marker = self._marker()
            if marker is None:
                return None
            if marker == _EOI:
                return self._place + 2
            if not self._pass_segment(marker):
                return None

    def _marker(self) -> int | None:
        """The marker at the place; None where it has not come, or none is there and the picture is given up."""
        buffer = self._buffer
        while len(buffer) >= self._place + 2 and buffer[self._place] == buffer[self._place + 1] == _FIRST_BYTE:
            self._place += 1  # fill bytes
        if len(buffer) < self._place + 2:
            return None
        marker = buffer[self._place + 1]
        if buffer[self._place] != _FIRST_BYTE or marker in (0, _SOI):
            self._give_up(max(2, self._place))
            return None
        return marker

    def _pass_segment(self, marker: int) -> bool:
        """Go behind a segment; False where its end has not come, or the picture is given up."""
        if marker in _WITHOUT_LENGTH:
            self._place += 2
            return True
        length = int.from_bytes(self._buffer[self._place + 2 : self._place + 4])
        after = self._place + 2 + length
        if len(self._buffer) < max(self._place + 4, after + 1):
            return False
        if length < 2 or (marker != _SOS and self._buffer[after] != _FIRST_BYTE):
            self._give_up(self._place + 2)  # not behind it: its length is what may be wrong
            return False
        self._place, self._in_scan = after, marker == _SOS
        return True


class LengthSplitter:
    """Each picture, a file of any kind, behind its length: 4 bytes, the highest first. Nothing, and what is over the
    limit, is passed over."""

    def __init__(self, limit_bytes: int = FRAME_LIMIT_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._buffer = bytearray()
        self._skipped_bytes = 0  # still to come, and not wanted
        self.damages = 0

    def pictures(self, piece: bytes) -> Iterator[bytes]:
        """See `Splitter`."""
        self._buffer += piece
        while self._has_skipped() and len(self._buffer) >= LENGTH_BYTES:
            length = int.from_bytes(self._buffer[:LENGTH_BYTES])
            end = LENGTH_BYTES + length
            if length > self._limit_bytes:
                self.damages += 1
                self._skipped_bytes = end
            elif len(self._buffer) < end:
                return
            else:
                picture = bytes(self._buffer[LENGTH_BYTES:end])
                del self._buffer[:end]
                if picture:
                    yield picture

    def rest(self) -> bytes | None:
        """None: a part of a picture is none."""
        return None

    def _has_skipped(self) -> bool:
        """Whether all has come, and is passed over, that is not wanted."""
        skipped = min(self._skipped_bytes, len(self._buffer))
        del self._buffer[:skipped]
        self._skipped_bytes -= skipped
        return not self._skipped_bytes


_PNM_BEGINNING = re.compile(rb"P[56](?=[\s#])")
_PNM_GAP = rb"(?:\s|#[^\n]*\n)+"
_PNM_HEADER = re.compile(rb"P([56])" + 3 * (_PNM_GAP + rb"(\d{1,9})") + rb"\s")


def _raster_bytes(kind: int, width: int, height: int, maximum: int) -> int:
    return width * height * (3 if kind == 6 else 1) * (2 if maximum > 255 else 1)


class PnmSplitter:
    """Binary PGM and PPM pictures (P5, P6) one after another."""

    def __init__(self, limit_bytes: int = FRAME_LIMIT_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._buffer = bytearray()
        self._is_lost = False
        self.damages = 0

    def pictures(self, piece: bytes) -> Iterator[bytes]:
        """See `Splitter`."""
        self._buffer += piece
        while self._buffer:
            if _PNM_BEGINNING.match(self._buffer) is None and not self._resynchronise():
                return
            header = _PNM_HEADER.match(self._buffer, 0, PNM_HEADER_LIMIT_BYTES)
            if header is None:
                if len(self._buffer) < PNM_HEADER_LIMIT_BYTES:
                    return
                self._give_up()
                continue
            end = header.end() + _raster_bytes(*map(int, header.groups()))
            if end > self._limit_bytes:
                self._give_up()
            elif len(self._buffer) < end:
                return
            else:
                picture = bytes(self._buffer[:end])
                del self._buffer[:end]
                self._is_lost = False
                yield picture

    def rest(self) -> bytes | None:
        """None: a part of a picture is none."""
        return None

    def _give_up(self) -> None:
        self.damages += 1
        self._is_lost = True
        del self._buffer[:1]

    def _resynchronise(self) -> bool:
        found = _PNM_BEGINNING.search(self._buffer)
        passed = found.start() if found else max(0, len(self._buffer) - 2)
        if self._buffer[:passed].strip() and not self._is_lost:
            self._is_lost = True
            self.damages += 1
        del self._buffer[:passed]
        return found is not None


def splitter_for(beginning: bytes) -> Splitter:
    """The splitter of a stream that begins like this: PGM or PPM where it does, JPEG otherwise."""
    return PnmSplitter() if _PNM_BEGINNING.match(beginning + b" ") else JpegSplitter()
