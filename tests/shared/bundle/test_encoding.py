"""Encoder settings: what a bundle can carry comes back as it was, and the codec does the same with it everywhere."""

import json
from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from shared.bundle import EncoderSettings, Encoding
from shared.bundle.encoding import codes_of, weights_of
from shared.jpeg import Encoder, Quantisation, RateDistortion, Simd, TableSet
from tests.shared.jpeg import pictures

CODES = arrays(np.uint8, (3, 64))
SETTINGS = st.builds(
    EncoderSettings,
    arrays(np.uint8, (3, 64), elements=st.integers(0, 64)),
    arrays(np.bool_, (3, 64)),
    st.none() | CODES,
)
TABLES = TableSet.standard(50)


def tiles() -> np.ndarray:
    """Pictures uint8 (35, 32, 32, 3) of a photograph."""
    photograph = pictures.photograph()
    corners = [(y, x) for y in range(0, 160, 32) for x in range(0, 224, 32)]
    return np.stack([photograph[y : y + 32, x : x + 32] for y, x in corners])


@given(SETTINGS)
def test_settings_come_back_from_json_and_from_their_own_floats(settings: EncoderSettings) -> None:
    assert EncoderSettings.from_json(json.loads(json.dumps(settings.to_json()))) == settings
    assert EncoderSettings.nearest(settings.rounding, settings.zero_mask, settings.weights) == settings


@given(SETTINGS, SETTINGS)
def test_settings_are_equal_where_all_their_numbers_are(one: EncoderSettings, other: EncoderSettings) -> None:
    assert (one == other) == (one.to_json() == other.to_json())
    again = EncoderSettings(one.dead_zone.copy(), one.zero_mask.copy(), one.rdo_weights)
    assert again == one
    assert hash(again) == hash(one)


@given(arrays(np.float64, (3, 64), elements=st.floats(2**-20, 1920)))
def test_the_nearest_weight_is_at_most_6_percent_away(weights: np.ndarray) -> None:
    snapped = EncoderSettings.nearest(weights=weights).weights
    assert snapped is not None
    assert (abs(snapped / weights - 1) <= 1 / 16).all()


@given(arrays(np.float64, (3, 64), elements=st.floats(0, 0.5)))
def test_the_nearest_offset_is_at_most_half_of_1_128_away(rounding: np.ndarray) -> None:
    assert (abs(EncoderSettings.nearest(rounding=rounding).rounding - rounding) <= 1 / 256).all()


def test_weights_are_exact_and_grow_from_zero_by_an_eighth_at_most() -> None:
    weights = weights_of(np.arange(256, dtype=np.uint8))
    assert (weights[0], weights[1], weights[168], weights[255]) == (0.0, 1.125 * 2**-21, 1.0, 1920.0)
    ratios = weights[2:] / weights[1:-1]
    assert ratios.min() >= 16 / 15
    assert ratios.max() <= 9 / 8
    assert (codes_of(weights) == np.arange(256)).all()
    assert codes_of(np.array([1e-9, 1e9])).tolist() == [0, 255]


def test_numbers_and_single_rows_are_for_all_components() -> None:
    row = np.linspace(0, 0.5, 64)
    settings = EncoderSettings.nearest(row, np.arange(64) > 40, 0.25)
    assert settings.rounding.shape == settings.zero_mask.shape == (3, 64)
    assert settings.zero_mask.sum() == 3 * 23
    assert np.all(settings.weights == 0.25)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"dead_zone": np.full((3, 64), 65, np.uint8)}, "dead_zone goes up to 64"),
        ({"dead_zone": np.zeros((3, 64))}, "dead_zone must be uint8"),
        ({"dead_zone": np.zeros(64, np.uint8)}, r"dead_zone must be uint8 \(3, 64\)"),
        ({"zero_mask": np.zeros((3, 64), np.uint8)}, "zero_mask must be bool"),
        ({"rdo_weights": [1, 2, 3]}, "rdo_weights must be uint8 .* not list"),
    ],
)
def test_what_no_bundle_can_carry_is_refused_by_name(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        EncoderSettings(**changes)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"rounding": 0.51}, "rounding must be finite, at least 0 and at most 0.5"),
        ({"rounding": np.nan}, "rounding must be finite"),
        ({"weights": -1.0}, "weights must be finite"),
        ({"weights": np.inf}, "weights must be finite"),
        ({"weights": np.ones((2, 64))}, "broadcast"),
        ({"mask": 1}, "mask must be bool"),
    ],
)
def test_what_has_no_nearest_is_refused(asked: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        EncoderSettings.nearest(**asked)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"dead_zone": None}, "dead_zone must be base64 text"),
        ({"dead_zone": "?"}, "dead_zone is not base64"),
        ({"dead_zone": "\u00e4"}, "dead_zone is not base64"),
        ({"rdo_weights": "AAAA"}, "rdo_weights has 3 bytes, not 192"),
        ({"zero_mask": "AAAA"}, "zero_mask has 3 bytes, not 24"),
        ({"more": None}, "settings are an object of dead_zone, rdo_weights, zero_mask"),
    ],
)
def test_json_that_is_no_settings_is_refused_by_name(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        EncoderSettings.from_json(EncoderSettings().to_json() | changes)


def test_settings_cannot_be_changed_behind_their_back() -> None:
    codes = np.full((3, 64), 30, np.uint8)
    settings = EncoderSettings(dead_zone=codes)
    codes[:] = 64
    assert (settings.dead_zone == 30).all()
    with pytest.raises(ValueError, match="read-only"):
        settings.dead_zone[0, 0] = 64


def test_the_default_encodes_as_plain_tables_do() -> None:
    assert Encoding(TABLES).encoder().encode_batch(tiles()) == Encoder(TABLES).encode_batch(tiles())


def test_snapped_settings_are_what_the_codec_is_told() -> None:
    random = np.random.default_rng(1)
    steps = np.array([list(table) for table in TABLES.quant], float)
    weights = random.uniform(0.5, 2, (3, 64)) / (0.12 * steps**2)
    settings = EncoderSettings.nearest(random.uniform(0.3, 0.5, (3, 64)), random.random((3, 64)) < 0.2, weights)
    assert settings.weights is not None
    rdo = RateDistortion(0.5, settings.weights / 2)  # another multiplier, the same trade
    told = Quantisation(settings.dead_zone / 128, settings.zero_mask, rdo)
    made = Encoding(TABLES, settings).encoder().encode_batch(tiles())
    assert made == Encoder(TABLES, quantisation=told).encode_batch(tiles())
    y, c = Encoding(TABLES, settings).encoder().quantise_batch(tiles())
    assert c is not None
    assert not y[:, settings.zero_mask[0]].any()
    assert not c[:, settings.zero_mask[1:].ravel()].any()


@hypothesis.settings(deadline=None)
@given(SETTINGS)
def test_every_settings_give_the_same_levels_on_every_processor_and_any_number_of_threads(
    settings: EncoderSettings,
) -> None:
    levels = []
    for simd in Simd.available():
        for threads in (1, 2):
            encoder = Encoder(TABLES, quantisation=settings.quantisation(), simd=simd)
            levels.append(
                np.concatenate(
                    [np.ravel(plane) for plane in encoder.quantise_batch(tiles(), threads=threads) if plane is not None]
                )
            )
    assert all((other == levels[0]).all() for other in levels)
