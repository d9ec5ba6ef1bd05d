"""How coefficients become levels: dead zones, masks, and levels that must be worth their bits."""

from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.jpeg import (
    ZIGZAG,
    Coefficients,
    Decoder,
    Encoder,
    Quantisation,
    RateDistortion,
    Sampling,
    Simd,
    Stream,
    SymbolCounts,
    TableSet,
    Transcoder,
)
from tests.reference.rate_distortion import Problem
from tests.shared.jpeg import pictures
from tests.shared.jpeg.levels import colour_levels
from tests.shared.jpeg.test_statistics import lengths

ORDER = list(ZIGZAG)


def frame_of(coefficients: NDArray[Any]) -> bytes:
    """A grey JPEG with steps of 1 that holds these integer coefficients (64, rows, columns)."""
    ones = TableSet.standard(100, Sampling.GREY).with_quant([bytes([1] * 64)])
    _, rows, columns = coefficients.shape
    levels = Coefficients(8 * rows, 8 * columns, Sampling.GREY, (coefficients.astype(np.int16),), ones.quant)
    return Encoder(ones).encode_coefficients(levels, Stream.INTERCHANGE)


def quantised(coefficients: NDArray[Any], tables: TableSet, quantisation: Quantisation | None = None) -> NDArray[Any]:
    """The levels (64, rows, columns) that grey tables make of known coefficients."""
    frame = Transcoder(tables, quantisation=quantisation).transcode(frame_of(coefficients))
    return Decoder(tables).decode(frame).planes[0]


@cache
def photograph_coefficients() -> NDArray[Any]:
    """Integer luma coefficients (64, rows, columns) of a part of the photograph."""
    fine = TableSet.standard(100)
    y, _ = colour_levels(Encoder(fine), pictures.photograph()[None, 100:260, 120:280])
    luma: NDArray[np.int16] = y[0]
    return luma


def fitted_grey(quality: float, coefficients: NDArray[Any]) -> TableSet:
    """Grey tables whose codes suit the coefficients' plain levels."""
    tables = TableSet.standard(quality, Sampling.GREY)
    plain = Decoder(tables).decode(Transcoder(tables).transcode(frame_of(coefficients)))
    counts = SymbolCounts()
    counts.add_coefficients(plain)
    return tables.with_huffman(counts.tables()[:2])


def problems(
    coefficients: NDArray[Any], tables: TableSet, multiplier: float, weights: NDArray[Any]
) -> list[tuple[Problem, int]]:
    """The problem of each block, and the block's index."""
    steps, blocks = np.frombuffer(tables.quant[0], np.uint8), coefficients.reshape(64, -1)
    own = lengths(tables.huffman[1])
    ac = ORDER[1:]
    return [
        (Problem(blocks[ac, b].tolist(), steps[ac].tolist(), weights[ac].tolist(), own, multiplier), b)
        for b in range(blocks.shape[1])
    ]


@pytest.mark.parametrize("seed", range(8))
def test_a_level_is_the_quotient_with_its_offset_added_and_its_fraction_cut_off(seed: int) -> None:
    rng = np.random.default_rng(seed)
    coefficients = rng.integers(-1023, 1024, (64, 6, 7))
    coefficients[:, :3] //= 40
    tables = TableSet.standard(50, Sampling.GREY).with_quant([bytes(rng.integers(1, 256, 64, dtype=np.uint8))])
    steps = np.frombuffer(tables.quant[0], np.uint8).astype(int)[:, None, None]
    rounding = rng.integers(0, 9, 64) / 16  # exact in binary: ties are ties
    found = quantised(coefficients, tables, Quantisation(rounding=rounding))
    expected = (16 * abs(coefficients) + (16 * rounding).astype(int)[:, None, None] * steps) // (16 * steps)
    np.testing.assert_array_equal(found, np.sign(coefficients) * expected)


