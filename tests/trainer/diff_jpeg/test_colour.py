"""The trainable colour transform: JFIF's to begin with, learned with true gradients, and invertible."""

import pytest
import torch

from tests.trainer.present import present
from trainer.diff_jpeg import TrainableColour, coefficients
from trainer.diff_jpeg.colour import to_ycbcr


def _rgb(seed: int = 0) -> torch.Tensor:
    return 255 * torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(seed))


def test_it_starts_as_jfifs() -> None:
    colour, rgb = TrainableColour(), _rgb()
    assert sum(parameter.numel() for parameter in colour.parameters()) == 9
    assert torch.equal(colour(rgb), to_ycbcr(rgb))


def test_coefficients_go_through_it_and_its_gradient_is_that_of_finite_differences() -> None:
    colour, pixels = TrainableColour().double(), _rgb().permute(0, 2, 3, 1)
    weights = torch.randn(2, 128, 1, 1, generator=torch.Generator().manual_seed(1))
    torch.autograd.backward((coefficients(pixels, colour).c * weights).sum())

    def value(shift: float) -> float:
        moved = TrainableColour().double()
        with torch.no_grad():
            moved.matrix[2, 1] += shift
            return float((coefficients(pixels, moved).c * weights).sum())

    assert float(present(colour.matrix.grad)[2, 1]) == pytest.approx((value(1e-2) - value(-1e-2)) / 2e-2, rel=1e-3)


def test_its_inverse_brings_the_pictures_back() -> None:
    colour, rgb = TrainableColour(), _rgb()
    with torch.no_grad():
        colour.matrix.add_(0.1 * torch.randn(3, 3, generator=torch.Generator().manual_seed(2)))
        back = torch.einsum("oc,nchw->nohw", colour.inverse(), colour(rgb))
    assert torch.allclose(back, rgb, atol=1e-2)
