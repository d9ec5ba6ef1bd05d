"""JPEG (ITU-T T.81) with given tables: pixels to streams, streams to DCT coefficients."""

from shared.jpeg.annex_k import ZIGZAG
from shared.jpeg.decoder import BoundDecoder, Decoder
from shared.jpeg.encoder import Colours, Encoder, Simd
from shared.jpeg.errors import (
    ContainedFaultError,
    CorruptJpegError,
    CorruptScanError,
    InvalidTablesError,
    JpegError,
    LimitExceededError,
    NotAJpegError,
    UnknownTablesError,
    UnsupportedJpegError,
)
from shared.jpeg.fit import Box, Fit, FitMode, Framing, Resize
from shared.jpeg.frames import EOI, Coefficients, FrameInfo, Limits, Stream, inspect
from shared.jpeg.ordinary import OrdinaryJpeg
from shared.jpeg.orientation import exif_orientation
from shared.jpeg.quantisation import Quantisation, RateDistortion
from shared.jpeg.statistics import SymbolCounts
from shared.jpeg.tables import HuffmanTable, Sampling, TableSet
from shared.jpeg.transcoder import Transcoder

__all__ = [
    "EOI",
    "ZIGZAG",
    "BoundDecoder",
    "Box",
    "Coefficients",
    "Colours",
    "ContainedFaultError",
    "CorruptJpegError",
    "CorruptScanError",
    "Decoder",
    "Encoder",
    "Fit",
    "FitMode",
    "FrameInfo",
    "Framing",
    "HuffmanTable",
    "InvalidTablesError",
    "JpegError",
    "LimitExceededError",
    "Limits",
    "NotAJpegError",
    "OrdinaryJpeg",
    "Quantisation",
    "RateDistortion",
    "Resize",
    "Sampling",
    "Simd",
    "Stream",
    "SymbolCounts",
    "TableSet",
    "Transcoder",
    "UnknownTablesError",
    "UnsupportedJpegError",
    "exif_orientation",
    "inspect",
]
