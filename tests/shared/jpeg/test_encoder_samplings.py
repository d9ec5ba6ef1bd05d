"""Encoding in the samplings that Pillow does not write: chroma is the means of neighbouring values."""

import numpy as np
import pytest

from shared.jpeg import Colours, Decoder, Encoder, Sampling, Simd, Stream, TableSet
from tests.shared.jpeg import pictures
from tests.shared.jpeg.twins import libjpeg

# (rows, columns) of values that one chroma value is the mean of.
SHARES = {Sampling.YUV440: (2, 1), Sampling.YUV411: (1, 4)}


@pytest.mark.parametrize("simd", Simd.available())
@pytest.mark.parametrize("sampling", SHARES)
@pytest.mark.parametrize("size", [(32, 32), (16, 64), (17, 33), (1, 1), (40, 47), (7, 100)])
def test_chroma_is_the_means_of_neighbouring_values(sampling: Sampling, size: tuple[int, int], simd: Simd) -> None:
    picture = pictures.noise(*size, 1)
    tables = TableSet.standard(100, sampling)
    frame = Encoder(tables, colours=Colours.YCBCR, simd=simd).encode(picture, Stream.INTERCHANGE)
    found = Decoder().decode(frame)
    assert (found.height, found.width, found.sampling) == (*size, sampling)
    rows, columns = SHARES[sampling]
    padded = np.pad(picture, [(0, -size[0] % rows), (0, -size[1] % (8 * columns)), (0, 0)], mode="edge")
    shares = padded.reshape(padded.shape[0] // rows, rows, -1, columns, 3).astype(int)
    means = (shares.sum((1, 3)) + rows * columns // 2) // (rows * columns)
    for index in (1, 2):
        grey = TableSet.standard(100, Sampling.GREY).with_quant([tables.quant[index]])
        alone = Encoder(grey).encode(np.ascontiguousarray(means[..., index].astype(np.uint8)), Stream.INTERCHANGE)
        np.testing.assert_array_equal(found.planes[index], Decoder().decode(alone).planes[0])


@pytest.mark.parametrize("sampling", SHARES)
def test_libjpeg_reads_the_same_levels_and_much_the_same_picture(sampling: Sampling) -> None:
    picture = pictures.photograph()[:100, :90]
    frame = Encoder(TableSet.standard(90, sampling)).encode(picture, Stream.INTERCHANGE)
    for plane, wanted in zip(libjpeg(frame)[0], Decoder().decode(frame).planes, strict=True):
        np.testing.assert_array_equal(plane, wanted)
    assert abs(pictures.pillow_pixels(frame).astype(int) - picture).mean() < 6
