"""One optimiser step of the classifier, the same for standard and learned tables."""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainer.diff_jpeg import Planes
from trainer.errors import DivergedError
from trainer.models import DctNet
from trainer.recipe import Optimiser

WARM_SHARE = 0.2  # of all steps: until then the one-cycle learning rate climbs


def fast_dtype() -> torch.dtype:
    """bfloat16 where the CPU multiplies it in hardware (1.4 to 1.8 times as fast here), else float32."""
    capabilities = torch.cpu.get_capabilities()
    has_bfloat16 = capabilities.get("avx512_bf16", False) or capabilities.get("amx_bf16", False)
    return torch.bfloat16 if has_bfloat16 else torch.float32


class NetFitter:
    """AdamW with a one-cycle learning rate, autocast, and a check that the loss stays a number.

    Args:
        steps: how many there will be in all.
        dtype: what convolutions compute in.
    """

    def __init__(self, net: DctNet, settings: Optimiser, steps: int, dtype: torch.dtype) -> None:
        self._net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._dtype = dtype
        self._optimiser = torch.optim.AdamW(
            net.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        self._schedule = torch.optim.lr_scheduler.OneCycleLR(
            self._optimiser, settings.learning_rate, total_steps=max(steps, 2), pct_start=WARM_SHARE
        )
        self.steps_taken = 0

    def task_loss(self, dequantised: Planes, labels: Tensor) -> Tensor:
        """Cross-entropy in nats, a scalar that gradients flow through."""
        with torch.autocast("cpu", self._dtype, enabled=self._dtype is not torch.float32):
            logits = self._net(dequantised)
        return functional.cross_entropy(logits.float(), labels)

    def step(self, loss: Tensor, *others: torch.optim.Optimizer) -> float:
        """Follow the loss's gradient, with the net's optimiser and any others; returns the loss.

        Raises:
            DivergedError: it is not finite; nothing was changed.
        """
        value = loss.item()
        if not math.isfinite(value):
            raise DivergedError(self.steps_taken, value)
        optimisers = (self._optimiser, *others)
        for optimiser in optimisers:
            optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        for optimiser in optimisers:
            optimiser.step()
        self._schedule.step()
        self.steps_taken += 1
        return value

    def state(self) -> dict[str, Any]:
        """What a checkpoint must hold to go on."""
        return {
            "optimiser": self._optimiser.state_dict(),
            "schedule": self._schedule.state_dict(),
            "steps_taken": self.steps_taken,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from `state()`."""
        self._optimiser.load_state_dict(state["optimiser"])
        self._schedule.load_state_dict(state["schedule"])
        self.steps_taken = state["steps_taken"]


def parameter_count(net: nn.Module) -> int:
    """Trainable numbers of a net."""
    return sum(parameter.numel() for parameter in net.parameters() if parameter.requires_grad)
