"""From existing JPEGs to frames with other tables and, where asked, of another size, without decoding their pixels."""

import numpy as np
from numpy.typing import NDArray

from shared.jpeg import arguments, native
from shared.jpeg.encoder import Simd
from shared.jpeg.fit import Resize
from shared.jpeg.frames import Limits, Stream
from shared.jpeg.quantisation import Quantisation
from shared.jpeg.tables import Sampling, TableSet


class Transcoder:
    """Brings any JPEG that `Decoder` reads to given tables and to a given size, for cameras that give only JPEG.

    Without `resize` a frame keeps its size, and its picture is not turned. No pixel is computed: where steps and
    sampling are the same, levels stay and are only coded again; otherwise each coefficient is quantised again, and
    with rounding to the nearest it moves by at most half a new step. Any sampling becomes 4:2:0: means of neighbouring
    chroma values are taken in the DCT domain; those of 4:1:1 stand twice in a row. Grey becomes 4:2:0 without colour,
    and any colour becomes grey.

    With `resize` the picture is turned upright as its Exif says, the part that the fit names is scaled to the size, and
    the result is quantised as `Encoder` quantises pixels. That is what a sensor makes of the picture, but for
    roundings: Pillow's LANCZOS over what libjpeg decodes. Where the upright picture has the size and keeps its edges,
    it is turned exactly, block by block, and goes the way above: a frame of that size that stands upright is never
    resampled. A turned one is only where a side that is reversed ends inside an MCU, or where 4:1:1 lies on its side.

    One transcoder may be used by many threads; the interpreter lock is released while it works.

    Args:
        tables: those of the frames that it writes.
        resize: the size that frames are brought to.
        quantisation: how coefficients become levels, as for `Encoder`.
        source: the tables of the abbreviated frames that it reads. Without them only interchange frames are read.
        limits: the most that a stream may cost. Decoding takes 2 bytes for each sample, somewhat more than twice that
            for a progressive frame, and the stream once more: with the default limits 216 MB at most, for 16 Mi
            pixels in 4:4:4. Resizing takes at most 34 MB more, and 15 bytes for each new pixel.

    Raises:
        ValueError: the quantisation does not fit the tables' components.
    """

    def __init__(
        self,
        tables: TableSet,
        *,
        resize: Resize | None = None,
        quantisation: Quantisation | None = None,
        source: TableSet | None = None,
        limits: Limits = Limits(),  # noqa: B008 (frozen)
    ) -> None:
        self.tables = tables
        self.resize = resize
        known = None if source is None else (source.native_tables, source.tables_id)
        chosen = None if quantisation is None else quantisation.for_components(tables.sampling.components)
        simd = Simd.available()[-1].native_code
        self._decoder = native.NativeDecoder(known, limits.values)
        self._coders = self._decoder, native.NativeEncoder(tables.native_tables, tables.tables_id, chosen, simd)

    def transcode(self, frame: bytes, stream: Stream = Stream.ABBREVIATED) -> bytes:
        """Code the frame with this transcoder's tables, at its size if it has one.

        Coefficients that no 8-bit picture has are clamped to what 8-bit baseline can code: dequantised ones to
        -3968..3968, then levels to -1024..1023 (DC) and -1023..1023 (AC).

        Raises:
            JpegError: as `Decoder.decode`.
            UnsupportedJpegError: the frame keeps its size, and its sampling cannot be brought to that of the tables.
        """
        resize = None if self.resize is None else self._resize_of(frame, self.resize)
        return native.transcode(self._coders, frame, resize, stream.native_code)

    def levels(self, frame: bytes) -> tuple[NDArray[np.int16], NDArray[np.int16] | None]:
        """The levels that decoding `transcode(frame)` would give: what a classifier for these tables reads.

        Returns:
            y int16 (64, h/8, w/8) and c int16 (128, h/16, w/16) of the transcoder's size, Cb before Cr, in natural
            frequency order; c is None when the tables are grey.

        Raises:
            JpegError: as `Decoder.decode`.
            ValueError: the transcoder has no size, or not one of multiples of 16 (8 for grey); or its tables are for
                another sampling than 4:2:0 or grey.
        """
        if self.resize is None:
            raise ValueError("levels have a size: make the transcoder with `resize`")
        height, width = self.resize.height, self.resize.width
        is_grey = self.tables.sampling is Sampling.GREY
        if not is_grey and self.tables.sampling is not Sampling.YUV420:
            raise ValueError(f"levels are 4:2:0 or grey, not {self.tables.sampling}")
        unit = 8 if is_grey else 16
        if height % unit or width % unit:
            raise ValueError(f"a size of {height} x {width}: levels need multiples of {unit}")
        y = np.empty((64, height // 8, width // 8), np.int16)
        c = None if is_grey else np.empty((128, height // 16, width // 16), np.int16)
        native.transcode_levels(self._coders, frame, self._resize_of(frame, self.resize), y, c)
        return y, c

    def _resize_of(self, frame: bytes, resize: Resize) -> arguments.Resize:
        """Which part of this frame's picture becomes the size."""
        height, width = self._decoder.upright_size(frame)
        part = resize.fit.box(width, height, resize.width, resize.height)
        return arguments.Resize((resize.height, resize.width), part)
