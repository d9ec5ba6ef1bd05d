"""First tables from what the classifier feels: a step inversely proportional to the task gradient's strength.

With fine steps the loss grows by sum(gradient energy * step^2) and the rate falls by log2(step): the best trade has
energy * step^2 equal for all frequencies.
"""

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import functional

from trainer.diff_jpeg import Planes
from trainer.diff_jpeg.transform import FREQUENCIES
from trainer.models import DctNet

FLOOR = 1e-4  # of the mean energy: a frequency nobody looks at still gets a finite step


def sensitive_steps(net: DctNet, batches: Iterable[tuple[Planes, Tensor]]) -> Tensor:
    """Steps (3, 64) up to a common factor, geometric mean 1.

    Args:
        net: trained far enough that its gradients mean something; left in evaluation mode.
        batches: coefficients with labels.
    """
    net.eval()
    energy = torch.zeros(3, FREQUENCIES)
    for planes, labels in batches:
        energy += _gradient_energy(net, planes, labels)
    energy += FLOOR * energy.mean()
    steps = energy.rsqrt()
    return steps / steps.log().mean().exp()


def _gradient_energy(net: DctNet, planes: Planes, labels: Tensor) -> Tensor:
    """Mean squared loss gradient of a coefficient, (3, 64), on the CPU."""
    y, c = planes.y.requires_grad_(), planes.c.requires_grad_()
    loss = functional.cross_entropy(net(Planes(y, c)), labels, reduction="sum")
    of_y, of_c = torch.autograd.grad(loss, (y, c))
    luma = of_y.square().mean((0, 2, 3))
    chroma = of_c.square().mean((0, 2, 3)).view(2, FREQUENCIES)
    return torch.cat([luma[None], chroma]).cpu()
