"""From JPEGs that exist already to frames with a bundle's tables, in the coefficient domain."""

from shared.jpeg import native
from shared.jpeg.encoder import Simd
from shared.jpeg.frames import Limits, Stream
from shared.jpeg.quantisation import Quantisation
from shared.jpeg.tables import TableSet


class Transcoder:
    """Codes the coefficients of any JPEG that `Decoder` reads with other tables: for cameras that only give JPEG.

    No pixel is computed. Levels of the same steps and sampling stay as they are and are only coded anew. Other steps
    quantise each coefficient again: with rounding to the nearest it moves by at most half a new step, halves away
    from zero. 4:4:4 and 4:2:2 become 4:2:0 by means of neighbouring chroma samples, taken in the DCT domain; grey
    becomes 4:2:0 without colour, and any colour becomes grey.

    One transcoder may be used by many threads; the interpreter lock is released while it works.

    Args:
        tables: of the frames it writes.
        quantisation: how coefficients become levels, as for `Encoder`.
        source: tables of the abbreviated frames it reads, if it is to read such.
        limits: what a stream may cost.

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
        """The frame with this transcoder's tables.

        Coefficients that 8-bit baseline cannot carry, which no 8-bit picture has, are brought back to where its codes
        end: levels to -1024..1023 (DC) and -1023..1023 (AC), dequantised ones to -3968..3968 before that.

        Raises:
            JpegError: as `Decoder.decode`.
            UnsupportedJpegError: also where the sampling cannot be brought to that of the tables.
        """
        return native.transcode(self._decoder, self._encoder, frame, stream.native_code)
