"""Drives a training from its last checkpoint to its end: progress, metrics, checkpoints, results.

Every process runs every step; the first one alone writes the run's folder.
"""

from trainer.training.compute import Compute
from trainer.training.epochs import Epoch, Method, Training
from trainer.training.fitting import parameter_count
from trainer.training.reporter import Reporter
from trainer.training.run_dir import RunDir, Summary


def run_to_end(training: Training[Method], run: RunDir, compute: Compute, reporter: Reporter) -> None:
    """Resume, run what is left, write the results."""
    _resume(training, run, compute, reporter)
    while not training.is_done:
        epoch = _run_epoch(training, run, compute, reporter)
        if compute.is_first:
            run.log(epoch.as_json())
        _checkpoint(training, run, compute)
        reporter.epoch(epoch, training.method.epochs)
    if compute.is_first:
        _finish(training, run)


def _resume(training: Training[Method], run: RunDir, compute: Compute, reporter: Reporter) -> None:
    checkpoint = run.checkpoint()
    if checkpoint is not None:
        training.restore(checkpoint)
        reporter.say(f"resumed after epoch {training.next_epoch}")
    if compute.is_first:
        run.forget_epochs_after(training.next_epoch)


def _run_epoch(training: Training[Method], run: RunDir, compute: Compute, reporter: Reporter) -> Epoch:
    """Run the next epoch, with checkpoints inside it where they are asked for."""
    every = training.method.checkpoint_steps
    with reporter.bar(f"epoch {training.next_epoch + 1}/{training.method.epochs}") as progress:

        def step_done(done: int, total: int) -> None:
            progress(done, total)
            if every and done % every == 0 and done < total:
                _checkpoint(training, run, compute)

        return training.run_epoch(step_done)


def _checkpoint(training: Training[Method], run: RunDir, compute: Compute) -> None:
    state = training.state()
    if compute.is_first:
        run.save_checkpoint(state)


def _finish(training: Training[Method], run: RunDir) -> None:
    method, logged = training.method, run.logged()
    summary = Summary(
        data=method.dataset.name,
        tables=method.goal.describe(),
        validation_accuracy=logged[-1]["validation_accuracy"],
        scan_bytes=logged[-1]["scan_bytes"],
        n=len(method.dataset.validation),
        epochs=training.next_epoch,
        parameters=parameter_count(method.net),
        seconds=sum(row["seconds"] for row in logged),
    )
    run.finish(summary, method.finished_encoding(), method.net.state_dict())
