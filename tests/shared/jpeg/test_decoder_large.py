"""Large frames of dense blocks, which take another way to their planes: the same levels arrive."""

import numpy as np
import pytest

from shared.jpeg import Coefficients, Decoder, Encoder, Sampling, Stream, TableSet
from tests.shared.jpeg import pictures

# Sides that make planes a multiple of 1 KiB apart, whole MCUs and not, and one that does not.
SIZES = {
    Sampling.GREY: [(2048, 2048), (2041, 2043), (2040, 2056)],
    Sampling.YUV444: [(1024, 2048), (1018, 2041)],
    Sampling.YUV422: [(1024, 2048), (1017, 2033)],
    Sampling.YUV420: [(1536, 2048), (1529, 2041)],
}


def dense(height: int, width: int, tables: TableSet) -> Coefficients:
    """Random levels of -3 to 3 at three of four positions."""
    rng = np.random.default_rng(height)
    planes = []
    for index in range(tables.sampling.components):
        horizontal = 2 if index and tables.sampling in (Sampling.YUV422, Sampling.YUV420) else 1
        vertical = 2 if index and tables.sampling is Sampling.YUV420 else 1
        shape = 64, -(-height // (8 * vertical)), -(-width // (8 * horizontal))
        planes.append(rng.integers(-3, 4, shape, np.int16) * (rng.random(shape, np.float32) < 0.75))
    return Coefficients(height, width, tables.sampling, tuple(planes), tables.quant)


@pytest.mark.parametrize(
    ("sampling", "size"), [(sampling, size) for sampling, sizes in SIZES.items() for size in sizes]
)
def test_dense_levels_survive_coding(sampling: Sampling, size: tuple[int, int]) -> None:
    tables = TableSet.standard(90, sampling)
    expected = dense(*size, tables)
    found = Decoder(tables).decode(Encoder(tables).encode_coefficients(expected, Stream.ABBREVIATED))
    for plane, wanted in zip(found.planes, expected.planes, strict=True):
        np.testing.assert_array_equal(plane, wanted)


def test_restarts_inside_a_row_of_mcus_change_no_level() -> None:
    picture = pictures.noise(2048, 2048, 1, 1)[..., 0]
    plain = Decoder().decode(pictures.pillow_jpeg(picture, quality=30))
    for options in ({"restart_marker_blocks": 100}, {"restart_marker_rows": 1}):
        found = Decoder().decode(pictures.pillow_jpeg(picture, quality=30, **options))
        np.testing.assert_array_equal(found.planes[0], plain.planes[0])


def test_a_batch_of_them_holds_levels_times_steps() -> None:
    tables = TableSet.standard(90)
    expected = dense(1536, 2048, tables)
    frame = Encoder(tables).encode_coefficients(expected)
    y, c = np.empty((1, 64, 192, 256), np.float32), np.empty((1, 128, 96, 128), np.float32)
    assert Decoder(tables).decode_batch([frame], y, c, dequantise=True) == [None]
    steps = [np.frombuffer(table, np.uint8)[:, None, None].astype(np.float32) for table in tables.quant]
    np.testing.assert_array_equal(y[0], expected.planes[0] * steps[0])
    np.testing.assert_array_equal(c[0, :64], expected.planes[1] * steps[1])
    np.testing.assert_array_equal(c[0, 64:], expected.planes[2] * steps[2])
