"""Evaluation: intervals with known values, and bytes in three units counted on real streams."""

import numpy as np
import pytest

from shared.jpeg import Stream, TableSet
from trainer import streams
from trainer.data import SplitName, synthetic
from trainer.encoding import Encoding
from trainer.evaluation import decode, wilson_interval


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    # from Wilson's closed form at the ends: 0 of n gives z^2 / (n + z^2)
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (50, 100, 0.4038, 0.5962), (950, 1000, 0.9347, 0.9619)],
)
def test_wilson_interval_has_its_published_values(right, n, low, high):
    assert wilson_interval(right, n) == pytest.approx((low, high), abs=2e-4)


def test_decoded_frames_are_the_levels_that_training_saw():
    split = synthetic.generate(32, 4, SplitName.TEST, 50)
    levels = streams.quantise(Encoding(TableSet.standard(50)), split)
    encoding = streams.with_fitted_huffman(Encoding(TableSet.standard(50)), split)
    decoded = decode(encoding.tables, encoding.encoder().encode_batch(split.pixels, Stream.ABBREVIATED), split)
    assert np.array_equal(decoded.y, levels.y)
    assert np.array_equal(decoded.c, levels.c)


def test_fitted_huffman_tables_save_bytes_and_still_encode_pictures_never_seen():
    train = synthetic.generate(32, 4, SplitName.TRAIN, 1000)
    annex_k = Encoding(TableSet.standard(50))
    fitted = streams.with_fitted_huffman(annex_k, train)
    test = synthetic.generate(32, 4, SplitName.TEST, 256)
    noise = np.random.default_rng(0).integers(0, 256, (64, 32, 32, 3), dtype=np.uint8)
    assert streams.scan_bytes(fitted, test.pixels).mean() < streams.scan_bytes(annex_k, test.pixels).mean()
    assert streams.scan_bytes(fitted, noise).min() > 0
