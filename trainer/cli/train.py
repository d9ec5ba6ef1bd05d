"""`dctwire-trainer train`: one run, from the first epoch or the last checkpoint to its end."""

from pathlib import Path
from typing import Annotated

import typer

from trainer import jobs
from trainer.cli.goal_choice import TablesKind, chosen_goal
from trainer.cli.options import CacheOption, DataOption, DeviceOption, ThreadsOption, VariantOption
from trainer.cli.program import Program
from trainer.jobs import TrainOrder
from trainer.recipes import recipe as recipes


def train(
    context: typer.Context,
    recipe: Annotated[str, typer.Argument(help="A shipped recipe (synthetic-32, cifar100-improved) or a TOML file.")],
    out: Annotated[Path, typer.Option(help="Folder for the run; the same command again resumes it.")],
    tables: Annotated[
        TablesKind,
        typer.Option(
            help="`standard`: ordinary JPEG. `learned`: tables of its own. `sensitivity`: made once from the net's "
            "gradients. `any`: a classifier for all tables, which others can start from."
        ),
    ],
    quality: Annotated[float | None, typer.Option(help="With standard tables: IJG quality, 1 to 100.")] = None,
    budget: Annotated[
        float | None,
        typer.Option(help="Mean scan bytes of a frame to spend; with standard tables in place of --quality."),
    ] = None,
    weight: Annotated[
        float | None,
        typer.Option("--lambda", min=1e-12, max=1e6, help="With learned tables and the paper's method: its lambda."),
    ] = None,
    rdo: Annotated[
        float | None, typer.Option(help="With standard tables: squared steps a bit is worth in RDO quantisation.")
    ] = None,
    init: Annotated[
        Path | None,
        typer.Option(help="A finished run, whose net to start from and to learn from."),
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, max=2**31 - 1, help="In place of the recipe's seed.")] = None,
    variant: VariantOption = None,
    device: DeviceOption = "auto",
    threads: ThreadsOption = 1,
    data_dir: DataOption = None,
    cache_dir: CacheOption = None,
) -> None:
    """Train a classifier for ordinary JPEG, or tables and classifier together for a byte budget.

    [bold]Ordinary JPEG:[/] dctwire-trainer train synthetic-32 --tables standard --quality 50 --out runs/v1

    [bold]Learned:[/] dctwire-trainer train synthetic-32 --tables learned --budget 90 --out runs/v2

    [bold]Many budgets:[/] train --tables any once, then each budget briefly with --init (see `ladder`).

    All take the same number of epochs of the same recipe, so that their figures compare.

    [bold]Stopped, killed, out of power:[/] the same command again goes on from the last checkpoint and ends as it
    would have. [bold]Several processes[/] share every batch: torchrun --nproc-per-node 2 -m trainer.app train ...
    """
    settings = recipes.load(recipe, variant or [])
    if seed is not None:
        settings = settings.model_copy(update={"seed": seed})
    goal = chosen_goal(settings, tables, quality=quality, budget=budget, rdo_multiplier=rdo, weight=weight)
    order = TrainOrder(recipe=settings, goal=goal, out=out, start=init, device=device, threads=threads)
    jobs.train(order, Program.of(context).machine(data_dir, cache_dir))
