"""Which bundle may follow which."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor_client.ota import OfferError, check_offer, floor_after, may_replace
from shared.bundle import Bundle
from tests.sensor_client.signed_bundles import make_bundle

BUNDLE = make_bundle(counter=5, min_counter=3)


def custom_of(bundle: Bundle, **changes: object) -> dict[str, object]:
    return {**bundle.target_custom, **changes}


def test_an_offer_that_fits_passes() -> None:
    check_offer(
        BUNDLE,
        target_path="signs/5.json",
        custom=custom_of(BUNDLE, more="from later versions"),
        family="signs",
        floor_counter=5,
    )


def test_an_offer_of_another_family_is_refused() -> None:
    with pytest.raises(OfferError, match="another family"):
        check_offer(BUNDLE, target_path="signs/5.json", custom=custom_of(BUNDLE), family="letters", floor_counter=0)


def test_an_offer_signed_under_another_path_is_refused() -> None:
    with pytest.raises(OfferError, match=r"signed as signs/6\.json"):
        check_offer(BUNDLE, target_path="signs/6.json", custom=custom_of(BUNDLE), family="signs", floor_counter=0)


@pytest.mark.parametrize("key", BUNDLE.target_custom)
def test_an_offer_that_contradicts_its_signed_entry_is_refused(key: str) -> None:
    with pytest.raises(OfferError, match="signed entry"):
        check_offer(
            BUNDLE,
            target_path="signs/5.json",
            custom=custom_of(BUNDLE, **{key: "other"}),
            family="signs",
            floor_counter=0,
        )


def test_an_offer_below_the_floor_is_refused() -> None:
    with pytest.raises(OfferError, match="older than 6"):
        check_offer(BUNDLE, target_path="signs/5.json", custom=custom_of(BUNDLE), family="signs", floor_counter=6)


@given(st.integers(0, 9), st.integers(0, 9))
def test_the_floor_only_rises_and_what_was_run_stays_allowed(floor: int, other_floor: int) -> None:
    risen = floor_after(floor, BUNDLE.min_counter)

    assert risen >= floor
    assert may_replace(floor, BUNDLE) == (floor <= 5)
    assert may_replace(floor_after(0, BUNDLE.min_counter), BUNDLE)
