"""A run of the paper's method, from first epoch to finished tables and classifier.

An epoch shows every training picture once, augmented, to the layers whose turn it is. Figures come in two kinds:
*literal*, with real steps 1/q as the paper computes, and *compliant*, with the integer tables and the real streams that
a camera would send.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from trainer.data import Dataset, Split
from trainer.data.loading import training_batches
from trainer.encoding import streams
from trainer.encoding.encodings import steps_of
from trainer.encoding.files import Encoding
from trainer.errors import DivergedError
from trainer.paper.compliance import encoding_of
from trainer.paper.joint_model import new_model
from trainer.paper.learning import Learning
from trainer.paper.literal import literal_accuracy
from trainer.paper.loss import weighted_penalty
from trainer.paper.schedule import Learner, Turn, turns
from trainer.recipes.goals import PenalisedGoal, StandardGoal
from trainer.recipes.recipe import PaperRecipe
from trainer.training.batches import Batches
from trainer.training.compute import Compute
from trainer.training.epochs import Epoch
from trainer.training.held_out import HeldOut, accuracy

EPOCH_PICTURES = 4_096  # whose Huffman codes an epoch's bytes are counted with; the finished ones see all


@dataclass(frozen=True)
class PaperEpoch(Epoch):
    """Accuracy and bytes are compliant.

    Args:
        literal_accuracy: with real steps 1/q.
        penalty: lambda * L_quan, the term of the loss that prices the kernels.
        dead: how many of the 192 kernels count as 0.
    """

    literal_accuracy: float = math.nan
    penalty: float = 0.0
    dead: int = 0


class PaperMethod:
    """State and steps of one run.

    Raises:
        RecipeError: the batch does not fit the data set or the processes.
    """

    def __init__(
        self, recipe: PaperRecipe, dataset: Dataset, goal: StandardGoal | PenalisedGoal, compute: Compute
    ) -> None:
        self.recipe, self.dataset, self.goal = recipe, dataset, goal
        self._compute = compute
        compute.check_batch(recipe.schedule.batch)
        self._batches = Batches(len(dataset.train), recipe.schedule.batch, recipe.seed)
        self._turns = turns(recipe.schedule, learns_tables=isinstance(goal, PenalisedGoal))
        self.net = new_model(recipe, dataset, goal).to(compute.device)
        self.net.classifier.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        compute.broadcast(self.net.state_dict().values())
        self._learning = Learning(self.net, recipe.schedule, compute)

    @property
    def epochs(self) -> int:
        """How many epochs the run has."""
        return len(self._turns)

    @property
    def steps_per_epoch(self) -> int:
        """How many steps an epoch has."""
        return len(self._batches)

    @property
    def checkpoint_steps(self) -> int:
        """A checkpoint is kept every so many steps inside an epoch; 0: only after epochs."""
        return self.recipe.schedule.checkpoint_steps

    def losses(self, epoch: int, first_step: int) -> Iterator[float]:
        """Take the steps of an epoch from `first_step` on, and yield the task loss of each.

        Raises:
            DivergedError: the loss is no longer a number.
        """
        turn = self._turns[epoch]
        self._learning.begin(turn)
        for step, (pixels, labels) in enumerate(self._shown(epoch, first_step), first_step):
            torch.manual_seed(self._dropout_seed(epoch, step))
            taken = epoch * len(self._batches) + step
            yield self._step(pixels.to(self._compute.device), labels.to(self._compute.device), turn, taken)
        self._learning.end()
        self._compute.average_buffers(self.net)

    @torch.no_grad()
    def measured(self, epoch: int, loss: float) -> PaperEpoch:
        """Figures at the end of an epoch, on validation pictures as things stand."""
        held_out = self._held_out(encoding_of(self.net.kernels, self._huffman_pictures(EPOCH_PICTURES)))
        return PaperEpoch(
            data=self.dataset.name,
            epoch=epoch + 1,
            phase=self._turns[epoch].learner,
            loss=loss,
            n=len(self.dataset.validation),
            validation_accuracy=held_out.accuracy,
            scan_bytes=held_out.scan_bytes,
            learning_rate=self._learning.learning_rate,
            literal_accuracy=literal_accuracy(self.net, self.dataset.validation, self._compute),
            penalty=float(self._penalty()) if isinstance(self.goal, PenalisedGoal) else 0.0,
            dead=self.net.kernels.dead,
        )

    def held_out(self) -> HeldOut:
        """Compliant accuracy and true bytes on validation as things stand."""
        return self._held_out(self.finished_encoding())

    def finished_encoding(self) -> Encoding:
        """What cameras will use: integer tables, dead entries left out, Huffman codes fitted to training pictures."""
        return encoding_of(self.net.kernels, self._huffman_pictures(self.recipe.jpeg.huffman_pictures))

    def state(self) -> dict[str, Any]:
        """What a checkpoint must hold to go on, after any step; every process must ask for it."""
        self._compute.average_buffers(self.net)
        return {
            "net": self.net.state_dict(),
            "learning": self._learning.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from `state()`."""
        self.net.load_state_dict(state["net"])
        self._learning.restore(state["learning"])

    def _step(self, pixels: Tensor, labels: Tensor, turn: Turn, taken: int) -> float:
        """Learn from one batch, after `taken` others; returns the task loss."""
        with torch.set_grad_enabled(turn.learner is not Learner.CLASSIFIER):
            planes = self.net.dequantised(pixels)
        with self._compute.autocast():
            logits = self.net.classifier(planes)
        task_loss = functional.cross_entropy(logits.float(), labels)
        loss = task_loss if turn.learner is Learner.CLASSIFIER else task_loss + self._penalty()
        value = self._compute.mean(loss.item())
        if not math.isfinite(value):
            raise DivergedError(taken, value)
        self._learning.step(loss)
        return self._compute.mean(task_loss.item())

    def _dropout_seed(self, epoch: int, step: int) -> int:
        """Seed of the dropout of one step in this process, so that a resumed run drops what it would have dropped."""
        place = (self.recipe.seed, epoch, step, self._compute.rank + 1)
        (seed,) = np.random.SeedSequence(place).generate_state(1, np.uint64)
        return int(seed)

    def _shown(self, epoch: int, first_step: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Pixels and labels of this process's share of the batches that the epoch has not shown yet."""
        order = (self._compute.share(rows).numpy() for rows in self._batches.of(epoch, first_step))
        return training_batches(self.dataset, order, _tensors, seed=self.recipe.seed, epoch=epoch)

    def _penalty(self) -> Tensor:
        assert isinstance(self.goal, PenalisedGoal)
        return weighted_penalty(self.net.kernels.q, self.recipe.penalty, self.goal.weight)

    def _huffman_pictures(self, count: int) -> Split:
        """Training pictures that Huffman codes are fitted to, drawn at random where there are too many."""
        order = np.random.default_rng(self.recipe.seed).permutation(len(self.dataset.train))
        return self.dataset.train.take(np.sort(order[:count]))

    def _held_out(self, encoding: Encoding) -> HeldOut:
        validation = self.dataset.validation
        levels = streams.quantise(encoding, validation)
        right = accuracy(self.net.classifier, levels, steps_of(encoding), self._compute)
        return HeldOut(right, float(streams.scan_bytes(encoding, validation.pixels).mean()))


def _tensors(shown: Split) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(shown.pixels), torch.from_numpy(shown.labels)
