"""Which part of a picture is scaled to a bundle's size."""

from random import Random

import pytest
from PIL import Image, ImageOps

from shared.jpeg import Box, Fit, FitMode


def test_by_default_the_largest_centred_part_of_the_sizes_aspect_is_taken() -> None:
    assert Fit() == Fit(FitMode.CROP, 1.0)
    assert Fit().box(640, 480, 32, 32) == Box(80, 0, 480, 480)
    assert Fit().box(480, 640, 32, 32) == Box(0, 80, 480, 480)
    assert Fit().box(640, 480, 64, 32) == Box(0, 80, 640, 320)


def test_a_picture_of_the_sizes_aspect_is_taken_whole() -> None:
    assert Fit().box(640, 480, 64, 48) == Box(0, 0, 640, 480)
    assert Fit().box(33, 21, 33, 21) == Box(0, 0, 33, 21)


def test_a_share_keeps_the_middle() -> None:
    assert Fit(share=0.5).box(640, 480, 32, 32) == Box(200, 120, 240, 240)


def test_stretching_takes_the_whole_picture() -> None:
    assert Fit(FitMode.STRETCH).box(640, 480, 32, 32) == Box(0, 0, 640, 480)


def test_a_mode_may_come_as_its_word() -> None:
    assert Fit("stretch").mode is FitMode.STRETCH  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="squeeze"):
        Fit("squeeze")  # type: ignore[arg-type]


@pytest.mark.parametrize("share", [0, -1, 0.0499, 1.001, float("nan"), float("inf")])
def test_a_share_outside_its_range_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="share"):
        Fit(share=share)


def test_stretching_has_no_share() -> None:
    with pytest.raises(ValueError, match="whole picture"):
        Fit(FitMode.STRETCH, 0.5)


def test_no_rounding_leads_beyond_the_picture_or_changes_the_aspect() -> None:
    rng = Random(1)
    for _ in range(50_000):
        width, height, to_width, to_height = (rng.randint(1, 5000) for _ in range(4))
        box = Fit(share=rng.choice((1.0, rng.uniform(0.05, 1)))).box(width, height, to_width, to_height)
        assert 0 <= box.x <= box.x + box.width <= width
        assert 0 <= box.y <= box.y + box.height <= height
        assert box.width / box.height == pytest.approx(to_width / to_height)


def test_it_is_the_part_that_pillow_fits() -> None:
    picture = Image.linear_gradient("L").resize((200, 123))
    box = Fit().box(*picture.size, 64, 48)
    edges = (box.x, box.y, box.x + box.width, box.y + box.height)
    fitted = ImageOps.fit(picture, (64, 48), Image.Resampling.LANCZOS)
    assert picture.resize((64, 48), Image.Resampling.LANCZOS, box=edges).tobytes() == fitted.tobytes()
