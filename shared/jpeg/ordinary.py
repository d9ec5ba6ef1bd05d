"""What ordinary JPEG files cost: of pictures, and of the same pictures where only a frame of them is left."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.jpeg.encoder import Encoder
from shared.jpeg.frames import Stream
from shared.jpeg.tables import TableSet
from shared.jpeg.transcoder import Transcoder

AROUND_SCAN_BYTES: Final = 625
"""Of a colour file as libjpeg writes it: SOI, APP0 (18), two DQT (69 each), SOF0 (19), four DHT (33, 183, 33, 183), SOS
(14), EOI. A table a segment, where our own files put all of a kind into one."""


class OrdinaryJpeg:
    """The size of files that libjpeg, and so nearly every camera, makes by default.

    That is baseline 4:2:0 with T.81 annex K's steps at an IJG quality, annex K's Huffman tables, and a JFIF header.

    Args:
        quality: 1 to 100.
        source: the tables of the frames that `file_bytes_again` reads; without them it reads interchange frames.

    Raises:
        ValueError: the quality is outside its range.
    """

    def __init__(self, quality: float, source: TableSet | None = None) -> None:
        tables = TableSet.standard(quality)
        self._encoder = Encoder(tables)
        self._transcoder = Transcoder(tables, source=source)

    def file_bytes(self, pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
        """The file of each picture, int64 (n,).

        Args:
            pixels: uint8 (n, h, w, 3), RGB.
        """
        scans = self._encoder.encode_batch(pixels, Stream.SCAN)
        return np.array([len(scan) for scan in scans], np.int64) + AROUND_SCAN_BYTES

    def file_bytes_again(self, frame: bytes) -> int:
        """The file that a frame's coefficients would make once they are quantised anew.

        It is not that of the picture which the frame was made of. What coarser steps dropped costs nothing here; after
        finer ones, being rounded twice makes noise that costs a little.

        Raises:
            JpegError: the frame is damaged, or cannot be brought to 4:2:0.
        """
        return len(self._transcoder.transcode(frame, Stream.SCAN)) + AROUND_SCAN_BYTES
