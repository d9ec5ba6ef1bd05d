"""`dctwire-trainer`: the composition root. Only this module reads the clock and the environment and joins modules."""

import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import typer

from shared.command_line import CommandLine, Version
from shared.errors import DctwireError
from trainer.cli import (
    compare,
    data,
    evaluate,
    export,
    frames,
    ladder,
    plot,
    predict,
    recipes,
    retrain,
    run_orders,
    service,
    service_step,
    sweep,
    train,
    zoo,
)
from trainer.cli.program import Program
from trainer.cli.terminal import Terminal
from trainer.training.compute import Compute

app = typer.Typer(
    cls=CommandLine,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(plot.app, name="plot")
app.add_typer(zoo.app, name="zoo")
app.add_typer(data.app, name="data")
app.command()(train.train)
app.command()(retrain.retrain)
app.command()(ladder.ladder)
app.command()(sweep.sweep)
app.command()(evaluate.evaluate)
app.command()(compare.compare)
app.command()(export.export)
app.command()(predict.predict)
app.command()(frames.frames)
app.command("recipes")(recipes.list_recipes)
app.command("run-orders", hidden=True)(run_orders.run_orders)
app.command()(service.service)
app.command("service-step", hidden=True)(service_step.service_step)


@app.callback()
def compose(context: typer.Context, _version: Version = False) -> None:
    """Learn JPEG tables together with the classifier that will read them, measure both, export bundles."""
    terminal = Terminal.on_standard_error(time.monotonic)
    context.obj = Program(
        terminal=terminal,
        monotonic=time.perf_counter,
        now=lambda: datetime.now(UTC),
        compute=lambda device: _compute(device, terminal),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point: our errors, and the disk's, become one message and exit status 1.

    Args:
        arguments: those of the process unless others are given.
    """
    try:
        app(arguments)
    except (DctwireError, OSError) as error:
        Terminal.on_standard_error(time.monotonic).fail(str(error))
        raise SystemExit(1) from None


def _compute(device: str, terminal: Terminal) -> Compute:
    """This process alone, or one of those that torchrun started, of which only the first one speaks."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return Compute.local(device)
    compute = Compute.from_torchrun(os.environ, device)
    if not compute.is_first:
        terminal.mute()
    return compute


if __name__ == "__main__":
    main()
