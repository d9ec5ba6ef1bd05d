"""The part of a picture that is looked at."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor_client.policies.region import LEAST_SIDE, Region, RegionError, RegionFit
from shared.jpeg import Box, Fit, FitMode

SIDES = st.integers(1, 4096)
SHARES = st.floats(LEAST_SIDE, 1)


@st.composite
def regions(draw: st.DrawFn) -> Region:
    width, height = draw(SHARES), draw(SHARES)
    return Region(draw(st.floats(0, 1 - width)), draw(st.floats(0, 1 - height)), width, height)


def test_a_region_is_a_share_of_the_picture_whatever_its_size() -> None:
    fit = RegionFit(Region.of("0.5,0,0.5,1"), Fit(FitMode.STRETCH))
    assert fit.box(640, 480, 32, 32) == Box(320, 0, 320, 480)
    assert fit.box(1280, 960, 32, 32) == Box(640, 0, 640, 960)


def test_the_bundles_fit_takes_its_part_of_the_region() -> None:
    assert RegionFit(Region(0.5, 0, 0.5, 1), Fit()).box(640, 480, 32, 32) == Box(320, 80, 320, 320)
    assert RegionFit(Region(0.5, 0, 0.5, 1), Fit(share=0.5)).box(640, 480, 32, 32) == Box(400, 160, 160, 160)


@given(regions(), SIDES, SIDES, SIDES, SIDES, st.floats(0.05, 1))
def test_no_region_reaches_beyond_the_picture_or_is_empty(
    region: Region, width: int, height: int, to_width: int, to_height: int, share: float
) -> None:
    box = RegionFit(region, Fit(share=share)).box(width, height, to_width, to_height)
    assert box.x >= 0 and box.y >= 0 and box.width > 0 and box.height > 0
    assert box.x + box.width <= width and box.y + box.height <= height


def test_the_whole_picture_as_a_region_is_what_no_region_is() -> None:
    assert RegionFit(Region(0, 0, 1, 1), Fit()).box(641, 479, 48, 32) == Fit().box(641, 479, 48, 32)


@pytest.mark.parametrize(
    "text", ["", "0,0,1", "0,0,1,1,1", "a,0,1,1", "0.5,0,0.6,1", "-0.1,0,1,1", "0,0,0,1", "nan,0,1,1", "0,0,inf,1"]
)
def test_what_is_no_region_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(RegionError, match="X,Y,WIDTH,HEIGHT"):
        Region.of(text)


def test_a_region_says_itself() -> None:
    region = Region.of("0.25, 0, 0.5, 0.125")
    assert str(region) == "0.25,0,0.5,0.125" and Region.of(str(region)) == region
