"""A picture of any size becomes a frame: the part that the fit names, and nothing else of it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from shared.jpeg import Fit, FitMode, Sampling
from shared.pictures import fitted

SIDES = st.integers(1, 200)
FRAME_SIDES = st.integers(1, 6).map(lambda units: 16 * units)


def noise(width: int, height: int) -> np.ndarray:
    return np.random.default_rng(width * 1000 + height).integers(0, 256, (height, width, 3), dtype=np.uint8)


@settings(max_examples=150, deadline=None)
@given(width=SIDES, height=SIDES, to_width=FRAME_SIDES, to_height=FRAME_SIDES)
def test_the_whole_middle_is_what_pillows_own_fit_shows(width: int, height: int, to_width: int, to_height: int) -> None:
    pixels = noise(width, height)
    expected = ImageOps.fit(Image.fromarray(pixels), (to_width, to_height), Image.Resampling.LANCZOS)
    assert np.array_equal(fitted(pixels, Sampling.YUV420, (to_width, to_height)), np.asarray(expected))


@settings(max_examples=150, deadline=None)
@given(width=SIDES, height=SIDES, to_width=FRAME_SIDES, to_height=FRAME_SIDES, share=st.floats(0.05, 1))
def test_every_fit_gives_a_frame_of_the_size_asked_for(
    width: int, height: int, to_width: int, to_height: int, share: float
) -> None:
    for fit in (Fit(share=share), Fit(FitMode.STRETCH)):
        frame = fitted(noise(width, height), Sampling.YUV420, (to_width, to_height), fit)
        assert (frame.shape, frame.dtype.name) == ((to_height, to_width, 3), "uint8")


def bars(widths: tuple[int, ...], height: int) -> np.ndarray:
    """Grey bars side by side, each 50 brighter than the one before."""
    row = np.repeat(np.arange(len(widths)) * 50, widths).astype(np.uint8)
    return np.broadcast_to(row[None, :, None], (height, len(row), 3)).copy()


@pytest.mark.parametrize(
    ("fit", "shown"),
    [(Fit(), [50, 100, 150]), (Fit(share=1 / 3), [100, 100, 100]), (Fit(FitMode.STRETCH), [0, 100, 200])],
)
def test_a_fit_decides_which_bars_are_seen(fit: Fit, shown: list[int]) -> None:
    frame = fitted(bars((96, 32, 32, 32, 96), 96), Sampling.YUV420, (96, 96), fit)
    assert frame[48, [12, 48, 84], 0].tolist() == shown


def test_a_share_of_a_picture_of_the_right_size_is_enlarged() -> None:
    pixels = noise(32, 32)
    assert fitted(pixels, Sampling.YUV420, (32, 32)).tolist() == pixels.tolist()
    box = (2.0, 2.0, 30.0, 30.0)
    expected = Image.fromarray(pixels).resize((32, 32), Image.Resampling.LANCZOS, box=box)
    assert np.array_equal(fitted(pixels, Sampling.YUV420, (32, 32), Fit(share=0.875)), np.asarray(expected))


def test_a_grey_picture_becomes_rgb_for_a_colour_encoder_and_stays_as_it_is_for_a_grey_one() -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)

    colour = fitted(grey, Sampling.YUV420)

    assert all(np.array_equal(colour[..., channel], grey) for channel in range(3))
    assert fitted(grey, Sampling.GREY) is grey
    assert np.array_equal(fitted(colour, Sampling.GREY), grey)
