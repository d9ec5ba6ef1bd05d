"""Drives a training from its last checkpoint to its end, whatever its method: bars, metrics, checkpoints, results.

Every process runs every step; the first one alone writes the run's folder and speaks.
"""

from collections.abc import Callable
from typing import Any, Protocol

from rich.console import Console
from torch import nn

from trainer.cli.report import epoch_line, progress_bar
from trainer.data import Dataset
from trainer.encoding.files import Encoding
from trainer.recipes.goals import Goal
from trainer.training.compute import Compute
from trainer.training.fitting import parameter_count
from trainer.training.improved import Epoch
from trainer.training.run_dir import RunDir, Summary


class Trainable(Protocol):
    """What is trained: its state after a step and another process's `restore` of it end in the same result."""

    dataset: Dataset
    next_epoch: int

    @property
    def goal(self) -> Goal:
        """What the run is for."""

    @property
    def epochs(self) -> int:
        """How many there are in all."""

    @property
    def checkpoint_steps(self) -> int:
        """A checkpoint every so many steps inside an epoch; 0: only after epochs."""

    @property
    def net(self) -> nn.Module:
        """To measure and to export."""

    @property
    def is_done(self) -> bool:
        """Whether every epoch has run."""

    def run_epoch(self, step_done: Callable[[int, int], None]) -> Epoch:
        """The next epoch, or what is left of it."""

    def state(self) -> dict[str, Any]:
        """Tensors and plain values; every process must ask for it."""

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from `state()`."""

    def finished_encoding(self) -> Encoding:
        """What cameras will do with pixels."""


def run_to_end(training: Trainable, run: RunDir, compute: Compute, console: Console) -> None:
    """Resume, run what is left, write the results."""
    _resume(training, run, compute, console)
    with progress_bar(console) as progress:
        while not training.is_done:
            task = progress.add_task(f"epoch {training.next_epoch + 1}/{training.epochs}", total=None)

            def stepped(done: int, total: int, task: Any = task) -> None:
                progress.update(task, completed=done, total=total)
                every = training.checkpoint_steps
                if every and done % every == 0 and done < total:
                    _keep(training, run, compute)

            epoch = training.run_epoch(stepped)
            progress.remove_task(task)
            if compute.is_first:
                run.log(epoch.as_json())
            _keep(training, run, compute)
            console.print(epoch_line(epoch, training.epochs))
    _finish(training, run, compute)


def _resume(training: Trainable, run: RunDir, compute: Compute, console: Console) -> None:
    checkpoint = run.checkpoint()
    if checkpoint is not None:
        training.restore(checkpoint)
        console.print(f"resumed after epoch {training.next_epoch}")
    if compute.is_first:
        run.forget_epochs_after(training.next_epoch)


def _keep(training: Trainable, run: RunDir, compute: Compute) -> None:
    state = training.state()
    if compute.is_first:
        run.save_checkpoint(state)


def _finish(training: Trainable, run: RunDir, compute: Compute) -> None:
    if not compute.is_first:
        return
    last = run.logged()[-1]
    summary = Summary(
        data=training.dataset.name,
        tables=training.goal.describe(),
        validation_accuracy=last["validation_accuracy"],
        scan_bytes=last["scan_bytes"],
        n=len(training.dataset.validation),
        epochs=training.next_epoch,
        parameters=parameter_count(training.net),
        seconds=sum(row["seconds"] for row in run.logged()),
    )
    run.finish(summary, training.finished_encoding(), training.net.state_dict())
