"""Shapes of serving nets by picture size: each suits its size and its classes."""

import pytest

from trainer.models.sizes import SHAPES


@pytest.mark.parametrize("side", SHAPES)
def test_a_shape_suits_its_size(side: int) -> None:
    shape = SHAPES[side](10)
    rows, columns = shape.pooled_cells(side, side)
    assert rows == columns >= 1
    assert shape.classes == 10
