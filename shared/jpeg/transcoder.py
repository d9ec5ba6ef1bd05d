"""From existing JPEGs to frames with other tables, in the coefficient domain."""

from shared.jpeg import native
from shared.jpeg.encoder import Simd
from shared.jpeg.frames import Limits, Stream
from shared.jpeg.quantisation import Quantisation
from shared.jpeg.tables import TableSet


class Transcoder:
    """Codes the coefficients of any JPEG that `Decoder` reads with other tables, for cameras that give only JPEG.

    No pixel is computed. Where steps and sampling are the same, levels stay and are only coded again. Otherwise each
    coefficient is quantised again: with rounding to the nearest it moves by at most half a new step. Any sampling
    becomes 4:2:0: means of neighbouring chroma values are taken in the DCT domain; those of 4:1:1 stand twice in a row.
    Grey becomes 4:2:0 without colour, and any colour becomes grey.

    One transcoder may be used by many threads; the interpreter lock is released while it works.

    Args:
        tables: those of the frames that it writes.
        quantisation: how coefficients become levels, as for `Encoder`.
        source: the tables of the abbreviated frames that it reads. Without them only interchange frames are read.
        limits: the most that a stream may cost.

    Raises:
        ValueError: the quantisation does not fit the tables' components.
    """

    def __init__(
        self,
        tables: TableSet,
        *,
        quantisation: Quantisation | None = None,
        source: TableSet | None = None,
        limits: Limits = Limits(),  # noqa: B008 (frozen)
    ) -> None:
        self.tables = tables
        known = None if source is None else (source.native_tables, source.tables_id)
        chosen = None if quantisation is None else quantisation.for_components(tables.sampling.components)
        simd = Simd.available()[-1].native_code
        self._decoder = native.NativeDecoder(known, limits.values)
        self._encoder = native.NativeEncoder(tables.native_tables, tables.tables_id, chosen, simd)

    def transcode(self, frame: bytes, stream: Stream = Stream.ABBREVIATED) -> bytes:
        """Code the frame with this transcoder's tables.

        Coefficients that no 8-bit picture has are clamped to what 8-bit baseline can code: dequantised ones to
        -3968..3968, then levels to -1024..1023 (DC) and -1023..1023 (AC).

        Raises:
            JpegError: as `Decoder.decode`.
            UnsupportedJpegError: the frame's sampling cannot be brought to that of the tables.
        """
        return native.transcode(self._decoder, self._encoder, frame, stream.native_code)
