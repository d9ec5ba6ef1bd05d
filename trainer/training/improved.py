"""The improved method: tables and net learned together under a byte budget, or a net fitted to tables that are there.

All kinds of tables go the same way, so that figures compare. Every epoch shows the net every training picture once,
varied anew, as the codec's levels; quantised in torch while tables are learned, or where every frame has tables of its
own. With learned tables the epochs divide into warm-up (ordinary JPEG; left out where the run starts from another's
net), learning (tables and net together) and settling (the finished tables). With other tables a run has as many epochs.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from shared.jpeg import TableSet
from trainer.data import Dataset, Split
from trainer.data.loading import ahead
from trainer.diff_jpeg import Planes, coefficients
from trainer.encoding import streams
from trainer.encoding.encodings import dequantised, steps_of
from trainer.encoding.files import EncoderSettings, Encoding
from trainer.encoding.random_tables import RandomTables, quantised
from trainer.encoding.sensitivity import gradient_energy
from trainer.errors import RecipeError
from trainer.models import DctNet, DctNetConfig
from trainer.models.sizes import SHAPES
from trainer.recipes.goals import AnyTablesGoal, ImprovedGoal, KeptGoal, LearnedGoal, StandardGoal
from trainer.recipes.recipe import Net, Recipe, Tables
from trainer.training.batches import Batches, Order
from trainer.training.beside import Beside, joined
from trainer.training.compute import Compute
from trainer.training.encoding_finder import EncodingFinder
from trainer.training.epochs import Epoch
from trainer.training.fitting import NetFitter
from trainer.training.held_out import EVALUATION_BATCH, HeldOut, accuracy
from trainer.training.table_learning import TableLearner

STATISTICS_FRAMES = 4_096  # enough for spreads and sensitivities of 192 frequencies

Rows = NDArray[np.int64]
Pixels = NDArray[np.uint8]
FramesOf = Callable[[Rows, Pixels, Planes], Planes]


class Phase(StrEnum):
    """What an epoch is for."""

    WARM_UP = "warm-up"
    LEARN = "learn"
    SETTLE = "settle"
    FIT = "fit"  # to tables that are there from the start


@dataclass(frozen=True)
class Batch:
    """Some training pictures.

    Args:
        original: coefficients that nothing has quantised; of frames beside the pictures, as they were sent.
        frames: dequantised coefficients as the server would have them.
        labels: int64 (n,).
        is_taught: bool (n,), which of them the teacher has a say in: its own mistakes in the field are not to be
            learned. None: in all.
    """

    original: Planes
    frames: Planes
    labels: Tensor
    is_taught: Tensor | None = None

    def to(self, device: torch.device) -> "Batch":
        """The same on a device."""
        taught = None if self.is_taught is None else self.is_taught.to(device)
        return Batch(self.original.to(device), self.frames.to(device), self.labels.to(device), taught)


def new_net(recipe: Recipe, dataset: Dataset) -> DctNet:
    """An untrained net for the recipe and data set; the same for the same recipe seed.

    Raises:
        RecipeError: its stages do not suit the pictures' size, or no shape is known for that.
    """
    torch.manual_seed(recipe.seed)
    config = _shape(recipe.net, len(dataset.classes), dataset.size)
    config.pooled_cells(*dataset.size)
    planes = coefficients(torch.from_numpy(dataset.train.head(STATISTICS_FRAMES).pixels))
    spread = torch.stack([planes.y.std((0, 2, 3)), *planes.c.std((0, 2, 3)).chunk(2)])
    return DctNet(config, 1 / spread.clamp(min=0.5))


def _shape(asked: Net | None, classes: int, size: tuple[int, int]) -> DctNetConfig:
    """The shape that a recipe's [net] asks for, or else the one that suits pictures of this height and width."""
    if asked is not None:
        return DctNetConfig(classes, tuple(asked.widths), asked.blocks, asked.expansion, asked.kind)
    height, width = size
    if height != width or height not in SHAPES:
        sides = ", ".join(map(str, SHAPES))
        raise RecipeError(f"no net is known for {height} x {width} pictures, only for sides of {sides}: write [net]")
    return SHAPES[height](classes)


