"""The promise about hostile bytes as a check; run it longer with `python -m tests.fuzz.jpeg_target 1000000 [SEED]`."""

import contextlib
import sys
import time
from collections.abc import Callable
from random import Random
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from shared.jpeg import (
    Coefficients,
    Decoder,
    InvalidTablesError,
    JpegError,
    Resize,
    Sampling,
    TableSet,
    Transcoder,
    inspect,
)
from shared.jpeg.errors import ContainedFaultError
from tests.fuzz.jpeg_mutations import Corpus
from tests.fuzz.jpeg_sources import TABLES, sources
from tests.reference import t81_decoder
from tests.reference.resample import brought_to_420
from tests.shared.jpeg import streams

DECODER = Decoder(TABLES)
COARSE = TableSet.standard(20)
TRANSCODER = Transcoder(COARSE, source=TABLES)
RESIZERS = [Transcoder(COARSE, source=TABLES, resize=Resize(*size)) for size in ((16, 32), (32, 32))]
Value = TypeVar("Value")


def check(data: bytes) -> bool:
    """Every reader ends in a value or a documented error; whether the stream was decoded.

    A decoded stream is one that `inspect` reads too, has finite cost, and means the same to the readable
    decoder. A fault of the codec fails the check, contained or not.
    """
    with contextlib.suppress(InvalidTablesError):
        assert TableSet.from_stream(data).to_stream() == data
    found, info = read(DECODER.decode, data), read(inspect, data)
    check_batch(data, found)
    check_dequantised(data, found)
    check_transcoded(data, found)
    check_resized(data, found)
    if found is None:
        return False
    assert info is not None
    assert (info.height, info.width, info.sampling) == (found.height, found.width, found.sampling)
    assert sum(plane.shape[1] * plane.shape[2] for plane in found.planes) <= 8 * len(data)
    whole = data if info.quant is not None else streams.with_tables(data, TABLES)
    expected = t81_decoder.decode(whole)
    for plane, component in zip(found.planes, expected.components, strict=True):
        np.testing.assert_array_equal(plane, component.levels)
    return True


def check_batch(data: bytes, found: Coefficients | None) -> None:
    """Assert that a row holds the levels, or zeros and a documented error, alone and beside a frame of its prefix."""
    y, c = np.full((1, 64, 4, 4), 77, np.int16), np.full((1, 128, 2, 2), 77, np.int16)
    (error,) = DECODER.decode_batch([data], y, c)
    if error is None:
        assert found is not None
        np.testing.assert_array_equal(y[0], found.planes[0])
        np.testing.assert_array_equal(c[0], np.concatenate(found.planes[1:]))
    else:
        assert isinstance(error, JpegError)
        assert not isinstance(error, ContainedFaultError)
        assert not y.any()
        assert not c.any()
    # The first of them is read alone, the others together; what is bound remembers the frame before.
    rows = np.full((4, *y.shape[1:]), 77, np.int16), np.full((4, *c.shape[1:]), 77, np.int16)
    errors = [*DECODER.decode_batch([data] * 3, rows[0][:3], rows[1][:3]), bound_error(rows[0][3:], rows[1][3:], data)]
    assert [repr(one) for one in errors] == [repr(error)] * 4
    for plane, alone in zip(rows, (y, c), strict=True):
        np.testing.assert_array_equal(plane, np.repeat(alone, 4, axis=0))


def bound_error(y: NDArray[np.int16], c: NDArray[np.int16], data: bytes) -> JpegError | None:
    """The outcome of a frame in a decoder that has read its prefix before."""
    bound = DECODER.into(y, c)
    for _ in range(2):
        try:
            bound.decode(data)
        except JpegError as error:
            caught: JpegError | None = error
        else:
            caught = None
    return caught


def check_dequantised(data: bytes, found: Coefficients | None) -> None:
    """Assert that a row of dequantised coefficients holds those of the frame in any sampling, brought to 4:2:0."""
    y, c = np.full((1, 64, 4, 4), 77, np.float32), np.full((1, 128, 2, 2), 77, np.float32)
    (error,) = DECODER.decode_batch([data], y, c, dequantise=True)
    if error is not None:
        assert isinstance(error, JpegError)
        assert not isinstance(error, ContainedFaultError)
        assert found is None or (found.height, found.width) != (32, 32)
        assert not y.any()
        assert not c.any()
        return
    assert found is not None
    values = [
        plane * np.frombuffer(table, np.uint8).astype(float)[:, None, None]
        for plane, table in zip(found.planes, found.quant, strict=True)
    ]
    np.testing.assert_array_equal(y[0], values[0])
    if found.sampling is Sampling.GREY:
        assert not c.any()
        return
    chroma = [brought_to_420(plane, found.sampling, c.shape[3]) for plane in values[1:]]
    np.testing.assert_allclose(c[0], np.concatenate(chroma), rtol=0, atol=1e-6 * (1 + abs(np.stack(values[1:])).max()))


def check_transcoded(data: bytes, found: Coefficients | None) -> None:
    """Assert that transcoding reads what decoding reads, and gives a frame of the same size with the new tables."""
    transcoded = read(TRANSCODER.transcode, data)
    assert (transcoded is None) == (found is None)
    if transcoded is not None and found is not None:
        again = Decoder(COARSE).decode(transcoded)
        assert (again.height, again.width, again.quant) == (found.height, found.width, COARSE.quant)


def check_resized(data: bytes, found: Coefficients | None) -> None:
    """Assert that resizing reads what decoding reads, and that its levels are those of its stream."""
    for resizer in RESIZERS:
        levels, transcoded = read(resizer.levels, data), read(resizer.transcode, data)
        assert (levels is None) == (transcoded is None) == (found is None)
        if levels is not None and transcoded is not None:
            planes = Decoder(COARSE).decode(transcoded).planes
            np.testing.assert_array_equal(levels[0], planes[0])
            np.testing.assert_array_equal(levels[1], np.concatenate(planes[1:]))


def read(reader: Callable[[bytes], Value], data: bytes) -> Value | None:
    """The value that the reader gives for the data; None where it refuses them with a documented error."""
    try:
        return reader(data)
    except ContainedFaultError:
        raise
    except JpegError:
        return None


def main(runs: int = 100_000, first: int = 0) -> None:
    """Check `count` seeds from the first on; a failure names its seed."""
    corpus, started, decoded = Corpus(sources()), time.monotonic(), 0
    for seed in range(first, first + runs):
        try:
            decoded += check(corpus.mutated(Random(seed)))
        except Exception:
            print(f"seed {seed} fails", file=sys.stderr)
            raise
    seconds = time.monotonic() - started
    print(f"{runs} streams, {decoded} decoded, the rest refused as documented; {seconds:.0f} s")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
