"""Rounding surrogates: exact values forward, the stated derivative backward."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.trainer.present import present
from trainer.diff_jpeg.surrogates import round_half_away, staircase, straight_through


def test_rounding_takes_halves_away_from_zero_as_encoders_do() -> None:
    values = torch.tensor([-2.5, -1.5, -0.5, -0.49, 0.0, 0.49, 0.5, 1.5, 2.5])
    assert round_half_away(values).tolist() == [-3, -2, -1, 0, 0, 0, 1, 2, 3]


def test_straight_through_rounds_forward_and_passes_the_gradient_unchanged() -> None:
    x = torch.tensor([-1.7, 0.2, 3.5], requires_grad=True)
    weights = torch.tensor([2.0, -3.0, 5.0])
    torch.autograd.backward((straight_through(x) * weights).sum())
    assert straight_through(x).tolist() == [-2, 0, 4]
    assert torch.equal(present(x.grad), weights)


def test_staircase_values_are_those_of_the_rounded_level() -> None:
    counted, logarithm = staircase(torch.tensor([-3.2, -0.4, 0.0, 0.6, 7.0]))
    assert counted.tolist() == [1, 0, 0, 1, 1]
    assert torch.allclose(logarithm, torch.log2(torch.tensor([4.0, 1.0, 1.0, 2.0, 8.0])))


def _smeared(x: torch.Tensor, of_level: torch.Tensor) -> torch.Tensor:
    """The closed form: a function of the level, each step spread over +-1/2 as the integral of a triangle."""
    total = torch.zeros_like(x)
    for level in range(1, len(of_level)):
        distance = (x.abs() - (level - 0.5)).clamp(-0.5, 0.5)
        ramp = torch.where(distance < 0, 2 * (distance + 0.5) ** 2, 1 - 2 * (0.5 - distance) ** 2)
        total = total + (of_level[level] - of_level[level - 1]) * ramp
    return total


@given(st.lists(st.floats(-6, 6, width=32), min_size=1, max_size=20))
def test_staircase_gradient_is_that_of_the_steps_smeared_by_triangles(values: list[float]) -> None:
    levels = torch.arange(9.0, dtype=torch.float64)
    for part, of_level in ((0, (levels > 0).double()), (1, torch.log2(1 + levels))):
        x = torch.tensor(values, dtype=torch.float64, requires_grad=True)
        torch.autograd.backward(staircase(x)[part].sum())
        reference = torch.tensor(values, dtype=torch.float64, requires_grad=True)
        torch.autograd.backward(_smeared(reference, of_level).sum())
        assert torch.allclose(present(x.grad), present(reference.grad), atol=1e-9)


def test_staircase_gradient_is_right_on_average_over_jittered_coefficients() -> None:
    spread = torch.linspace(-4, 4, 400_001, dtype=torch.float64)
    density = torch.exp(-spread.abs())  # Laplacian, as DCT coefficients are

    def mean_log(scale: float) -> float:
        return float((staircase(spread * scale)[1] * density).mean())

    x = (spread * 1.3).requires_grad_()
    torch.autograd.backward((staircase(x)[1] * density).mean())
    slope = float((present(x.grad) * spread).sum())
    finite_difference = (mean_log(1.31) - mean_log(1.29)) / 0.02
    assert abs(slope / finite_difference - 1) < 0.15