def phases(goal: ImprovedGoal, epochs: int, settings: Tables, *, is_branch: bool) -> list[Phase]:
    """What each epoch is for."""
    if isinstance(goal, StandardGoal | AnyTablesGoal | KeptGoal):
        return [Phase.FIT] * epochs
    warm_up = [] if is_branch else [Phase.WARM_UP] * settings.warm_up_epochs
    learn = [Phase.LEARN] * settings.learning_epochs if isinstance(goal, LearnedGoal) else []
    before = [*warm_up, *learn]
    return before + [Phase.SETTLE] * (epochs - len(before))


class ImprovedMethod:
    """State and steps of one run.

    Args:
        start: a net's state to begin with instead of random weights: a branch of that run, and its pupil.
        kept: the encoding that a `KeptGoal` keeps.
        beside: frames that are shown beside the training pictures, if any.

    Raises:
        RecipeError: the net or the batch does not fit the data set or the processes.
        BudgetError: the budget is outside what any tables can reach on this data set.
    """

    def __init__(
        self,
        recipe: Recipe,
        dataset: Dataset,
        goal: ImprovedGoal,
        compute: Compute,
        start: dict[str, Any] | None = None,
        kept: Encoding | None = None,
        beside: Beside | None = None,
    ) -> None:
        self.recipe, self.dataset, self.goal = recipe, dataset, goal
        self._compute = compute
        self._settings = recipe.optimiser if start is None else recipe.branch_optimiser
        compute.check_batch(self._settings.batch)
        self._beside = beside
        self._batches = {is_learning: self._order(is_learning) for is_learning in (False, True)}
        self._phases = phases(goal, self._settings.epochs, recipe.tables, is_branch=start is not None)
        self._net = self._new_net(start)
        self._teacher = self._new_net(start) if start and self._settings.distillation_weight else None
        self._fitter = NetFitter(self._net, self._settings, sum(map(self._steps_in, self._phases)), compute)
        self._random_tables = RandomTables(recipe.seed)
        self._learner: TableLearner | None = None
        self._finder = EncodingFinder(goal, recipe, dataset, compute, kept)
        warms_up = self._phases[0] is Phase.WARM_UP
        self._use(self._finder.before_training() if warms_up or not self._finder.needs_net else self._by_sensitivity())

    @property
    def net(self) -> nn.Module:
        """The net to measure and to export."""
        return self._fitter.fitted

    @property
    def epochs(self) -> int:
        """How many epochs the run has."""
        return len(self._phases)

    @property
    def steps_per_epoch(self) -> int:
        """How many steps an epoch has; one that learns tables may have others, where there are frames beside."""
        return len(self._batches[False])

    @property
    def checkpoint_steps(self) -> int:
        """A checkpoint is kept every so many steps inside an epoch; 0: only after epochs."""
        return self.recipe.optimiser.checkpoint_steps

    def losses(self, epoch: int, first_step: int) -> Iterator[float]:
        """Take the steps of an epoch from `first_step` on, and yield the task loss of each.

        Raises:
            DivergedError: the loss is no longer a number.
        """
        if self._is_first_after_warm_up(epoch) and not first_step:
            self._use(self._by_sensitivity())
        self._net.train()
        take = self._learn if self._phases[epoch] is Phase.LEARN else self._fit
        yield from take(epoch, first_step)
        self._fitter.agree()

    def measured(self, epoch: int, loss: float) -> Epoch:
        """Figures at the end of an epoch, on validation pictures as things stand."""
        phase, held_out = self._phases[epoch], self.held_out()
        learner = self._learner if phase is Phase.LEARN else None
        return Epoch(
            data=self.dataset.name,
            epoch=epoch + 1,
            phase=phase,
            loss=loss,
            n=len(self.dataset.validation),
            validation_accuracy=held_out.accuracy,
            scan_bytes=held_out.scan_bytes,
            learning_rate=self._fitter.learning_rate,
            price=learner.price if learner else None,
            rate_error=learner.last_fit.median_error if learner else None,
        )

    def held_out(self) -> HeldOut:
        """Accuracy and true bytes on validation as things stand."""
        sizes = streams.scan_bytes(self.encoding, self.dataset.validation.pixels)
        right = accuracy(self.net, self._validation, steps_of(self.encoding), self._compute)
        return HeldOut(right, float(sizes.mean()))

    def finished_encoding(self) -> Encoding:
        """What cameras will do with pixels."""
        return self.encoding

    def state(self) -> dict[str, Any]:
        """What a checkpoint must hold to go on, after any step; every process must ask for it."""
        self._fitter.agree()
        return {
            "net": self._net.state_dict(),
            "fitter": self._fitter.state(),
            "tables": self.encoding.tables.to_stream(),
            "settings": self.encoding.settings.to_json(),
            "learner": self._learner.state() if self._learner else None,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from `state()`."""
        self._net.load_state_dict(state["net"])
        self._fitter.restore(state["fitter"])
        settings = EncoderSettings.from_json(state["settings"])
        self._use(Encoding(TableSet.from_stream(state["tables"]), settings))
        if state["learner"] is not None:
            self._learner = self._new_learner()
            self._learner.restore(state["learner"])

    def _new_net(self, start: dict[str, Any] | None) -> DctNet:
        net = new_net(self.recipe, self.dataset).to(self._compute.device)
        if start is not None:
            net.load_state_dict(start)
        self._compute.broadcast(net.state_dict().values())
        return net.eval()

    def _fit(self, epoch: int, first_step: int) -> Iterator[float]:
        """Take the rest of an epoch's steps on frames of the encoding at hand, or of any tables."""

        def of_any_tables(rows: Rows, _pixels: Pixels, original: Planes) -> Planes:
            return quantised(original, self._random_tables.steps(rows, epoch))

        frames_of = of_any_tables if isinstance(self.goal, AnyTablesGoal) else self._of_encoding
        for batch in self._batches_left(epoch, first_step, frames_of):
            loss = self._fitter.task_loss(batch.frames, batch.labels, self._taught(batch.original), batch.is_taught)
            yield self._fitter.step(loss)

    def _learn(self, epoch: int, first_step: int) -> Iterator[float]:
        """Take the rest of an epoch's steps on tables and net together, and make tables of what was learned."""
        learner = self._learner = self._learner or self._new_learner()
        for batch in self._batches_left(epoch, first_step, lambda _rows, _pixels, original: original):
            taught = self._taught(batch.original)
            yield learner.step(self._fitter, batch.original, batch.labels, taught, batch.is_taught)
        self._use(self._finder.of_learned(learner.steps, self._energy))

    def _batches_left(self, epoch: int, first_step: int, frames_of: FramesOf) -> Iterator[Batch]:
        """This process's share of each batch that the epoch has not seen yet, on the device, made ahead."""
        is_learning, pictures = self._phases[epoch] is Phase.LEARN, len(self.dataset.train)

        def batch_of(rows: Tensor) -> Batch:
            places = self._compute.share(rows).numpy()
            of_pictures, others = places[places < pictures], places[places >= pictures] - pictures
            if not len(others):
                return self._of_pictures(of_pictures, epoch, frames_of).to(self._compute.device)
            batch = self._of_others(others, None if is_learning else self.encoding)
            if len(of_pictures):
                batch = _together(self._of_pictures(of_pictures, epoch, frames_of), batch)
            return batch.to(self._compute.device)

        return ahead(batch_of, self._batches[is_learning].of(epoch, first_step))

    def _of_pictures(self, places: Rows, epoch: int, frames_of: FramesOf) -> Batch:
        """Training pictures as this epoch shows them."""
        split = self.dataset.train.varied(places, self.dataset.augmentation, seed=self.recipe.seed, epoch=epoch)
        original = coefficients(torch.from_numpy(split.pixels))
        return Batch(original, frames_of(places, split.pixels, original), torch.from_numpy(split.labels))

    def _of_others(self, rows: Rows, encoding: Encoding | None) -> Batch:
        """Frames beside the pictures: nothing finer than what was sent is known of them."""
        assert self._beside is not None
        frames, labels = self._beside.frames(rows, encoding)
        return Batch(frames, frames, labels, torch.zeros(len(labels), dtype=torch.bool))

    def _order(self, is_learning: bool) -> Order:
        if self._beside is not None:
            return self._beside.order(is_learning=is_learning)
        return Batches(len(self.dataset.train), self._settings.batch, self.recipe.seed)

    def _steps_in(self, phase: Phase) -> int:
        return len(self._batches[phase is Phase.LEARN])

    def _of_encoding(self, _rows: Rows, pixels: Pixels, _original: Planes) -> Planes:
        """Dequantised coefficients of pictures as the server decodes them."""
        y, c = self._encoder.quantise_batch(pixels)
        assert c is not None  # tables are 4:2:0 throughout the trainer
        return dequantised(Planes(torch.from_numpy(y).float(), torch.from_numpy(c).float()), steps_of(self.encoding))

    @torch.no_grad()
    def _taught(self, original: Planes) -> Tensor | None:
        """The teacher's logits of pictures that nothing has compressed."""
        if self._teacher is None:
            return None
        with self._compute.autocast():
            logits: Tensor = self._teacher(original)
        return logits.float()

    def _is_first_after_warm_up(self, epoch: int) -> bool:
        """Whether the net has just warmed up, so that its sensitivities can be used."""
        return self._phases[max(epoch - 1, 0)] is Phase.WARM_UP is not self._phases[epoch]

    def _by_sensitivity(self) -> Encoding:
        return self._finder.of_energy(self._energy())

    def _energy(self) -> Tensor:
        """Energy of the task's gradient, on coefficients that nothing has quantised."""
        self._fitter.agree()
        pictures, device = self.dataset.train.head(STATISTICS_FRAMES), self._compute.device
        energy = gradient_energy(self.net, _chunks(pictures, device))
        self._net.train()
        return energy

    def _new_learner(self) -> TableLearner:
        assert isinstance(self.goal, LearnedGoal)
        steps = self._steps_in(Phase.LEARN) * self._phases.count(Phase.LEARN)
        first = steps_of(self.encoding)
        return TableLearner(
            first,
            self.recipe.tables,
            self._compute,
            budget=self.goal.budget,
            step_count=steps,
            fit_on=self._finder.pictures.fit_on,
        )

    def _use(self, encoding: Encoding) -> None:
        self.encoding = encoding
        self._encoder = encoding.encoder()
        self._validation = streams.quantise(encoding, self.dataset.validation)


def _together(pictures: Batch, others: Batch) -> Batch:
    """Both in one batch, so that batch normalisation sees what it is shown as one."""
    assert others.is_taught is not None
    return Batch(
        joined(pictures.original, others.original),
        joined(pictures.frames, others.frames),
        torch.cat([pictures.labels, others.labels]),
        torch.cat([torch.ones(len(pictures.labels), dtype=torch.bool), others.is_taught]),
    )


def _chunks(split: Split, device: torch.device) -> Iterable[tuple[Planes, Tensor]]:
    """Coefficients and labels, batch by batch."""
    for rows in np.array_split(np.arange(len(split)), -(-len(split) // EVALUATION_BATCH)):
        some = split.take(rows)
        yield coefficients(torch.from_numpy(some.pixels).to(device)), torch.from_numpy(some.labels).to(device)