@pytest.mark.parametrize("sampling", list(Sampling))
def test_the_default_is_rounding_to_the_nearest_and_costs_not_a_byte(sampling: Sampling) -> None:
    tables, picture = TableSet.standard(75, sampling), pictures.natural(37, 53, 1)
    for same in (Quantisation(), Quantisation(rounding=np.full((tables.sampling.components, 64), 0.5))):
        assert Encoder(tables, quantisation=same).encode(picture) == Encoder(tables).encode(picture)


def test_a_masked_frequency_is_never_coded_and_no_other_changes() -> None:
    tables, images = TableSet.standard(90), pictures.noise(32, 32, 1)[None]
    mask = np.zeros((3, 64), bool)
    mask[0, [0, 5, 63]] = mask[2, 7] = True
    plain_y, plain_c = Encoder(tables).quantise_batch(images)
    y, c = Encoder(tables, quantisation=Quantisation(mask=mask)).quantise_batch(images)
    kept_y, kept_c = ~mask[0], ~mask[1:].reshape(128)
    assert plain_y[:, mask[0]].any()
    np.testing.assert_array_equal(y, plain_y * kept_y[:, None, None])
    np.testing.assert_array_equal(c, plain_c * kept_c[:, None, None])


def everything() -> Quantisation:
    """A choice of levels with all options at once."""
    rng = np.random.default_rng(5)
    rdo = RateDistortion(40.0, weights=rng.uniform(0.2, 5, (3, 64)))
    return Quantisation(rounding=rng.uniform(0.2, 0.5, (3, 64)), mask=rng.random((3, 64)) < 0.1, rdo=rdo)


@pytest.mark.parametrize("simd", Simd.available())
def test_every_instruction_set_makes_the_same_levels_and_batches_hold_what_is_coded(simd: Simd) -> None:
    tables = TableSet.standard(80)
    images = np.stack([pictures.natural(48, 64, 1), pictures.extremes(48, 64, 2)])
    encoder = Encoder(tables, quantisation=everything(), simd=simd)
    frames = encoder.encode_batch(images)
    assert frames == Encoder(tables, quantisation=everything(), simd=Simd.PORTABLE).encode_batch(images)
    y, c = colour_levels(encoder, images)
    for index, frame in enumerate(frames):
        found = Decoder(tables).decode(frame)
        np.testing.assert_array_equal(y[index], found.planes[0])
        np.testing.assert_array_equal(c[index], np.concatenate(found.planes[1:]))


@pytest.mark.parametrize("multiplier", [0.5, 20.0, 120.0, 1000.0])
@pytest.mark.parametrize("quality", [12, 50, 90])
def test_no_block_costs_more_than_its_plain_levels_and_hardly_more_than_the_least(
    quality: int, multiplier: float
) -> None:
    coefficients = photograph_coefficients()
    tables = fitted_grey(quality, coefficients)
    weights = np.random.default_rng(quality).uniform(0.3, 3, 64)
    plain = quantised(coefficients, tables).reshape(64, -1)
    rdo = RateDistortion(multiplier, weights)
    found = quantised(coefficients, tables, Quantisation(rdo=rdo)).reshape(64, -1)
    np.testing.assert_array_equal(found[0], plain[0])
    total = least_total = 0.0
    for problem, block in problems(coefficients, tables, multiplier, weights):
        before, after = plain[ORDER[1:], block].tolist(), found[ORDER[1:], block].tolist()
        cost, least = problem.cost(after), problem.least_cost(before)
        assert cost <= problem.cost(before) * (1 + 1e-12)
        assert least <= cost * (1 + 1e-12)
        assert cost <= 1.1 * least
        total, least_total = total + cost, least_total + least
    assert total <= 1.003 * least_total


