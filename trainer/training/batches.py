"""Which pictures each step of an epoch shows: a function of (seed, epoch, step) alone.

So a run that was killed in the middle of an epoch goes on with exactly the batches it would have had.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from trainer.errors import RecipeError


class Order(Protocol):
    """What the steps of an epoch show, the same number of steps in each epoch."""

    def __len__(self) -> int:
        """Steps an epoch."""

    def of(self, epoch: int, first_step: int = 0) -> Iterator[Tensor]:
        """Rows, int64 (batch,), for each of the epoch's steps from `first_step` on: of (seed, epoch, step) alone."""


@dataclass(frozen=True)
class Batches:
    """Every epoch shows every picture once, in an order of its own, less what is left over from whole batches.

    Raises:
        RecipeError: the batch is larger than the split.
    """

    pictures: int
    batch: int
    seed: int

    def __post_init__(self) -> None:
        if self.batch > self.pictures:
            raise RecipeError(f"optimiser.batch = {self.batch} exceeds the {self.pictures} training pictures")

    def __len__(self) -> int:
        """Steps an epoch."""
        return self.pictures // self.batch

    def of(self, epoch: int, first_step: int = 0) -> Iterator[Tensor]:
        """Rows of the training split, int64 (batch,), for each of the epoch's steps from `first_step` on."""
        order = shuffled(self.pictures, self.seed, epoch)
        for step in range(first_step, len(self)):
            yield order[step * self.batch : (step + 1) * self.batch]


def shuffled(count: int, seed: int, epoch: int) -> Tensor:
    """The numbers from 0 to `count` - 1, int64, in an order that each epoch has of its own."""
    (state,) = np.random.SeedSequence((seed, epoch)).generate_state(1, np.uint64)
    return torch.randperm(count, generator=torch.Generator().manual_seed(int(state)))
