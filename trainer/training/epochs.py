"""The one epoch loop of both methods: steps, losses, wall time, and the state that a checkpoint holds."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from torch import nn

from shared.errors import PeerError
from trainer.data import Dataset
from trainer.encoding.files import Encoding
from trainer.errors import RunError
from trainer.recipes.goals import Goal

StepDone = Callable[[int, int], None]


@dataclass(frozen=True)
class Epoch:
    """One epoch's figures; accuracy and bytes on `n` validation pictures, Huffman codes fitted to training pictures.

    Args:
        epoch: the epoch's number, from 1.
        loss: mean over its steps.
        price: lambda where tables are learned under a byte budget.
        rate_error: median relative error of the rate model, where tables are learned.
        seconds: wall time, also over interruptions.
    """

    data: str
    epoch: int
    phase: str
    loss: float
    n: int
    validation_accuracy: float
    scan_bytes: float
    learning_rate: float
    price: float | None = None
    rate_error: float | None = None
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """The figures as plain numbers and texts."""
        return asdict(self)


class Method(Protocol):
    """What the steps of a run are: how a net, and perhaps tables, are trained.

    `state` after a step and `restore` in another process must lead to the same result as going on.
    """

    @property
    def dataset(self) -> Dataset:
        """The data set that the run trains on."""

    @property
    def goal(self) -> Goal:
        """What the run is for."""

    @property
    def net(self) -> nn.Module:
        """The net to measure and to export."""

    @property
    def epochs(self) -> int:
        """How many epochs the run has."""

    @property
    def steps_per_epoch(self) -> int:
        """How many steps an epoch has."""

    @property
    def checkpoint_steps(self) -> int:
        """A checkpoint is kept every so many steps inside an epoch; 0: only after epochs."""

    def losses(self, epoch: int, first_step: int) -> Iterator[float]:
        """Take the steps of an epoch (from 0) from `first_step` on, and yield the task loss of each.

        Raises:
            DivergedError: the loss is no longer a number.
        """

    def measured(self, epoch: int, loss: float) -> Epoch:
        """Figures at the end of an epoch (from 0), whose mean loss this is; without its wall time."""

    def finished_encoding(self) -> Encoding:
        """What cameras will do with pixels."""

    def state(self) -> dict[str, Any]:
        """What a checkpoint must hold, after any step: tensors and plain values. Every process must ask for it."""

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from `state()`."""


_Method_co = TypeVar("_Method_co", bound=Method, covariant=True)


class Training(Generic[_Method_co]):
    """One run, epoch by epoch.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, method: _Method_co, clock: Callable[[], float]) -> None:
        self.method = method
        self._clock = clock
        self.next_epoch, self._seconds = 0, 0.0
        self._losses: list[float] = []  # of the steps that this epoch has taken

    @property
    def is_done(self) -> bool:
        """Whether every epoch has run."""
        return self.next_epoch >= self.method.epochs

    def run_epoch(self, step_done: StepDone = lambda *_: None) -> Epoch:
        """Run the next epoch, or what is left of it.

        Args:
            step_done: called after every step with steps done and steps an epoch; `state()` may be taken there.

        Raises:
            DivergedError: the loss is no longer a number.
        """
        began = self._clock() - self._seconds
        for loss in self.method.losses(self.next_epoch, len(self._losses)):
            self._losses.append(loss)
            self._seconds = self._clock() - began
            step_done(len(self._losses), self.method.steps_per_epoch)
        epoch = self.method.measured(self.next_epoch, float(np.mean(self._losses)))
        self.next_epoch, self._losses, self._seconds = self.next_epoch + 1, [], 0.0
        return replace(epoch, seconds=self._clock() - began)

    def state(self) -> dict[str, Any]:
        """What a checkpoint must hold to go on, after any step; every process must ask for it."""
        place = {"next_epoch": self.next_epoch, "losses": list(self._losses), "seconds": self._seconds}
        return place | self.method.state()

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from `state()`.

        Raises:
            RunError: it is the state of something else, such as another version's.
        """
        try:
            self.next_epoch, self._losses, self._seconds = state["next_epoch"], list(state["losses"]), state["seconds"]
            self.method.restore(state)
        except (KeyError, ValueError, RuntimeError, TypeError, PeerError) as error:
            raise RunError(f"the checkpoint does not fit this version of the trainer: {error!r}") from error
