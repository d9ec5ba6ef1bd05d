"""What an epoch shows: each picture once, uploads as the mixture says, all of them mixed in every process's share."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.trainer.field.exports import sent_of, write_export
from trainer.data import SplitName, synthetic
from trainer.encoding.encodings import of_standard
from trainer.errors import RecipeError
from trainer.field.mixing import Mixture
from trainer.field.showing import FieldFrames, MixedOrder
from trainer.field.uploads import read_export
from trainer.training.compute import Compute

MIXTURE = Mixture(np.array([0.5, 1.5, 2.0, 6.0]))
ORDER = MixedOrder(pictures=30, uploads=4, details=2, mixture=MIXTURE, batch=6, seed=3)


def rows_of(epoch: int) -> list[int]:
    return torch.cat([*ORDER.of(epoch)]).tolist()


def test_every_epoch_shows_each_picture_once_and_uploads_as_often_as_the_mixture_says() -> None:
    assert len(ORDER) == (30 + 2 + 10) // 6
    for epoch in range(5):
        counts = np.bincount(rows_of(epoch), minlength=36)
        assert counts[:30].tolist() == [1] * 30
        assert counts[34:].tolist() == [1, 1]
        assert counts[32:34].tolist() == [2, 6]
        assert counts[30] + counts[31] == 2


def test_an_epoch_goes_on_with_the_batches_it_would_have_had_and_the_next_one_has_others() -> None:
    whole = [*ORDER.of(1)]
    assert all(torch.equal(a, b) for a, b in zip(whole[3:], ORDER.of(1, 3), strict=True))
    assert rows_of(1) != rows_of(2)


def test_each_processs_share_holds_uploads_and_pictures() -> None:
    order = MixedOrder(600, 300, 0, Mixture(np.ones(300)), 60, 1)
    for rows in order.of(0):
        for rank in range(2):
            share = Compute(rank=rank, world=2).share(rows)
            assert 2 <= int((share >= 600).sum()) <= 22


def test_a_batch_larger_than_all_that_is_shown_is_refused() -> None:
    with pytest.raises(RecipeError, match="batch = 64 exceeds the 32 frames"):
        MixedOrder(30, 4, 2, None, 64, 3)


def test_frames_are_given_as_they_were_sent_and_details_as_the_cameras_of_now_would_have_sent_them(
    tmp_path: Path,
) -> None:
    pictures = synthetic.generate(SplitName.TEST, 6, size=32, seed=5)
    sent = sent_of(pictures, synthetic.CLASSES, ["a"], of_standard(50))
    for place in (4, 5):
        sent[place].encoding = of_standard(95)
        sent[place].more = {"kind": "detail", "of": sent[place - 4].frame_id}
    export = read_export(write_export(tmp_path / "export", sent), synthetic.CLASSES, (32, 32), tmp_path / "cache")
    beside = FieldFrames(
        (export.frames, np.array([3, 1])),
        (export.details, np.array([1])),
        Mixture(np.ones(2)),
        pictures=30,
        batch=6,
        seed=1,
    )
    frames, labels = beside.frames(np.array([2, 0, 1, 0]), of_standard(50))
    assert labels.tolist() == [*export.frames.labels[[3, 1, 3]], export.details.labels[1]]
    assert torch.equal(frames.y[:3], export.frames.dequantised(np.array([3, 1, 3])).y)
    original = export.details.dequantised(np.array([1]))
    assert not torch.equal(frames.y[3:], original.y)
    learning, _ = beside.frames(np.array([2]), None)
    assert torch.equal(learning.y, original.y)
    shown = torch.cat([*beside.order(is_learning=True).of(0)])
    assert set(shown.tolist()) <= {*range(30), 32}  # uploads teach tables nothing
