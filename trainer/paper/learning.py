"""Optimisers of the joint model's layers: which learn in an epoch, at which rate, while the others stand still."""

from typing import Any

import torch
from torch import Tensor

from trainer.paper.joint_model import JointModel
from trainer.paper.schedule import Learner, Turn
from trainer.recipes.paper import Alternating, EndToEnd
from trainer.training.compute import Compute


class Learning:
    """One optimiser for each kind of layer, kept over all alternations.

    Adam for all of them, but under the end-to-end schedule for the kernels, whose published rate of 1e-8 would keep
    Adam, whose steps are as long as the rate, from ever moving them: they follow their gradient itself.
    """

    def __init__(self, model: JointModel, schedule: Alternating | EndToEnd, compute: Compute) -> None:
        self._model = model
        self._compute = compute
        self._rates = {"classifier": schedule.classifier_rate, "kernels": schedule.kernel_rate}
        if model.colour is not None:
            self._rates["colour"] = schedule.colour_rate
        self._optimisers = {name: self._optimiser(name, schedule) for name in self._rates}
        self._active = list(self._rates)

    @property
    def learning_rate(self) -> float:
        """Learning rate of the next step, for the classifier or, where that is frozen, for the kernels."""
        return float(self._optimisers[self._active[0]].param_groups[0]["lr"])

    def begin(self, turn: Turn) -> None:
        """Let the layers of this epoch learn, at its rates, and freeze the others.

        A frozen classifier also keeps its batch norms' statistics, and uses them.
        """
        learns_classifier = turn.learner is not Learner.COMPRESSION
        self._active = [
            name for name in self._rates if turn.learner is Learner.BOTH or (name == "classifier") is learns_classifier
        ]
        self._model.classifier.train(learns_classifier)
        for name, rate in self._rates.items():
            self._part(name).requires_grad_(name in self._active)
            self._optimisers[name].param_groups[0]["lr"] = rate * turn.scale

    def end(self) -> None:
        """Unfreeze all layers at the end of an epoch."""
        self._model.requires_grad_(True)

    def step(self, loss: Tensor) -> None:
        """Follow the loss's gradient with the layers that learn."""
        optimisers = [self._optimisers[name] for name in self._active]
        for optimiser in optimisers:
            optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._compute.average_gradients(self._model.parameters())
        for optimiser in optimisers:
            optimiser.step()

    def state(self) -> dict[str, Any]:
        """What a checkpoint must hold to go on."""
        return {name: optimiser.state_dict() for name, optimiser in self._optimisers.items()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from `state()`."""
        for name, optimiser in self._optimisers.items():
            optimiser.load_state_dict(state[name])

    def _part(self, name: str) -> torch.nn.Module:
        return self._model.get_submodule(name)

    def _optimiser(self, name: str, schedule: Alternating | EndToEnd) -> torch.optim.Optimizer:
        kind = torch.optim.SGD if name == "kernels" and isinstance(schedule, EndToEnd) else torch.optim.Adam
        return kind(self._part(name).parameters(), lr=self._rates[name])
