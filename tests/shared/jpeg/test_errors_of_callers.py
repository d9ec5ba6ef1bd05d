"""What a newcomer gets wrong is a ValueError, or an error of the frame, that says what is needed."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.jpeg import (
    BoundDecoder,
    Decoder,
    Encoder,
    InvalidTablesError,
    Limits,
    Sampling,
    Simd,
    TableSet,
    UnsupportedJpegError,
)
from tests.shared.jpeg import pictures

TABLES = TableSet.standard(75)
PICTURE = pictures.natural(32, 48, 1)
FRAME = Encoder(TABLES).encode(PICTURE)


def planes(
    height: int = 32, width: int = 48, dtype: type = np.int16, count: int = 1
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Planes of zeros for frames of this size."""
    y: NDArray[Any] = np.zeros((count, 64, height // 8, width // 8), dtype)
    return y, np.zeros((count, 128, height // 16, width // 16), dtype)


@pytest.mark.parametrize(
    "pixels",
    [
        pytest.param(np.dstack([PICTURE, PICTURE[..., 0]]), id="rgba"),
        pytest.param(PICTURE / 255, id="floats"),
        pytest.param(PICTURE.transpose(2, 0, 1), id="channels first"),
        pytest.param(PICTURE[np.newaxis], id="a batch"),
        pytest.param(PICTURE[..., 0], id="grey"),
    ],
)
def test_an_image_of_another_kind_is_told_the_right_one(pixels: NDArray[Any]) -> None:
    with pytest.raises(ValueError, match=r"4:2:0 tables take uint8 \(h, w, 3\), grey ones \(h, w\) too: not \w+ of \("):
        Encoder(TABLES).encode(pixels)


@pytest.mark.parametrize("pixels", [PICTURE, PICTURE[np.newaxis] / 255, PICTURE[np.newaxis].transpose(0, 3, 1, 2)])
@pytest.mark.parametrize("name", ["encode_batch", "quantise_batch"])
def test_a_batch_of_another_kind_is_told_the_right_one(pixels: NDArray[Any], name: str) -> None:
    with pytest.raises(ValueError, match=r"uint8 \(n, h, w, 3\) or, grey, \(n, h, w, 1\), not \w+ of \("):
        getattr(Encoder(TABLES), name)(pixels)


@pytest.mark.parametrize(("dtype", "dequantise"), [(np.float32, False), (np.int16, True), (np.float64, True)])
def test_planes_of_another_type_are_told_both(dtype: type, dequantise: bool) -> None:
    with pytest.raises(ValueError, match="levels are int16, with dequantise=True float32"):
        Decoder(TABLES).into(*planes(dtype=dtype), dequantise=dequantise)


def test_planes_of_another_layout_are_told_the_right_one() -> None:
    y, c = planes()
    with pytest.raises(ValueError, match=r"1 frames need \(1, 64, h/8, w/8\) and \(1, 128, h/16, w/16\)"):
        Decoder(TABLES).decode_batch([FRAME], np.moveaxis(y, 1, 3).copy(), np.moveaxis(c, 1, 3).copy())


def test_a_jpeg_of_another_kind_is_told_what_is_read() -> None:
    with pytest.raises(UnsupportedJpegError, match=r"arithmetic.*: only 8-bit Huffman JPEG is read.* 4:4:0 or 4:1:1$"):
        Decoder().decode(pictures.pillow_jpeg(PICTURE).replace(b"\xff\xc0", b"\xff\xcd"))


def test_one_frame_for_many_rows_is_told_so() -> None:
    with pytest.raises(ValueError, match="one frame for planes of 2 rows"):
        Decoder(TABLES).into(*planes(count=2)).decode(FRAME)


def test_samplings_are_called_by_their_names_everywhere() -> None:
    full = Encoder(TableSet.standard(75, Sampling.YUV444)).encode(PICTURE)
    (error,) = Decoder(TableSet.standard(75, Sampling.YUV444)).decode_batch([full], *planes(16, 16))
    assert str(error) == "a frame of 32 x 48 in 4:4:4 does not fit a batch of 16 x 16 in 4:2:0"
    with pytest.raises(ValueError, match="levels in 4:2:0, the tables are for grey"):
        Encoder(TableSet.standard(75, Sampling.GREY)).scan_bits(Decoder(TABLES).decode(FRAME))


def test_steps_that_only_dequantised_batches_take_are_told_so() -> None:
    other = pictures.pillow_jpeg(PICTURE, quality=30, subsampling=2)
    (error,) = Decoder(TABLES).decode_batch([other], *planes())
    assert "only dequantised batches take them" in str(error)
    assert Decoder(TABLES).decode_batch([other], *planes(dtype=np.float32), dequantise=True) == [None]


def test_an_instruction_set_that_the_processor_lacks_is_named_beside_those_it_has() -> None:
    for missing in set(Simd) - set(Simd.available()):
        with pytest.raises(ValueError, match=f"no {missing}, only portable"):
            Encoder(TABLES, simd=missing)


def test_steps_may_be_given_as_an_array_of_bytes_and_not_as_one_of_wider_numbers() -> None:
    steps = np.arange(1, 193).reshape(3, 64)
    found = TABLES.with_quant(steps.astype(np.uint8))
    assert found == TABLES.with_quant([bytes(row.tolist()) for row in steps])
    with pytest.raises(InvalidTablesError, match="3 tables of 64 steps"):
        TABLES.with_quant(steps)  # type: ignore[arg-type]


@pytest.mark.parametrize("limit", [-1, 1 << 63])
def test_a_limit_that_is_no_size_is_the_callers_mistake(limit: int) -> None:
    with pytest.raises(ValueError, match="between 0 and 2"):
        Limits(max_bytes=limit)


def test_what_is_bound_as_an_attribute_is_documented() -> None:
    assert "decode(frame)" in str(BoundDecoder.__doc__)
    assert str(Decoder(TABLES).into(*planes()).decode.__doc__)
