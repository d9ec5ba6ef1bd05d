"""What ordinary JPEG costs: byte for byte what libjpeg writes, and what is left of it in a coarser frame."""

import numpy as np
import pytest

from shared.jpeg import Encoder, OrdinaryJpeg, Stream, TableSet, UnknownTablesError
from tests.shared.jpeg.pictures import natural, noise, pillow_jpeg

COARSE = TableSet.standard(20)
PICTURES = np.stack([draw(48, 64, seed) for draw in (natural, noise) for seed in range(4)])


@pytest.mark.parametrize("quality", [10, 50, 75, 100])
def test_a_picture_costs_what_libjpeg_writes_to_the_byte(quality: int) -> None:
    sizes = OrdinaryJpeg(quality).file_bytes(PICTURES)
    assert sizes.tolist() == [len(pillow_jpeg(each, quality=quality)) for each in PICTURES]


def test_a_frame_of_the_same_steps_costs_what_its_picture_does() -> None:
    frames = Encoder(TableSet.standard(60)).encode_batch(PICTURES, Stream.ABBREVIATED)
    ordinary = OrdinaryJpeg(60, TableSet.standard(60))
    assert [*map(ordinary.file_bytes_again, frames)] == ordinary.file_bytes(PICTURES).tolist()


def test_what_coarse_steps_dropped_costs_nothing_any_more() -> None:
    frames = Encoder(COARSE).encode_batch(PICTURES, Stream.ABBREVIATED)
    ordinary = OrdinaryJpeg(75, COARSE)
    again = np.array([*map(ordinary.file_bytes_again, frames)])
    assert (again < ordinary.file_bytes(PICTURES)).all()
    assert (again > [len(frame) for frame in frames]).all()


def test_a_frame_without_tables_is_not_guessed_at() -> None:
    frame = Encoder(COARSE).encode(PICTURES[0], Stream.ABBREVIATED)
    with pytest.raises(UnknownTablesError):
        OrdinaryJpeg(75).file_bytes_again(frame)


@pytest.mark.parametrize("quality", [0.5, 101])
def test_a_quality_outside_its_range_is_refused(quality: float) -> None:
    with pytest.raises(ValueError, match="outside 1 to 100"):
        OrdinaryJpeg(quality)
