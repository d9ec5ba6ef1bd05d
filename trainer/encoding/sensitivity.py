"""What the classifier feels: the energy of the task's gradient by frequency, and first tables from it.

With fine steps the loss grows by sum(gradient energy * step^2) and the rate falls by log2(step): the best trade has
energy * step^2 equal for all frequencies.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainer.diff_jpeg import Planes
from trainer.diff_jpeg.transform import FREQUENCIES

FLOOR = 1e-4  # of the mean energy: a frequency nobody looks at still gets a finite step


def gradient_energy(net: nn.Module, batches: Iterable[tuple[Planes, Tensor]]) -> Tensor:
    """Mean squared loss gradient of a coefficient by frequency, float (3, 64) above 0, on the CPU.

    Args:
        net: trained far enough that its gradients mean something; left in evaluation mode.
        batches: coefficients with labels.
    """
    net.eval()
    energy = torch.zeros(3, FREQUENCIES)
    for planes, labels in batches:
        energy += _of_batch(net, planes, labels)
    return energy + FLOOR * energy.mean()


def steps_from(energy: Tensor) -> Tensor:
    """Steps (3, 64) up to a common factor, geometric mean 1."""
    steps = energy.rsqrt()
    return steps / steps.log().mean().exp()


def _of_batch(net: nn.Module, planes: Planes, labels: Tensor) -> Tensor:
    y, c = planes.y.requires_grad_(), planes.c.requires_grad_()
    loss = functional.cross_entropy(net(Planes(y, c)), labels, reduction="sum")
    of_y, of_c = torch.autograd.grad(loss, (y, c))
    luma = of_y.square().mean((0, 2, 3))
    chroma = of_c.square().mean((0, 2, 3)).view(2, FREQUENCIES)
    return torch.cat([luma[None], chroma]).cpu()
