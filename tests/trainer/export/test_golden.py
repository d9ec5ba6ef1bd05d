"""Which frames become golden, and that they always fit."""

import numpy as np
import pytest

from shared.bundle import GOLDEN_LIMIT_BYTES, Golden
from trainer.export.golden import CLEAREST, GENERATED, GoldenPictures, golden

LABELS = np.arange(512) % 10
LOGITS = np.random.default_rng(1).normal(size=(512, 10)).astype(np.float32)


@pytest.mark.parametrize("size", [100, 20_000, GOLDEN_LIMIT_BYTES // 2])
def test_as_many_frames_as_fit_come_along_from_the_first_on(size: int) -> None:
    frames = [bytes([index % 256]) * size for index in range(512)]
    made = golden(GoldenPictures.HELD_OUT, frames, LABELS, LOGITS)
    count = len(made.frames)
    assert Golden.from_bytes(made.to_bytes()) == made
    assert list(made.frames) == frames[:count]
    assert made.truth == tuple(LABELS[:count])
    assert count == 512 or (count + 1) * size * 4 / 3 > GOLDEN_LIMIT_BYTES * 0.7


def test_logits_of_the_first_frames_are_those_of_float32() -> None:
    made = golden(GoldenPictures.HELD_OUT, [b"frame"] * 512, LABELS, LOGITS)
    assert np.array_equal(np.array(made.logits, np.float32), LOGITS[:16])
    assert max(len(repr(value)) for row in made.logits for value in row) < 16  # no digits that float32 has not


def test_of_generated_frames_the_clearest_answers_are_kept_in_their_order() -> None:
    frames = [index.to_bytes(2, "big") for index in range(GENERATED)]
    made = golden(GoldenPictures.GENERATED, frames, LABELS, LOGITS)
    rows = [int.from_bytes(frame, "big") for frame in made.frames]
    assert rows == sorted(set(rows))
    assert made.truth == tuple(LOGITS[rows].argmax(1))
    *_, second, first = np.sort(LOGITS, axis=1).T
    others = np.setdiff1d(np.arange(GENERATED), rows)
    assert len(rows) == CLEAREST
    assert (first - second)[rows].min() >= (first - second)[others].max()
