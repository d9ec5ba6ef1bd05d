"""Tables and net learning together under a byte budget."""

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from trainer.data import Split
from trainer.diff_jpeg import Planes, QuantTables, RateModel
from trainer.diff_jpeg.quantise import rounded
from trainer.diff_jpeg.rate import features
from trainer.encoding import streams
from trainer.encoding.encodings import of_steps
from trainer.recipes.recipe import Tables
from trainer.training.compute import Compute
from trainer.training.dual_ascent import DualAscent
from trainer.training.fitting import NetFitter


@dataclass(frozen=True)
class RateFit:
    """One refit of the rate model on true Huffman bits.

    Args:
        scan_bytes: true bytes a frame of the frames used.
        median_error: relative, on frames that the fit did not see.
    """

    scan_bytes: float
    median_error: float


class TableLearner:
    """Joint steps on tables and net: task loss + lambda * predicted bytes, with lambda from dual ascent.

    Tables, rate model and lambda are the same in all processes: each sees the means of what steers them.

    Args:
        first_steps: (3, 64) to start from, scaled to the budget already.
        budget: scan bytes a frame.
        step_count: how many training steps there will be; the tables' learning rate falls linearly to zero over them.
        fit_on: training pictures to refit the rate model on.
    """

    def __init__(
        self,
        first_steps: Tensor,
        settings: Tables,
        compute: Compute,
        *,
        budget: float,
        step_count: int,
        fit_on: Split,
    ) -> None:
        self.tables = QuantTables(first_steps).to(compute.device)
        self.rate = RateModel().to(compute.device)
        self._settings = settings
        self._compute = compute
        self._fit_on = fit_on
        self._optimiser = torch.optim.Adam(self.tables.parameters(), lr=settings.learning_rate, betas=(0.9, 0.99))
        self._schedule = torch.optim.lr_scheduler.LinearLR(self._optimiser, 1.0, 0.01, total_iters=step_count)
        self._ascent = DualAscent(budget=budget, price=0.0)
        self._taken = 0
        self.last_fit = self.refit()

    @property
    def price(self) -> float:
        """Lambda: loss a byte."""
        return self._ascent.price

    @property
    def steps(self) -> Tensor:
        """The quantisation steps as learned so far, float (3, 64), not rounded."""
        return self.tables.log_steps.detach().exp()

    def step(
        self,
        fitter: NetFitter,
        coefficients: Planes,
        labels: Tensor,
        teacher_logits: Tensor | None = None,
        is_taught: Tensor | None = None,
    ) -> float:
        """One batch, or this process's share of it; returns the task loss of the whole batch.

        Args:
            teacher_logits, is_taught: as in `NetFitter.task_loss`.
        """
        if self._taken and self._taken % self._settings.refit_steps == 0:
            self.last_fit = self.refit()
        scaled = self.tables.scaled(coefficients)
        frame_bytes = self.rate(scaled).mean() / 8
        task_loss = fitter.task_loss(self.tables.dequantise(rounded(scaled)), labels, teacher_logits, is_taught)
        if not self._taken:
            self._ascent.price = self._first_price(task_loss, frame_bytes)
        fitter.step(task_loss + self._ascent.price * frame_bytes, self._optimiser)
        self.tables.project()
        self._schedule.step()
        self._ascent.update(self._compute.mean(frame_bytes.item()))
        self._taken += 1
        return self._compute.mean(task_loss.item())

    def refit(self) -> RateFit:
        """Fit the rate model to true bits of the present tables; its error is that on the half left out."""
        encoding = streams.with_fitted_huffman(of_steps(self.tables.steps), self._fit_on)
        levels = streams.quantise(encoding, self._fit_on)
        true_bits = torch.from_numpy(8.0 * streams.scan_bytes(encoding, self._fit_on.pixels)).float()
        with torch.no_grad():
            terms = features(levels.planes(slice(None)))
        half = len(levels) // 2
        model = RateModel()
        model.fit(terms[:half], true_bits[:half])
        self.rate.load_state_dict(model.state_dict())
        self._compute.broadcast(self.rate.buffers())
        return RateFit(float(true_bits.mean()) / 8, model.median_error(terms[half:], true_bits[half:]))

    def state(self) -> dict[str, Any]:
        """What a checkpoint must hold to go on."""
        return {
            "tables": self.tables.state_dict(),
            "rate": self.rate.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "schedule": self._schedule.state_dict(),
            "ascent": self._ascent.state(),
            "taken": self._taken,
            "last_fit": asdict(self.last_fit),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from `state()`."""
        self.tables.load_state_dict(state["tables"])
        self.rate.load_state_dict(state["rate"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._schedule.load_state_dict(state["schedule"])
        self._ascent.restore(state["ascent"])
        self._taken = state["taken"]
        self.last_fit = RateFit(**state["last_fit"])

    def _first_price(self, task_loss: Tensor, frame_bytes: Tensor) -> float:
        """Lambda at which both terms pull the tables about equally hard.

        The task's gradient of one batch is mostly noise, which its share along the rate's gradient leaves out; the
        floor is for a batch where that share has the wrong sign.
        """
        log_steps = self.tables.log_steps
        of_task, of_rate = (
            self._compute.average(*torch.autograd.grad(term, log_steps, retain_graph=True))
            for term in (task_loss, frame_bytes)
        )
        rate_energy = of_rate.square().sum().clamp(min=1e-12)
        along = -(of_task * of_rate).sum() / rate_energy
        return float(along.maximum(0.1 * of_task.norm() / rate_energy.sqrt()))
