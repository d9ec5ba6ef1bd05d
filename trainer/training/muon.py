"""Muon: momentum whose matrix has all its singular values brought to about one (Jordan et al. 2024).

torch.optim.Muon takes matrices alone; convolutions are what serving nets consist of.
"""

from collections.abc import Callable, Iterable
from typing import Any, overload

import torch
from torch import Tensor, nn

MOMENTUM = 0.95
ITERATIONS = 5
QUINTIC = (3.4445, -4.7750, 2.0315)  # of Jordan et al.: singular values of 0.01 to 1 end between 0.7 and 1.2


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalised; for weights that mix channels: a convolution is a matrix of its outputs.

    Args:
        weights: at least two axes each; the first are the outputs.
        lr: how far a step goes; the update's singular values are about 1, times sqrt(outputs / inputs) where that is
            more, whatever the scale of the gradient.
        weight_decay: share of a weight that a step at `lr` 1 would take away.
        dtype: what matrices are multiplied in.
    """

    def __init__(
        self,
        weights: Iterable[nn.Parameter],
        lr: float,
        weight_decay: float = 0.0,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__(weights, {"lr": lr, "weight_decay": weight_decay})
        self._dtype = dtype

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Take one step for all weights that have a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    weight.mul_(1 - group["lr"] * group["weight_decay"])
                    weight.add_(self._direction(weight, weight.grad), alpha=-group["lr"])
        return loss

    def _direction(self, weight: Tensor, gradient: Tensor) -> Tensor:
        state: dict[str, Any] = self.state[weight]
        momentum: Tensor = state.setdefault("momentum", torch.zeros_like(weight))
        momentum.mul_(MOMENTUM).add_(gradient)
        matrix = (gradient + MOMENTUM * momentum).flatten(1)
        outputs, inputs = matrix.shape
        direction: Tensor = orthogonalised(matrix.to(self._dtype)) * max(1.0, outputs / inputs) ** 0.5
        return direction.to(weight.dtype).view(weight.shape)


def orthogonalised(matrix: Tensor) -> Tensor:
    """The matrix with its singular vectors and singular values of about one (0.7 to 1.2), by Newton-Schulz steps.

    Args:
        matrix: (outputs, inputs), of any scale.
    """
    is_tall = matrix.shape[0] > matrix.shape[1]
    x: Tensor = matrix.T if is_tall else matrix
    x = x / (x.norm() + 1e-7)
    a, b, c = QUINTIC
    for _ in range(ITERATIONS):
        square: Tensor = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return x.T if is_tall else x
