"""The DCT-domain net: shapes for every geometry, and a stem that starts with the same features in every cell."""

import pytest
import torch
from torch.nn import functional

from trainer.diff_jpeg import Planes, coefficients
from trainer.models import DctNet, DctNetConfig


def _net(**config) -> DctNet:
    torch.manual_seed(0)
    return DctNet(DctNetConfig(**{"classes": 7, "widths": (8, 12), **config}), torch.full((3, 64), 0.02))


@pytest.mark.parametrize(
    ("size", "config"),
    [
        ((32, 32), {}),
        ((64, 64), {"widths": (8, 12, 16)}),
        ((64, 32), {"blocks": 2}),
        ((32, 32), {"expansion": 4, "widths": (4, 8, 8)}),
        ((64, 64), {"expansion": 1}),
    ],
)
def test_logits_for_every_geometry(size, config):
    height, width = size
    planes = Planes(torch.randn(3, 64, height // 8, width // 8), torch.randn(3, 128, height // 16, width // 16))
    assert _net(**config)(planes).shape == (3, 7)


@pytest.mark.parametrize("expansion", [1, 2, 4])
def test_the_stem_starts_as_the_same_feature_of_pixels_in_every_cell(expansion):
    net = _net(expansion=expansion)
    cell = 8 // expansion
    picture = torch.randint(0, 256, (1, 32, 32, 3), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    patch = picture[:, :cell, :cell].clone()
    left = 8 + cell * (expansion - 1)  # another cell of another block
    picture[:, 16 : 16 + cell, left : left + cell] = patch
    planes = coefficients(picture)
    cells = functional.pixel_shuffle(net.luma_stem(planes.y * 0.02), expansion)
    there = (16 // cell, left // cell)
    assert torch.allclose(cells[0, :, 0, 0], cells[0, :, *there], atol=1e-3)
    assert not torch.allclose(cells[0, :, 0, 0], cells[0, :, 1, 0], atol=1e-1)


def test_gradients_reach_every_parameter():
    net = _net()
    planes = Planes(torch.randn(8, 64, 4, 4), torch.randn(8, 128, 2, 2))
    functional.cross_entropy(net(planes), torch.arange(8) % 7).backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in net.parameters())
