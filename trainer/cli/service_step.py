"""`dctwire-trainer service-step`: the child's side of `trainer.service.step_process`."""

from dataclasses import replace
from pathlib import Path

import typer

from trainer.cli.options import CacheOption, DataOption
from trainer.cli.program import Program
from trainer.jobs import Machine
from trainer.service import step_process
from trainer.service.step_process import StepOrder
from trainer.service.telling import Telling


def service_step(
    context: typer.Context, order: Path, answer: Path, data_dir: DataOption = None, cache_dir: CacheOption = None
) -> None:
    """Do the step that a file orders, as `service` asks its processes to; without folders in it, as `train` would."""
    program = Program.of(context)

    def machine(wanted: StepOrder, progress: Path) -> Machine:
        made = program.machine(wanted.data_dir or data_dir, wanted.cache_dir or cache_dir)
        return replace(made, reporter=Telling(made.reporter, progress))

    step_process.run_here(order, answer, machine)
