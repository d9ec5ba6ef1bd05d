"""Weights in whole numbers are the codec's, and what would not be exact is refused."""

import math

import numpy as np
import pytest

from cloud_server.c_library.weighing import (
    ENERGY_MAX,
    LIMIT_MAX,
    UnsupportedInCError,
    lowering_limit,
    read_weights,
    weighings_in_c,
    whole_worths,
)
from shared.bundle import EncoderSettings
from shared.bundle.encoding import weights_of
from shared.jpeg import Encoder, TableSet
from tests.shared.jpeg import pictures

TABLES = TableSet.standard(50)


def with_codes(*codes: int) -> EncoderSettings:
    """Settings whose weights have these codes by turns."""
    return EncoderSettings(rdo_weights=np.resize(np.array(codes, np.uint8), (3, 64)))


def test_whole_worths_are_what_squares_of_coefficients_times_8_are_worth() -> None:
    for codes in (range(256), range(200, 256), range(248, 256), [0, 168], [0, 1], [255], [0]):
        worths, unit_bits = whole_worths(codes)
        exact = weights_of(np.array(codes, np.uint8)) / 64 * 2.0**unit_bits
        assert worths == exact.tolist()
        odd = [worth % 2 for worth in worths if worth]
        assert unit_bits == 0 or any(odd)  # no bit more than needed


@pytest.mark.parametrize(("low", "high", "fits"), [(1, 191, True), (1, 192, False), (8, 223, True), (8, 224, False)])
def test_weights_that_lie_too_far_apart_are_refused(low: int, high: int, fits: bool) -> None:
    worths, unit_bits = whole_worths([low, high])
    assert (max(worths) * ENERGY_MAX + (2**13 << unit_bits) <= 2**53) == fits
    if fits:
        assert "#define WEIGHS_BITS 1" in weighings_in_c(TABLES, with_codes(low, high))
        return
    with pytest.raises(UnsupportedInCError, match="component 0"):
        weighings_in_c(TABLES, with_codes(low, high))


def test_weights_that_nothing_reads_may_lie_anywhere() -> None:
    codes = np.full((3, 64), 100, np.uint8)
    codes[:, 0], codes[:, 50:] = 255, 1
    settings = EncoderSettings(zero_mask=np.tile(np.arange(64) >= 50, (3, 1)), rdo_weights=codes)
    assert set(read_weights(settings, 1)) == {0, 100}
    assert "#define WEIGHS_BITS 1" in weighings_in_c(TABLES, settings)


def test_no_block_has_more_energy_than_is_reckoned_with() -> None:
    fine = Encoder(TableSet.standard(100))
    shown = [pictures.extremes(32, 32, seed, 1).repeat(3, 2) for seed in range(40)]  # black and white
    y, _ = fine.quantise_batch(np.stack(shown))
    assert 0.98 * ENERGY_MAX < 64 * (y.astype(float) ** 2).sum(1).max() <= ENERGY_MAX


def test_without_weights_there_is_no_table() -> None:
    assert weighings_in_c(TABLES, EncoderSettings()).startswith("#define WEIGHS_BITS 0")


def test_a_limit_is_the_quotient_without_its_fraction_or_the_largest_number() -> None:
    assert lowering_limit(5, 3, 2, 8) == math.floor(5 / (3 / 4) / 8)
    assert lowering_limit(5, 0, 0, 8) == LIMIT_MAX
    assert lowering_limit(0, 0, 0, 8) == 0
    assert lowering_limit(30, 1, 30, 8) == LIMIT_MAX
