"""From pixels to streams with given tables."""

from enum import StrEnum
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from shared.jpeg import native
from shared.jpeg.frames import Coefficients, Stream, levels_of
from shared.jpeg.quantisation import Quantisation
from shared.jpeg.tables import Sampling, TableSet

Pixels = NDArray[np.uint8] | memoryview


class Simd(StrEnum):
    """The instruction set that the encoder uses; all of them write the same bytes."""

    PORTABLE = "portable"
    NEON = "neon"
    AVX2 = "avx2"

    @classmethod
    def available(cls) -> tuple[Self, ...]:
        """The instruction sets that this processor has, the fastest last."""
        found = native.instruction_sets()
        return tuple(simd for simd in cls if found >> simd.native_code & 1)

    @cached_property
    def native_code(self) -> int:
        """Its number in the native encoder."""
        return list(Simd).index(self)


class Colours(StrEnum):
    """What the three channels of an image are."""

    RGB = "RGB"
    YCBCR = "YCbCr"


class Encoder:
    """Encodes with one table set. Its codes and divisors are derived once.

    One encoder may be used by many threads; the interpreter lock is released while it works.

    Args:
        quantisation: how coefficients become levels; to the nearest by default.
        colours: what the three channels of an image are. YCbCr (as in JFIF: 0..255, neutral chroma at 128) is coded
            without conversion.
        simd: one of `Simd.available()`, the fastest by default. Tests and measurements choose another one.

    Raises:
        ValueError: the quantisation does not fit the tables' components, or this processor does not have the
            instruction set.
    """

    def __init__(
        self,
        tables: TableSet,
        *,
        quantisation: Quantisation | None = None,
        colours: Colours = Colours.RGB,
        simd: Simd | None = None,
    ) -> None:
        self.tables = tables
        self.simd = Simd.available()[-1] if simd is None else simd
        if self.simd not in Simd.available():
            raise ValueError(f"this processor has no {self.simd}, only {', '.join(Simd.available())}")
        chosen = None if quantisation is None else quantisation.for_components(tables.sampling.components)
        self._native = native.NativeEncoder(
            tables.native_tables,
            tables.tables_id,
            chosen,
            self.simd.native_code,
            is_ycbcr=Colours(colours) is Colours.YCBCR,
        )

    def encode(self, pixels: Pixels, stream: Stream = Stream.ABBREVIATED) -> bytes:
        """Encode one image, uint8 (h, w, 3). Grey tables take (h, w) too, and only the luma of colours.

        Args:
            pixels: an array, or any buffer of that type and shape (PEP 3118).

        Raises:
            ValueError: the pixels have another type or shape, or a side of more than 65535 pixels.
        """
        image = np.ascontiguousarray(pixels)
        shape = image.shape
        if len(shape) == 2 and self.tables.sampling is Sampling.GREY:
            shape = (*shape, 1)
        if image.dtype != np.uint8 or len(shape) != 3 or shape[2] not in (1, 3):
            taken = f"{self.tables.sampling} tables take uint8 (h, w, 3), grey ones (h, w) too"
            raise ValueError(f"{taken}: not {image.dtype} of {np.shape(pixels)}")
        return self._native.encode_one(image, shape, stream.native_code)

    def encode_batch(self, pixels: Pixels, stream: Stream = Stream.ABBREVIATED, *, threads: int = 1) -> list[bytes]:
        """Encode n images of one size, uint8 (n, h, w, 3), on at most `threads` threads.

        Grey tables take (n, h, w, 1) too, and only the luma of colours.

        Raises:
            ValueError: as `encode`.
        """
        return self._native.encode(_images(pixels), stream.native_code, threads)

    def quantise_batch(self, pixels: Pixels, *, threads: int = 1) -> tuple[NDArray[np.int16], NDArray[np.int16] | None]:
        """Quantise images to the levels that decoding the encoded images would give.

        Args:
            pixels: uint8 (n, h, w, 3), or as `encode_batch`; h and w multiples of 16 for 4:2:0, of 8 for grey.
            threads: the most threads that share the images.

        Returns:
            y int16 (n, 64, h/8, w/8) and c int16 (n, 128, h/16, w/16), Cb before Cr; c is None when grey.

        Raises:
            ValueError: as `encode`; or the tables have another sampling than 4:2:0 or grey; or h or w is no such
                multiple.
        """
        is_grey = self.tables.sampling is Sampling.GREY
        if not is_grey and self.tables.sampling is not Sampling.YUV420:
            raise ValueError(f"batches of levels are 4:2:0 or grey, not {self.tables.sampling}")
        images = _images(pixels)
        count, height, width, _ = images.shape
        unit = 8 if is_grey else 16
        if height % unit or width % unit:
            raise ValueError(f"images of {height} x {width}: batches of levels need multiples of {unit}")
        y = np.empty((count, 64, height // 8, width // 8), np.int16)
        c = None if is_grey else np.empty((count, 128, height // 16, width // 16), np.int16)
        self._native.quantise(images, y, c, threads)
        return y, c

    def encode_coefficients(self, coefficients: Coefficients, stream: Stream = Stream.ABBREVIATED) -> bytes:
        """Entropy-code levels that were quantised with the tables of this encoder.

        Raises:
            ValueError: other tables or sampling, planes of another size, or levels that 8-bit baseline has
                no codes for (DC outside -1024..1023, AC outside -1023..1023).
        """
        if (coefficients.sampling, coefficients.quant) != (self.tables.sampling, self.tables.quant):
            raise ValueError("the coefficients were quantised with other tables")
        levels = coefficients.native_levels
        return self._native.encode_levels(levels.size, [rows[0] for rows in levels.planes], stream.native_code)

    def scan_bits(self, coefficients: Coefficients) -> int:
        """The exact number of bits that these levels take in a scan; no scan is written.

        A scan fills its last byte and has a zero behind each FF: without those zeros it has ceil(bits / 8) bytes.

        Raises:
            ValueError: another sampling, planes of another size, or levels that 8-bit baseline has no codes for.
        """
        return int(self._native.scan_bits(coefficients.native_levels)[0])

    def scan_bits_batch(self, y: NDArray[np.int16], c: NDArray[np.int16] | None) -> NDArray[np.uint64]:
        """The exact number of bits that each frame of a batch of levels takes in a scan.

        Args:
            y: int16 (n, 64, h/8, w/8), natural frequency order.
            c: int16 (n, 128, h/16, w/16), Cb before Cr; None where the tables are grey.

        Returns:
            uint64 (n,).

        Raises:
            ValueError: as `scan_bits`.
        """
        return self._native.scan_bits(levels_of(y, c))


def _images(pixels: Pixels) -> NDArray[np.uint8]:
    """The pixels as C-contiguous uint8 (n, h, w, 3 or 1)."""
    images = np.ascontiguousarray(pixels)
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] not in (1, 3):
        asked = "uint8 (n, h, w, 3) or, grey, (n, h, w, 1)"
        raise ValueError(f"images are {asked}, not {images.dtype} of {np.shape(pixels)}")
    return images
