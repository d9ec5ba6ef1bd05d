"""What a retraining shows: every base picture once an epoch, uploads as often as the mixture says, details once.

All are in one order, so that each batch, and each process's share of it, holds some of each: batch normalisation must
not see pictures of one kind in one process and of another in the next.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from trainer.diff_jpeg import Planes
from trainer.encoding.files import Encoding
from trainer.errors import RecipeError
from trainer.field.mixing import Mixture
from trainer.field.requantising import Target, requantised
from trainer.field.uploads import Rows, Uploads
from trainer.training.batches import Order, shuffled
from trainer.training.beside import joined

OFFSETS = 2_000_003  # keeps these random numbers apart from the order's


@dataclass(frozen=True)
class MixedOrder:
    """Pictures once each, then uploads as the mixture says, then details once each, in an order of each epoch's own.

    Args:
        pictures, uploads, details: how many there are; rows count through them in this sequence.
        mixture: of the uploads; None shows none.

    Raises:
        RecipeError: the batch is larger than all that is shown.
    """

    pictures: int
    uploads: int
    details: int
    mixture: Mixture | None
    batch: int
    seed: int

    def __post_init__(self) -> None:
        if not len(self):
            raise RecipeError(f"optimiser.batch = {self.batch} exceeds the {self._shown} frames of an epoch")

    def __len__(self) -> int:
        """Steps an epoch."""
        return self._shown // self.batch

    def of(self, epoch: int, first_step: int = 0) -> Iterator[Tensor]:
        """Rows, int64 (batch,), for each of the epoch's steps from `first_step` on."""
        rows = self._rows(epoch)
        rows = rows[shuffled(len(rows), self.seed, epoch)]
        for step in range(first_step, len(self)):
            yield rows[step * self.batch : (step + 1) * self.batch]

    @property
    def _shown(self) -> int:
        return self.pictures + self.details + (self.mixture.total if self.mixture else 0)

    def _rows(self, epoch: int) -> Tensor:
        first_detail = self.pictures + self.uploads
        parts = [torch.arange(self.pictures), torch.arange(first_detail, first_detail + self.details)]
        if self.mixture:
            offset = float(np.random.default_rng((self.seed, epoch, OFFSETS)).random())
            counts = torch.from_numpy(self.mixture.showings(offset))
            parts.append(torch.arange(self.pictures, first_detail).repeat_interleave(counts))
        return torch.cat(parts)


class FieldFrames:
    """Uploads and details that are learned from, beside the pictures of the base set.

    An upload is shown as it was sent, with the steps of its day, or as the cameras of now would have sent it where its
    own steps tell that. While tables are learned, pictures and details alone are shown: whatever an upload lacks, its
    own tables have dropped, and new tables would learn to drop it as well.

    Args:
        uploads, details: with the rows of each that are learned from.
        pictures: of the base set.
    """

    def __init__(
        self,
        uploads: tuple[Uploads, Rows],
        details: tuple[Uploads, Rows],
        mixture: Mixture,
        *,
        pictures: int,
        batch: int,
        seed: int,
    ) -> None:
        self._uploads, self._rows = uploads
        self._details, self._detail_rows = details
        counts = len(self._rows), len(self._detail_rows)
        self._fitting = MixedOrder(pictures, *counts, mixture, batch, seed)
        self._learning = MixedOrder(pictures, *counts, None, batch, seed)

    def order(self, *, is_learning: bool) -> Order:
        """What the steps of an epoch show: of one that learns tables, or of any other."""
        return self._learning if is_learning else self._fitting

    def frames(self, rows: Rows, encoding: Encoding | None) -> tuple[Planes, Tensor]:
        """Dequantised coefficients of some frames, and their labels; uploads first, then details.

        Args:
            rows: uploads from 0 on, then details.
            encoding: what cameras do now; None while tables are learned.
        """
        count = len(self._rows)
        of_uploads, of_details = rows[rows < count], rows[rows >= count] - count
        first = _shown(self._uploads, self._rows[of_uploads], encoding)
        second = _shown(self._details, self._detail_rows[of_details], encoding)
        return joined(first[0], second[0]), torch.cat([first[1], second[1]])


def _shown(uploads: Uploads, rows: Rows, encoding: Encoding | None) -> tuple[Planes, Tensor]:
    frames, labels = uploads.dequantised(rows), torch.from_numpy(uploads.labels[rows])
    if encoding is None:
        return frames, labels
    return requantised(frames, uploads.steps(rows), Target.of(encoding)), labels
