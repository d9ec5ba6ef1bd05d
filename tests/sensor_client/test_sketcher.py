"""Sketches of pictures."""

import io

import numpy as np
import pytest
from PIL import Image

from sensor_client.frame_maker import JpegPart
from sensor_client.policies.changes import difference
from sensor_client.sketcher import Sketcher
from shared.jpeg import Fit, JpegError, Sampling
from shared.pictures import fitted
from tests.sensor_client.signed_bundles import make_bundle

RNG = np.random.default_rng(8)
PIXELS = np.asarray(
    Image.fromarray(RNG.integers(0, 256, (8, 10, 3), dtype=np.uint8)).resize((160, 120), Image.Resampling.BICUBIC)
)


def jpeg(quality: int) -> bytes:
    out = io.BytesIO()
    Image.fromarray(PIXELS).save(out, "jpeg", quality=quality)
    return out.getvalue()


def test_dc_is_eight_times_the_mean_of_luma_from_128_on() -> None:
    sketch = Sketcher(make_bundle()).sketch(np.full((32, 32, 3), 138, np.uint8))
    assert sketch.shape == (64, 4, 4)
    assert (sketch[0] == 8 * 10).all() and not sketch[1:].any()


def test_a_jpeg_and_its_pixels_have_nearly_one_sketch() -> None:
    sketcher = Sketcher(make_bundle(side=48))
    data = jpeg(95)
    decoded = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    by_pixels = sketcher.sketch(fitted(decoded, Sampling.YUV420, (48, 48), Fit()))
    by_coefficients = sketcher.sketch(JpegPart(data, Fit()))
    assert difference(by_pixels, by_coefficients) < 1


def test_another_part_of_the_jpeg_has_another_sketch() -> None:
    sketcher = Sketcher(make_bundle(side=48))
    whole, middle = (sketcher.sketch(JpegPart(jpeg(95), Fit(share=share))) for share in (1, 0.4))
    assert difference(whole, middle) > 5


def test_a_damaged_jpeg_is_refused_by_name() -> None:
    with pytest.raises(JpegError):
        Sketcher(make_bundle()).sketch(JpegPart(jpeg(75)[:400] + b"\xff\xd9", Fit()))


def test_a_sketcher_is_for_one_size() -> None:
    sketcher = Sketcher(make_bundle(side=48))
    assert sketcher.fits(make_bundle(2, side=48)) and not sketcher.fits(make_bundle(2, side=32))
