"""The quality of ordinary JPEG, by its steps."""

import io

import numpy as np
import pytest
from PIL import Image

from cloud_server.feedback.reference_quality import REFERENCE_QUALITY_LEAST, is_reference, quality_of
from shared.jpeg import JpegError, Sampling, Stream, TableSet
from tests.cloud_server.harness.frames import frame, picture, tables


@pytest.mark.parametrize("quality", [1, 25, 75, 90, 100])
def test_the_quality_is_read_from_files_of_anybody(quality: int) -> None:
    assert quality_of(frame(tables(quality), 1, Stream.INTERCHANGE)) == quality
    out = io.BytesIO()
    Image.fromarray(picture(1)).save(out, "jpeg", quality=quality)
    assert quality_of(out.getvalue()) == quality


def test_other_steps_other_samplings_and_none_at_all_are_no_quality() -> None:
    quant = np.frombuffer(b"".join(tables(90).quant), np.uint8).reshape(3, 64).copy()
    quant[1, 5] += 1
    assert quality_of(frame(tables(90).with_quant(quant), 1, Stream.INTERCHANGE)) is None
    assert quality_of(frame(TableSet.standard(12.6), 1, Stream.INTERCHANGE)) is None
    assert quality_of(frame(TableSet.standard(90, Sampling.YUV444), 1, Stream.INTERCHANGE)) == 90
    assert quality_of(frame(tables(90), 1)) is None


def test_coarse_steps_and_those_of_no_quality_are_no_reference() -> None:
    sent = {quality: frame(TableSet.standard(quality), 1, Stream.INTERCHANGE) for quality in (1, 49, 50, 90, 90.4)}
    assert [quality for quality, file in sent.items() if is_reference(file)] == [REFERENCE_QUALITY_LEAST, 90]


def test_what_is_no_jpeg_is_said_to_be_none() -> None:
    with pytest.raises(JpegError):
        quality_of(b"no picture")