def with_codes_of_their_own(tables: TableSet, coefficients: NDArray[Any]) -> TableSet:
    """Colour tables whose luma codes suit the coefficients, and whose chroma codes favour what those seldom hold."""
    luma = fitted_grey(50, coefficients).huffman
    counts = SymbolCounts()
    counts.counts[3] = 1 << (np.arange(256) // 8).astype(np.uint64)
    return tables.with_huffman((*luma, *counts.tables()[2:]))


def test_each_component_is_weighed_with_its_own_codes_steps_and_weights() -> None:
    coefficients = photograph_coefficients()[:, :8, :8]
    tables = with_codes_of_their_own(TableSet.standard(50, Sampling.YUV444), coefficients)
    tables = tables.with_quant([bytes([step]) * 64 for step in (6, 9, 14)])
    fine = tables.with_quant([bytes([1]) * 64] * 3)
    levels = Coefficients(64, 64, Sampling.YUV444, (coefficients.astype(np.int16),) * 3, fine.quant)
    frame = Encoder(fine).encode_coefficients(levels, Stream.INTERCHANGE)
    weights = np.stack([np.linspace(0.5, 2, 64), np.ones(64), np.linspace(2, 0.5, 64)])
    rdo = Quantisation(rdo=RateDistortion(12.0, weights))
    plain, found = (
        Decoder(tables).decode(Transcoder(tables, quantisation=choice).transcode(frame)) for choice in (None, rdo)
    )
    for component in range(3):
        codes = lengths(tables.huffman[1 if component == 0 else 3])
        steps, own = list(tables.quant[component]), weights[component]
        total = least_total = 0.0
        for block in range(64):
            before, after = (
                each.planes[component].reshape(64, -1)[ORDER[1:], block].tolist() for each in (plain, found)
            )
            values = coefficients.reshape(64, -1)[ORDER[1:], block].tolist()
            problem = Problem(values, steps[1:], own[ORDER[1:]].tolist(), codes, 12.0)
            assert problem.cost(after) <= problem.cost(before) * (1 + 1e-12)
            total, least_total = total + problem.cost(after), least_total + problem.least_cost(before)
        assert least_total <= total * (1 + 1e-12)
        assert total <= 1.01 * least_total


@pytest.mark.parametrize("draw", [pictures.noise, pictures.extremes])
def test_blocks_full_of_levels_under_codes_of_another_kind_stay_near_the_least_cost(draw: pictures.Draw) -> None:
    coefficients = Encoder(TableSet.standard(100)).quantise_batch(draw(32, 32, 3)[None])[0][0]
    tables, weights = TableSet.standard(60, Sampling.GREY), np.ones(64)
    for multiplier in (10.0, 300.0, 3000.0):
        plain = quantised(coefficients, tables).reshape(64, -1)
        found = quantised(coefficients, tables, Quantisation(rdo=RateDistortion(multiplier))).reshape(64, -1)
        total = least_total = 0.0
        for problem, block in problems(coefficients, tables, multiplier, weights):
            before, after = plain[ORDER[1:], block].tolist(), found[ORDER[1:], block].tolist()
            assert problem.cost(after) <= problem.cost(before) * (1 + 1e-12)
            total, least_total = total + problem.cost(after), least_total + problem.least_cost(before)
        assert least_total <= total * (1 + 1e-12)
        assert total <= 1.01 * least_total


def test_the_reference_finds_the_least_of_all_choices() -> None:
    tables = TableSet.standard(50, Sampling.GREY)
    rng = np.random.default_rng(1)
    for _ in range(20):
        levels = np.zeros(63, int)
        levels[rng.choice(63, 5, replace=False)] = rng.integers(-4, 5, 5)
        coefficients = 10 * levels + rng.uniform(-5, 5, 63)
        problem = Problem(coefficients.tolist(), [10] * 63, [1.0] * 63, lengths(tables.huffman[1]), 40.0)
        choices = [np.zeros(63, int)]
        for position in np.flatnonzero(levels):
            more = []
            for choice in choices:
                for value in (levels[position], levels[position] - np.sign(levels[position])):
                    changed = choice.copy()
                    changed[position] = value
                    more.append(changed)
            choices += more
        assert problem.least_cost(levels.tolist()) == pytest.approx(min(problem.cost(c.tolist()) for c in choices))


def test_optimised_levels_take_fewer_bytes_at_less_distortion_than_larger_steps() -> None:
    coefficients = photograph_coefficients()
    tables = fitted_grey(60, coefficients)
    steps = np.frombuffer(tables.quant[0], np.uint8).astype(int)[:, None, None]

    def measured(used: TableSet, quantisation: Quantisation | None) -> tuple[int, float]:
        frame = Transcoder(used, quantisation=quantisation).transcode(frame_of(coefficients), Stream.SCAN)
        own = np.frombuffer(used.quant[0], np.uint8).astype(int)[:, None, None]
        error = (coefficients - own * quantised(coefficients, used, quantisation)) / steps
        return len(frame), float((error**2).sum())

    weights = 1.0 / steps.reshape(64).astype(float) ** 2
    optimised = measured(tables, Quantisation(rdo=RateDistortion(0.12, weights)))
    for percent in range(105, 200, 5):
        larger = bytes(np.minimum((steps.reshape(64) * percent + 50) // 100, 255).astype(np.uint8))
        plain = measured(fitted_grey(60, coefficients).with_quant([larger]), None)
        if plain[1] >= optimised[1]:
            break
    assert optimised[0] < 0.97 * plain[0]


def test_frequencies_without_weight_are_dropped_and_those_of_great_weight_stay() -> None:
    tables, images = TableSet.standard(95), pictures.noise(32, 32, 1)[None]
    weights, worthless = np.full((3, 64), 1e9), ORDER[40:]
    weights[0, worthless] = 0
    plain_y, plain_c = colour_levels(Encoder(tables), images)
    y, c = colour_levels(Encoder(tables, quantisation=Quantisation(rdo=RateDistortion(1.0, weights))), images)
    assert plain_y[:, worthless].any()
    assert not y[:, worthless].any()
    # Only a coefficient half way between 0 and 1 step loses nothing whichever way it goes.
    assert (y[:, ORDER[:40]] != plain_y[:, ORDER[:40]]).mean() < 0.01
    assert (c != plain_c).mean() < 0.01


@pytest.mark.parametrize("multiplier", [5e-324, 1e-300, 1.0, 1e300])
@pytest.mark.parametrize("weight", [0.0, 5e-324, 1.0, 1e300])
def test_no_multiplier_and_no_weight_makes_levels_larger(multiplier: float, weight: float) -> None:
    images = np.stack([pictures.natural(32, 32, 1), pictures.extremes(32, 32, 2)])
    tables = TableSet.standard(85)
    plain = colour_levels(Encoder(tables), images)
    optimising = Quantisation(rdo=RateDistortion(multiplier, weight))
    found = colour_levels(Encoder(tables, quantisation=optimising), images)
    for before, after in zip(plain, found, strict=True):
        assert (np.sign(after) * np.sign(before) >= 0).all()
        assert (abs(after) <= abs(before)).all()
        assert ((abs(before) - abs(after) <= 1) | (after == 0)).all()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"rounding": 0.51}, "between 0 and 1/2"),
        ({"rounding": -0.01}, "between 0 and 1/2"),
        ({"rounding": float("nan")}, "between 0 and 1/2"),
        ({"rounding": np.zeros(63)}, "rounding of shape"),
        ({"rounding": np.zeros((2, 64))}, "rounding of shape"),
        ({"mask": np.zeros(64)}, "must be bool"),
        ({"mask": np.zeros((64, 3), bool)}, "mask of shape"),
        ({"rdo": RateDistortion(1.0, weights=-1.0)}, "weights must be finite"),
        ({"rdo": RateDistortion(1.0, weights=np.full(64, np.inf))}, "weights must be finite"),
        ({"rdo": RateDistortion(1.0, weights=np.ones(65))}, "weights of shape"),
    ],
)
def test_options_that_mean_nothing_are_the_callers_mistake(wrong: dict[str, Any], message: str) -> None:
    for build in (Encoder, Transcoder):
        with pytest.raises(ValueError, match=message):
            build(TableSet.standard(), quantisation=Quantisation(**wrong))


@pytest.mark.parametrize("multiplier", [0.0, -1.0, float("inf"), float("nan")])
def test_a_bit_must_be_worth_something_finite(multiplier: float) -> None:
    with pytest.raises(ValueError, match="finite and above 0"):
        RateDistortion(multiplier)
