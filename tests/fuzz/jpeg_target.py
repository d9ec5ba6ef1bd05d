"""The promise about hostile bytes as a check; run it longer with `python -m tests.fuzz.jpeg_target 1000000`."""

import contextlib
import sys
import time

import numpy as np

from shared.jpeg import Decoder, InvalidTablesError, JpegError, TableSet, inspect
from tests.fuzz.jpeg_mutations import TABLES, mutated, sources
from tests.reference import t81_decoder
from tests.shared.jpeg import streams

DECODER = Decoder(TABLES)


def check(data: bytes) -> bool:
    """Every reader ends in a value or a documented error; whether the stream was decoded.

    A decoded stream is one that `inspect` reads too, has finite cost, and means the same to the readable
    decoder.
    """
    with contextlib.suppress(InvalidTablesError):
        assert TableSet.from_stream(data).to_stream() == data
    y, c = np.zeros((1, 64, 4, 4), np.int16), np.zeros((1, 128, 2, 2), np.int16)
    (batch_error,) = DECODER.decode_batch([data], y, c)
    try:
        found = DECODER.decode(data)
    except JpegError:
        assert isinstance(batch_error, JpegError)
        with contextlib.suppress(JpegError):
            inspect(data)
        return False
    info = inspect(data)
    assert (info.height, info.width, info.sampling) == (found.height, found.width, found.sampling)
    assert sum(plane.shape[1] * plane.shape[2] for plane in found.planes) <= 4 * len(data)
    whole = data if info.quant is not None else streams.with_tables(data, TABLES)
    expected = t81_decoder.decode(whole)
    for plane, component in zip(found.planes, expected.components, strict=True):
        np.testing.assert_array_equal(plane, component.levels)
    return True


def main(runs: int) -> None:
    """Check that many seeds; a failure names its seed."""
    corpus, started, decoded = sources(), time.monotonic(), 0
    for seed in range(runs):
        try:
            decoded += check(mutated(seed, corpus))
        except Exception:
            print(f"seed {seed} fails", file=sys.stderr)
            raise
    seconds = time.monotonic() - started
    print(f"{runs} streams, {decoded} decoded, the rest refused as documented; {seconds:.0f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
