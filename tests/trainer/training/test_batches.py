"""Batches: every picture once an epoch, and nothing but (seed, epoch, step) decides."""

import pytest
import torch

from trainer.errors import RecipeError
from trainer.training.batches import Batches

BATCHES = Batches(pictures=103, batch=10, seed=7)


def test_an_epoch_shows_every_picture_at_most_once_in_whole_batches() -> None:
    rows = list(BATCHES.of(0))
    assert len(rows) == len(BATCHES) == 10
    assert {len(part) for part in rows} == {10}
    assert len(torch.unique(torch.cat(rows))) == 100


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    firsts = next(BATCHES.of(0)), next(BATCHES.of(1)), next(Batches(103, 10, seed=8).of(0)), next(BATCHES.of(0, 1))
    assert len({tuple(rows.tolist()) for rows in firsts}) == 4


def test_an_epoch_taken_up_in_its_middle_goes_on_as_it_would_have() -> None:
    whole, rest = list(BATCHES.of(3))[6:], list(BATCHES.of(3, first_step=6))
    assert torch.equal(torch.cat(whole), torch.cat(rest))


def test_a_batch_larger_than_the_split_is_refused() -> None:
    with pytest.raises(RecipeError, match="batch = 10 exceeds the 9 training pictures"):
        Batches(9, 10, seed=1)
