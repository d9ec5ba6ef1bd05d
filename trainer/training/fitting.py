"""How a net is fitted: optimisers, learning rates, losses, averaged weights; the same for all kinds of tables."""

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel

from trainer.diff_jpeg import Planes
from trainer.errors import DivergedError
from trainer.recipes.recipe import Optimiser
from trainer.training.compute import Compute
from trainer.training.muon import Muon


class NetFitter:
    """Optimisers with one-cycle learning rates, autocast, and a check that the loss stays a number.

    Args:
        net: on `compute`'s device already; takes `Planes`, gives logits (n, classes).
        steps: how many there will be in all.
    """

    def __init__(self, net: nn.Module, settings: Optimiser, steps: int, compute: Compute) -> None:
        self._net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._settings = settings
        self._compute = compute
        self._optimisers = optimisers(net, settings, compute)
        self._average = weight_average(net, settings.average_decay) if settings.average_decay else None
        self.steps_taken = 0
        self._schedules = [self._one_cycle(optimiser, steps) for optimiser in self._optimisers]

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step."""
        return float(self._optimisers[0].param_groups[0]["lr"])

    @property
    def fitted(self) -> nn.Module:
        """The net to measure and to export: the average of its weights over the last steps where that is asked for."""
        return self._average.module if self._average else self._net

    def task_loss(
        self,
        dequantised: Planes,
        labels: Tensor,
        teacher_logits: Tensor | None = None,
        is_taught: Tensor | None = None,
    ) -> Tensor:
        """Cross-entropy in nats, smoothed as asked; with a teacher, mixed with `distillation`. A scalar with gradients.

        Args:
            labels: int64 (n,).
            teacher_logits: (n, classes).
            is_taught: bool (n,), which frames the teacher has a say in; None: in all.
        """
        with self._compute.autocast():
            logits = self._net(dequantised)
        logits = logits.float()
        smoothing = self._settings.label_smoothing
        if teacher_logits is None:
            return functional.cross_entropy(logits, labels, label_smoothing=smoothing)
        weight, temperature = self._settings.distillation_weight, self._settings.distillation_temperature
        if is_taught is None:
            of_labels = functional.cross_entropy(logits, labels, label_smoothing=smoothing)
            return (1 - weight) * of_labels + weight * distillation(logits, teacher_logits, temperature)
        weights = weight * is_taught.float()
        by_label = functional.cross_entropy(logits, labels, label_smoothing=smoothing, reduction="none")
        return ((1 - weights) * by_label + weights * divergences(logits, teacher_logits, temperature)).mean()

    def step(self, loss: Tensor, *others: torch.optim.Optimizer) -> float:
        """Follow the loss's gradient, averaged over the processes, with the net's optimiser and any others.

        Returns:
            The loss, its mean over the processes.

        Raises:
            DivergedError: it is not finite; nothing was changed.
        """
        value = self._compute.mean(loss.item())
        if not math.isfinite(value):
            raise DivergedError(self.steps_taken, value)
        together = (*self._optimisers, *others)
        for optimiser in together:
            optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._compute.average_gradients(parameter for one in together for parameter in _parameters(one))
        if self._settings.gradient_norm:
            nn.utils.clip_grad_norm_(self._net.parameters(), self._settings.gradient_norm)
        for optimiser in together:
            optimiser.step()
        for schedule in self._schedules:
            schedule.step()
        if self._average:
            self._average.update_parameters(self._net)
        self.steps_taken += 1
        return value

    def agree(self) -> None:
        """Make the processes' statistics of batch normalisation one, before anything is measured or kept."""
        self._compute.average_buffers(self._net)
        if self._average:
            self._compute.average_buffers(self._average.module)

    def state(self) -> dict[str, Any]:
        """What a checkpoint must hold to go on, besides the net's own state."""
        return {
            "optimisers": [optimiser.state_dict() for optimiser in self._optimisers],
            "schedules": [schedule.state_dict() for schedule in self._schedules],
            "average": self._average.state_dict() if self._average else None,
            "steps_taken": self.steps_taken,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from `state()`."""
        for optimiser, its_state in zip(self._optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(its_state)
        for schedule, its_state in zip(self._schedules, state["schedules"], strict=True):
            schedule.load_state_dict(its_state)
        if self._average:
            self._average.load_state_dict(state["average"])
        self.steps_taken = state["steps_taken"]

    def _one_cycle(self, optimiser: torch.optim.Optimizer, steps: int) -> torch.optim.lr_scheduler.OneCycleLR:
        """The learning rate climbs to the optimiser's own and falls to almost nothing within `steps`."""
        peak = optimiser.param_groups[0]["lr"]
        return torch.optim.lr_scheduler.OneCycleLR(
            optimiser, peak, total_steps=max(steps, 2), pct_start=self._settings.warm_share, cycle_momentum=False
        )


def optimisers(net: nn.Module, settings: Optimiser, compute: Compute) -> list[torch.optim.Optimizer]:
    """AdamW for all; or, where it is asked for, Muon for the convolutions behind the stem and AdamW for the rest."""
    mixing = [weight for name, weight in net.named_parameters() if weight.ndim == 4 and "stem" not in name]
    if not settings.muon_learning_rate or not mixing:
        return [_adamw(net.parameters(), settings)]
    chosen = set(mixing)
    others = [weight for weight in net.parameters() if weight not in chosen]
    muon = Muon(mixing, settings.muon_learning_rate, settings.muon_weight_decay, compute.dtype)
    return [_adamw(others, settings), muon]


def distillation(logits: Tensor, teacher_logits: Tensor, temperature: float) -> Tensor:
    """T^2 KL(teacher || student) of probabilities softened by T, mean over the batch (Hinton et al. 2015, section 2).

    T^2 keeps the gradient's size when T changes.
    """
    student = functional.log_softmax(logits / temperature, dim=1)
    teacher = functional.log_softmax(teacher_logits.float() / temperature, dim=1)
    return temperature**2 * functional.kl_div(student, teacher, reduction="batchmean", log_target=True)


def divergences(logits: Tensor, teacher_logits: Tensor, temperature: float) -> Tensor:
    """What `distillation` is the mean of, frame by frame, (n,)."""
    student = functional.log_softmax(logits / temperature, dim=1)
    teacher = functional.log_softmax(teacher_logits.float() / temperature, dim=1)
    return temperature**2 * functional.kl_div(student, teacher, reduction="none", log_target=True).sum(1)


def weight_average(net: nn.Module, decay: float) -> AveragedModel:
    """A running average of a net's weights and of its batch normalisation's statistics.

    The first updates forget faster, with decay (1 + n) / (10 + n), so that random first weights do not linger.
    """

    def averaged(mean: Tensor, current: Tensor, updates: Tensor | int) -> Tensor:
        n = torch.as_tensor(updates)
        keep = ((1 + n) / (10 + n)).clamp(max=decay)
        return mean.lerp(current, (1 - keep).to(mean.dtype)) if mean.is_floating_point() else current

    return AveragedModel(net, avg_fn=averaged, use_buffers=True)


def parameter_count(net: nn.Module) -> int:
    """Trainable numbers of a net."""
    return sum(parameter.numel() for parameter in net.parameters() if parameter.requires_grad)


def _adamw(parameters: Iterable[nn.Parameter], settings: Optimiser) -> torch.optim.Optimizer:
    return torch.optim.AdamW(parameters, lr=settings.learning_rate, weight_decay=settings.weight_decay)


def _parameters(optimiser: torch.optim.Optimizer) -> list[nn.Parameter]:
    return [parameter for group in optimiser.param_groups for parameter in group["params"]]
