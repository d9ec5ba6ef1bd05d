"""Whether a picture differs from the one that was sent last."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from sensor_client.policies import OnChange, Reason, Sent, Sketch, look
from sensor_client.policies.changes import difference, reason_to_send
from sensor_client.sketcher import Sketcher
from shared.jpeg import Fit, Sampling
from shared.pictures import fitted
from tests.sensor_client.signed_bundles import make_bundle

EIGHT = OnChange(8.0, keep_alive_seconds=60)
SIDE = 224


def scene() -> NDArray[np.float64]:
    """A picture of 640 x 480 with large and small structure: float64 (480, 640, 3), 25 to 220."""
    random = np.random.default_rng(3)
    coarse, fine = (random.uniform(0, 1, (size, size, 3)) for size in (6, 40))
    picture = 0.7 * coarse.repeat(80, 0).repeat(107, 1)[:480, :640] + 0.3 * fine.repeat(12, 0).repeat(16, 1)
    return 25 + 195 * picture


def sketch(picture: NDArray[np.float64], side: int = SIDE) -> Sketch:
    pixels = picture.clip(0, 255).round().astype(np.uint8)
    return Sketcher(make_bundle(1, side=side)).sketch(fitted(pixels, Sampling.YUV420, (side, side), Fit()))


def differs(changed: NDArray[np.float64], side: int = SIDE) -> float:
    return difference(sketch(scene(), side), sketch(changed, side))


def with_something_in_it(share: float) -> NDArray[np.float64]:
    """The scene, and in its middle a square that takes a share of the picture and is 60 grey levels brighter."""
    picture, side = scene(), round((share * 480 * 480) ** 0.5)
    picture[200 : 200 + side, 300 : 300 + side] += 60
    return picture


@pytest.mark.parametrize("side", [32, 96, SIDE])
@pytest.mark.parametrize("sigma", [2, 5, 10])
def test_noise_of_a_sensor_is_no_change(side: int, sigma: int) -> None:
    noise = np.random.default_rng(1).normal(0, sigma, (480, 640, 3))
    assert differs(scene() + noise, side) < 4


@pytest.mark.parametrize(
    "light", [lambda x: x + 12, lambda x: x - 12, lambda x: 1.12 * x, lambda x: 0.88 * x, lambda x: 0.9 * x + 9]
)
def test_a_flicker_of_the_light_is_no_change(light: object) -> None:
    assert differs(light(scene())) < 4  # type: ignore[operator]


def test_light_that_goes_out_is_a_change() -> None:
    assert differs(0 * scene()) > 50
    assert differs(0.5 * scene()) > 8


def test_half_the_contrast_as_in_fog_is_a_change() -> None:
    assert differs(128 + 0.5 * (scene() - 128)) > 11


def test_something_that_takes_a_hundredth_of_the_picture_is_a_change_though_the_light_flickers() -> None:
    assert differs(with_something_in_it(0.01)) > 8
    assert differs(1.08 * with_something_in_it(0.02) - 5) > 8
    assert differs(with_something_in_it(0.05)) > differs(with_something_in_it(0.01))


@pytest.mark.skipif("DCTWIRE_DATA" not in os.environ, reason="DCTWIRE_DATA names no folder with cifar-100-python")
def test_photographs_stay_the_same_under_noise_and_dimmer_light_and_something_small_changes_each_of_them() -> None:
    with Path(os.environ["DCTWIRE_DATA"], "cifar-100-python", "test").open("rb") as file:
        photographs = pickle.load(file, encoding="latin1")["data"][:60].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    random = np.random.default_rng(0)
    found: dict[str, list[float]] = {}
    for small in photographs:
        large = np.asarray(Image.fromarray(small).resize((480, 480), Image.Resampling.BICUBIC)).astype(np.float64)
        shifted, square = large.copy(), (slice(200, 248), slice(200, 248))
        shifted[square] += -60 if large[square].mean() > 127 else 60
        ways = {
            "noise": large + random.normal(0, 10, large.shape),
            "dimmer": 0.9 * large,
            "brighter": large + 12,
            "something small": shifted,
        }
        for name, changed in ways.items():
            found.setdefault(name, []).append(difference(sketch(large, 96), sketch(changed, 96)))
    assert max(found["noise"]) < 6 and max(found["dimmer"]) < 8 and max(found["brighter"]) < 8
    assert min(found["something small"]) > 12


def test_a_uniform_step_of_one_block_counts_in_grey_levels() -> None:
    before = np.zeros((64, 2, 2), np.int16)
    after = before.copy()
    after[0, 1, 1] = 8 * 30  # T.81 A.3.3: DC is eight times the block's mean
    assert difference(before, after) == pytest.approx(30)


def test_a_picture_without_any_structure_can_be_compared() -> None:
    flat = np.zeros((64, 4, 4), np.int16)
    assert difference(flat, flat) == 0
    brighter = flat.copy()
    brighter[0] += 8 * 10
    assert difference(flat, brighter) == 0


@given(st.lists(st.integers(-1024, 1023), min_size=32, max_size=32))
def test_nothing_differs_from_itself(means: list[int]) -> None:
    own = np.zeros((64, 4, 8), np.int16)
    own[0] = np.array(means).reshape(4, 8)
    assert difference(own, own) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("differs", "is_moving", "since", "reason"),
    [
        (None, False, 0, Reason.FIRST),
        (7.9, False, 59, None),
        (8.0, False, 0, Reason.CHANGE),
        (4.0, True, 0, Reason.CHANGE),
        (3.9, True, 0, Reason.STILL),
        (3.9, False, 60, Reason.KEEP_ALIVE),
        (9.0, False, 60, Reason.CHANGE),
    ],
)
def test_sending_starts_at_the_threshold_and_stops_below_half_of_it(
    differs: float | None, is_moving: bool, since: float, reason: Reason | None
) -> None:
    assert reason_to_send(differs, is_moving=is_moving, seconds_since_sent=since, orders=EIGHT) is reason


def flat_but_for_one_block(grey: float) -> Sketch:
    made = np.zeros((64, 4, 4), np.int16)
    made[0, 0, 0] = round(8 * grey)
    return made


def reasons(greys: list[float], *, every_seconds: float = 1.0) -> list[Reason | None]:
    """Why each of a series of pictures is sent."""
    last: Sent | None = None
    found = []
    for index, grey in enumerate(greys):
        looked = look(last, "view", flat_but_for_one_block(grey), index * every_seconds, EIGHT)
        found.append(looked.reason)
        last = last if looked.reason is None else looked.then
    return found


def test_a_motion_is_sent_from_its_beginning_to_the_first_picture_after_it() -> None:
    assert reasons([0, 1, 0, 20, 30, 40, 40, 40, 41, 40]) == [
        Reason.FIRST,
        None,
        None,
        *3 * [Reason.CHANGE],
        Reason.STILL,
        None,
        None,
        None,
    ]


def test_what_creeps_is_compared_with_what_was_sent_not_with_the_picture_before() -> None:
    assert reasons([0, 2, 4, 6, 8, 9, 9]) == [Reason.FIRST, None, None, None, Reason.CHANGE, Reason.STILL, None]


def test_a_scene_that_stays_is_shown_now_and_then() -> None:
    assert reasons([5] * 7, every_seconds=30) == [Reason.FIRST, *3 * [None, Reason.KEEP_ALIVE]]


def test_pictures_of_another_view_are_not_compared() -> None:
    first = look(None, "left", flat_but_for_one_block(0), 0, EIGHT)
    assert look(first.then, "left", flat_but_for_one_block(0), 1, EIGHT).reason is None
    assert look(first.then, "right", np.zeros((64, 2, 2), np.int16), 1, EIGHT).reason is Reason.FIRST
