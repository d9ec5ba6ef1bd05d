"""Which pictures are encoded a second time, with which tables."""

from dataclasses import dataclass

import pytest

from sensor_client.probing import PERIOD_FRAMES, is_chosen, is_pair
from shared.bundle import Bundle
from shared.jpeg import Fit
from tests.sensor_client.signed_bundles import make_bundle

V1, V2 = make_bundle(1), make_bundle(2, quality=80)


@dataclass(frozen=True)
class Case:
    why: str
    other: Bundle


NO_PAIRS = [
    Case("the same bundle", V2),
    Case("of another family", make_bundle(1, family="doors")),
    Case("of another size", make_bundle(1, side=48)),
    Case("of another part of the picture", make_bundle(1, fit=Fit(share=0.5))),
]


def test_two_versions_for_the_same_prepared_picture_are_a_pair_whichever_is_newer() -> None:
    assert is_pair(V2, V1) and is_pair(V1, V2)


@pytest.mark.parametrize("case", NO_PAIRS, ids=lambda case: case.why)
def test_a_bundle_is_compared_with_none(case: Case) -> None:
    assert not is_pair(V2, case.other)


def test_one_frame_in_two_hundred_is_chosen() -> None:
    chosen = [sequence for sequence in range(200_000) if is_chosen("k3j9", sequence)]
    assert len(chosen) == pytest.approx(200_000 / PERIOD_FRAMES, rel=0.1)


def test_devices_choose_other_numbers_and_each_the_same_ones_again() -> None:
    one, other = ({sequence for sequence in range(20_000) if is_chosen(device, sequence)} for device in ("a", "b"))
    assert one and other and len(one & other) < 10
    assert one == {sequence for sequence in range(20_000) if is_chosen("a", sequence)}


def test_what_repeats_itself_in_front_of_a_camera_is_not_chosen_over_and_over() -> None:
    places = {sequence % 10 for sequence in range(20_000) if is_chosen("a", sequence)}
    assert places == set(range(10))
