"""`dctwire-trainer train`: one run, from the first epoch or the last checkpoint to its end."""

from pathlib import Path
from typing import Annotated

import typer

from trainer import jobs
from trainer.cli.goal_choice import TablesKind, chosen_goal
from trainer.cli.next_steps import after_training, run_folder
from trainer.cli.options import CacheOption, DataOption, DeviceOption, SourceArgument, ThreadsOption, VariantOption
from trainer.cli.program import Program
from trainer.cli.recipe_choice import chosen_recipe, is_folder
from trainer.jobs import TrainOrder
from trainer.recipes.toml_text import toml_of

OutOption = Annotated[
    Path | None,
    typer.Option(help="Folder for the run; the same command again resumes it. Default: runs/SOURCE-TABLES-BUDGET."),
]
TablesOption = Annotated[
    TablesKind,
    typer.Option(
        help="`standard`: ordinary JPEG. `learned`: tables of its own. `sensitivity`: made once from the net's "
        "gradients. `any`: a classifier for all tables, which others can start from."
    ),
]
QualityOption = Annotated[float | None, typer.Option(help="With standard tables: IJG quality, 1 to 100.")]
BudgetOption = Annotated[
    float | None,
    typer.Option(help="Mean scan bytes of a frame to spend; with standard tables in place of --quality."),
]
WeightOption = Annotated[
    float | None,
    typer.Option("--lambda", min=1e-12, max=1e6, help="With learned tables and the paper's method: its lambda."),
]
RdoOption = Annotated[
    float | None, typer.Option(help="With standard tables: squared steps a bit is worth in RDO quantisation.")
]
InitOption = Annotated[Path | None, typer.Option(help="A finished run, whose net to start from and to learn from.")]
SeedOption = Annotated[int | None, typer.Option(min=0, max=2**31 - 1, help="In place of the recipe's seed.")]


def train(
    context: typer.Context,
    source: SourceArgument,
    out: OutOption = None,
    tables: TablesOption = TablesKind.LEARNED,
    quality: QualityOption = None,
    budget: BudgetOption = None,
    weight: WeightOption = None,
    rdo: RdoOption = None,
    init: InitOption = None,
    seed: SeedOption = None,
    variant: VariantOption = None,
    device: DeviceOption = "auto",
    threads: ThreadsOption = 1,
    data_dir: DataOption = None,
    cache_dir: CacheOption = None,
) -> None:
    """Train a classifier for ordinary JPEG, or tables and classifier together for a byte budget.

    [bold]Pictures of your own,[/] one folder a class: dctwire-trainer train pets --budget 150

    Size, net, batch and epochs then follow from the pictures and the budget. They are printed as a recipe, which the
    run keeps as recipe.toml: edit a copy, and train that.

    [bold]A recipe, learned tables:[/] dctwire-trainer train synthetic-32 --tables learned --budget 90 --out runs/v2

    [bold]Ordinary JPEG:[/] dctwire-trainer train synthetic-32 --tables standard --quality 50 --out runs/v1

    [bold]Many budgets:[/] train --tables any once, then each budget briefly with --init (see `ladder`).

    All take the same number of epochs of the same recipe, so that their figures compare.

    [bold]Stopped, killed, out of power:[/] the same command again goes on from the last checkpoint and ends as it
    would have. [bold]Several processes[/] share every batch: torchrun --nproc-per-node 2 -m trainer.app train ...
    """
    program = Program.of(context)
    settings = chosen_recipe(source, variant or [], budget)
    if seed is not None:
        settings = settings.model_copy(update={"seed": seed})
    goal = chosen_goal(settings, tables, quality=quality, budget=budget, rdo_multiplier=rdo, weight=weight)
    run = out or run_folder(source, goal, variant or [], seed)
    if is_folder(source):
        program.terminal.say(f"# A recipe for {source}. To change it: `recipes --print`, edit, train the file.\n")
        program.terminal.say(toml_of(settings))
    order = TrainOrder(recipe=settings, goal=goal, out=run, start=init, device=device, threads=threads)
    jobs.train(order, program.machine(data_dir, cache_dir))
    program.terminal.say("next:")
    for line in after_training(settings, goal, run, source, data_dir):
        program.terminal.say(f"  {line}")
