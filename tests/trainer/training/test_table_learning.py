"""The rate model that tables are learned with is judged by frames that it was not fitted to."""

import numpy as np
import torch

from trainer.data import Split, SplitName, noise, synthetic
from trainer.encoding import streams
from trainer.encoding.encodings import of_steps
from trainer.recipes.recipe import Tables
from trainer.training.compute import Compute
from trainer.training.table_learning import TableLearner

STEPS = torch.full((3, 64), 12.0)


def _learner(sample: Split) -> TableLearner:
    return TableLearner(STEPS, Tables(), Compute(), budget=100.0, step_count=10, fit_on=sample)


def test_the_error_of_the_rate_model_is_that_on_frames_that_it_did_not_see() -> None:
    seen = synthetic.generate(SplitName.TRAIN, 96, size=32, seed=11)
    other = noise.pictures(96, 32, 32)
    alike = _learner(Split(np.concatenate([seen.pixels, seen.pixels]), np.zeros(192, np.int64)))
    apart = _learner(Split(np.concatenate([seen.pixels, other]), np.zeros(192, np.int64)))
    assert alike.last_fit.median_error < 0.06
    assert apart.last_fit.median_error > 2 * alike.last_fit.median_error


def test_the_bytes_of_a_refit_are_those_of_real_scans_with_codes_of_the_sample() -> None:
    sample = synthetic.generate(SplitName.TRAIN, 96, size=32, seed=11)
    encoding = streams.with_fitted_huffman(of_steps(STEPS), sample)
    true_bytes = float(streams.scan_bytes(encoding, sample.pixels).mean())
    assert abs(_learner(sample).last_fit.scan_bytes / true_bytes - 1) < 1e-6
