"""First tables: fine where the task's gradient is strong, coarse where it is weak."""

from collections.abc import Iterator

import torch
from torch import nn

from trainer.diff_jpeg import Planes
from trainer.encoding.sensitivity import gradient_energy, steps_from
from trainer.models import DctNet, DctNetConfig


def _batches(n: int = 3) -> Iterator[tuple[Planes, torch.Tensor]]:
    generator = torch.Generator().manual_seed(0)
    for _ in range(n):
        planes = Planes(torch.randn(16, 64, 4, 4, generator=generator), torch.randn(16, 128, 2, 2, generator=generator))
        yield planes, torch.randint(0, 5, (16,), generator=generator)


def _net_that_feels(scale: torch.Tensor) -> DctNet:
    torch.manual_seed(0)
    net = DctNet(DctNetConfig(classes=5, widths=(8, 8)), torch.ones(3, 64))
    net.coefficient_scale.copy_(scale)
    return net


def test_steps_have_geometric_mean_one() -> None:
    steps = steps_from(gradient_energy(_net_that_feels(torch.ones(3, 64)), _batches()))
    assert steps.shape == (3, 64)
    assert abs(float(steps.log().mean())) < 1e-5


def test_a_frequency_felt_twice_as_strongly_gets_half_the_step() -> None:
    class Linear(nn.Module):
        """Logits that are a fixed weighted sum of coefficients: the gradient's energy is known."""

        def __init__(self, weights: torch.Tensor) -> None:
            super().__init__()
            self.weights = weights

        def forward(self, planes: Planes) -> torch.Tensor:
            total = torch.cat([planes.y.mean((2, 3)), planes.c.mean((2, 3))], dim=1) @ self.weights
            return torch.stack([total, -total], dim=1)

    weights = torch.ones(192)
    weights[3], weights[70] = 2.0, 4.0
    batches = [(planes, labels % 2) for planes, labels in _batches()]
    steps = steps_from(gradient_energy(Linear(weights), batches)).flatten()
    assert abs(float(steps[5] / steps[3]) - 2) < 0.01
    assert abs(float(steps[80] / steps[70]) - 4) < 0.02


def test_a_frequency_that_nobody_looks_at_gets_a_finite_step() -> None:
    scale = torch.ones(3, 64)
    scale[2] = 0
    steps = steps_from(gradient_energy(_net_that_feels(scale), _batches()))
    assert torch.isfinite(steps).all()
    assert steps[2].min() > 10 * steps[:2].median()
