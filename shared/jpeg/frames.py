"""Frames as values: kinds of streams, what markers say, coefficients, and limits."""

from dataclasses import astuple, dataclass
from enum import StrEnum
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.jpeg import arguments, native
from shared.jpeg.tables import Sampling, quant_id_of

# The end-of-image marker (T.81 table B.1): the last two bytes of every frame.
EOI: Final = b"\xff\xd9"

_SAMPLINGS = tuple(Sampling)


class Stream(StrEnum):
    """How much of a JPEG is written: with its tables, without them, or its scan alone."""

    INTERCHANGE = "interchange"
    ABBREVIATED = "abbreviated"
    SCAN = "scan"

    @cached_property
    def native_code(self) -> int:
        """Its number in the native encoder."""
        return list(Stream).index(self)


@dataclass(frozen=True)
class Limits:
    """The most that a stream may cost, checked before anything is allocated.

    Args:
        max_bytes: bytes of the whole stream.
        max_pixels: height times width.
        max_side: height and width in pixels; JPEG itself ends at 65535.
        max_scans: sequential JPEG needs at most one for each component, progressive JPEG usually 6 to 20.
        max_markers: markers other than restart markers.
        max_restarts: restart markers in one scan; the default is one for each MCU of the largest 4:2:0 frame.

    Raises:
        ValueError: a limit is below 0 or has more than 63 bits.
    """

    max_bytes: int = 8 << 20
    max_pixels: int = 16 << 20
    max_side: int = 65500
    max_scans: int = 64
    max_markers: int = 1000
    max_restarts: int = 1 << 16

    def __post_init__(self) -> None:
        if not all(0 <= limit < 1 << 63 for limit in self.values):
            raise ValueError(f"limits lie between 0 and 2^63: {self}")

    @cached_property
    def values(self) -> tuple[int, ...]:
        """All limits in the order in which the native module takes them."""
        return astuple(self)


@dataclass(frozen=True, eq=False)
class Coefficients:
    """The levels of one frame. Two are equal where all their values are.

    Args:
        planes: one for each component, int16 (64, block rows, block columns), in natural frequency order. Blocks that
            only pad the last MCUs are left out.
        quant: 64 steps for each component, in natural frequency order.
    """

    height: int
    width: int
    sampling: Sampling
    planes: tuple[NDArray[np.int16], ...]
    quant: tuple[bytes, ...]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Coefficients):
            return NotImplemented
        own, others = ((each.height, each.width, each.sampling, each.quant, len(each.planes)) for each in (self, other))
        return own == others and all(map(np.array_equal, self.planes, other.planes))

    __hash__ = None  # type: ignore[assignment]  # arrays have none

    @property
    def native_levels(self) -> arguments.Levels:
        """These levels in the form that the native module takes.

        Raises:
            ValueError: the planes are not int16, or there is not one for each component.
        """
        rows = tuple(_contiguous(plane)[np.newaxis] for plane in self.planes)
        if len(rows) != self.sampling.components:
            raise ValueError(f"{len(rows)} planes for {self.sampling}")
        return arguments.Levels((self.height, self.width), self.sampling.native_code, rows)


@dataclass(frozen=True)
class FrameInfo:
    """What a frame's markers say.

    Args:
        tables_id: the tables that APP10 names, which is only a claim.
        quant: 64 steps for each component as DQT defines them; None in an abbreviated frame.
        quant_id: computed from `quant`; None in an abbreviated frame.
        scan_bytes: entropy-coded bytes, restart markers included.
        orientation: how the picture must be turned to stand upright, 1 to 8, as `exif_orientation` tells it of the
            first Exif segment; 1, as it is, where there is none before the first scan.
    """

    height: int
    width: int
    sampling: Sampling
    stream: Stream
    tables_id: str | None
    quant: tuple[bytes, ...] | None
    quant_id: str | None
    scan_bytes: int
    orientation: int


def inspect(frame: bytes, limits: Limits = Limits()) -> FrameInfo:
    """Read the markers of a frame, but not its scans: whether they are whole, only a decoder can tell.

    Raises:
        JpegError: the markers are not those of a JPEG that `Decoder` reads, or a limit is exceeded.
    """
    info = native.inspect(frame, limits.values)
    sampling = sampling_of(info.sampling)
    return FrameInfo(
        height=info.height,
        width=info.width,
        sampling=sampling,
        stream=Stream.ABBREVIATED if info.is_abbreviated else Stream.INTERCHANGE,
        tables_id=info.tables_id,
        quant=info.quant,
        quant_id=None if info.quant is None else quant_id_of(sampling, info.quant),
        scan_bytes=info.scan_bytes,
        orientation=info.orientation,
    )


def levels_of(y: NDArray[np.int16], c: NDArray[np.int16] | None) -> arguments.Levels:
    """A batch of 4:2:0 levels, or of grey ones where `c` is None, in the form that the native module takes.

    Args:
        y: int16 (n, 64, h/8, w/8), natural frequency order.
        c: int16 (n, 128, h/16, w/16), Cb before Cr.

    Raises:
        ValueError: the planes have other types or shapes.
    """
    count, rows, columns = (len(y), *y.shape[2:]) if y.ndim == 4 else (0, 0, 0)
    if not rows or not columns or y.shape[1] != 64:
        raise ValueError(f"luma planes of {y.shape}")
    size = (8 * rows, 8 * columns)
    if c is None:
        return arguments.Levels(size, Sampling.GREY.native_code, (_contiguous(y),))
    if rows % 2 or columns % 2 or c.shape != (count, 128, rows // 2, columns // 2):
        raise ValueError(f"planes of {y.shape} and {c.shape}")
    chroma = _contiguous(c)
    return arguments.Levels(size, Sampling.YUV420.native_code, (_contiguous(y), chroma[:, :64], chroma[:, 64:]))


def _contiguous(levels: NDArray[np.int16]) -> NDArray[np.int16]:
    if levels.dtype != np.int16:
        raise ValueError(f"levels must be int16, not {levels.dtype}")
    return np.require(levels, requirements=("C", "ALIGNED", "ENSUREARRAY"))


def sampling_of(native_code: int) -> Sampling:
    """The sampling of this number in the native module."""
    return _SAMPLINGS[native_code]
