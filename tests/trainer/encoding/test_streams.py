"""The real codec's view of pictures, with settings beside the tables."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from shared.jpeg import SymbolCounts, TableSet
from trainer.data import Split, SplitName, noise, synthetic
from trainer.encoding import streams
from trainer.encoding.encodings import of_standard
from trainer.encoding.files import EncoderSettings, Encoding

TABLES = TableSet.standard(30)
STEPS = np.array([list(table) for table in TABLES.quant], float)
THRIFTY = EncoderSettings.nearest(weights=1 / (0.2 * STEPS**2))


@pytest.fixture(scope="module")
def split() -> Split:
    return synthetic.generate(SplitName.TRAIN, 1000, size=32, seed=4)


def mean_bytes(encoding: Encoding, split: Split) -> float:
    return float(streams.scan_bytes(encoding, split.pixels).mean())


def test_levels_obey_the_settings(split: Split) -> None:
    mask = np.arange(64) > 20
    plain, masked = (streams.quantise(Encoding(TABLES, EncoderSettings.nearest(mask=m)), split) for m in (False, mask))
    assert plain.y[:, 21:].any()
    assert not masked.y[:, 21:].any()
    assert torch.equal(plain.y[:, :21], masked.y[:, :21])


def test_fitting_leaves_plain_levels_and_settings_as_they_are(split: Split) -> None:
    encoding = Encoding(TABLES, EncoderSettings.nearest(rounding=0.4))
    fitted = streams.with_fitted_huffman(encoding, split)
    assert (fitted.settings, fitted.tables.quant) == (encoding.settings, encoding.tables.quant)
    assert torch.equal(streams.quantise(fitted, split).y, streams.quantise(encoding, split).y)
    assert streams.with_fitted_huffman(fitted, split) == fitted


def test_codes_fitted_to_optimised_levels_beat_those_fitted_to_plain_ones(split: Split) -> None:
    of_plain = streams.with_fitted_huffman(Encoding(TABLES), split)
    fitted = streams.with_fitted_huffman(Encoding(TABLES, THRIFTY), split)
    assert mean_bytes(fitted, split) < mean_bytes(replace(of_plain, settings=THRIFTY), split)


def test_codes_are_fitted_again_to_the_levels_that_fitted_codes_make(split: Split) -> None:
    encoding = Encoding(TABLES, THRIFTY)
    levels, counts = streams.quantise(encoding, split), SymbolCounts()
    counts.add(levels.y.numpy(), levels.c.numpy())
    once = replace(encoding, tables=TABLES.with_huffman(counts.tables()))
    assert mean_bytes(streams.with_fitted_huffman(encoding, split), split) < mean_bytes(once, split)


def test_more_fits_would_bring_less_than_half_a_percent(split: Split) -> None:
    once = streams.with_fitted_huffman(Encoding(TABLES, THRIFTY), split)
    twice = streams.with_fitted_huffman(once, split)
    assert mean_bytes(twice, split) > 0.995 * mean_bytes(once, split)


def test_codes_are_fitted_to_all_pictures_and_not_to_the_first_part_of_them() -> None:
    alike = noise.pictures(64, 32, 32)
    flat = np.zeros((streams.PART, 32, 32, 3), np.uint8)
    both, first = (Split(each, np.zeros(len(each), np.int64)) for each in (np.concatenate([flat, alike]), flat))
    encoding = of_standard(75)
    fitted, of_first = (streams.with_fitted_huffman(encoding, split) for split in (both, first))
    assert streams.scan_bytes(fitted, alike).sum() < 0.95 * streams.scan_bytes(of_first, alike).sum()
