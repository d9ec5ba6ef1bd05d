"""`dctwire-trainer evaluate`: a run's or a bundle's figures on held-out pictures."""

from pathlib import Path
from typing import Annotated

import typer

from trainer import jobs
from trainer.cli.next_steps import after_evaluation
from trainer.cli.options import CacheOption, DataOption, ThreadsOption
from trainer.cli.program import Program
from trainer.cli.tables import figures_tables
from trainer.cli.terminal import print_unless_read
from trainer.data import SplitName
from trainer.jobs import EvaluateOrder
from trainer.recipes import recipe as recipes


def evaluate(
    context: typer.Context,
    source: Annotated[Path, typer.Argument(metavar="RUN|BUNDLE_DIR", help="A finished run or an exported bundle.")],
    split: Annotated[SplitName, typer.Option(help="Which pictures; `test` was never looked at in training.")] = (
        SplitName.TEST
    ),
    recipe: Annotated[
        str | None, typer.Option(help="Needed with a bundle: the recipe that names its data set, e.g. RUN/recipe.toml.")
    ] = None,
    confusion: Annotated[
        Path | None,
        typer.Option(help="PNG file to draw which classes are taken for which. Default: RUN/confusion-SPLIT.png"),
    ] = None,
    json_out: Annotated[
        Path | None,
        typer.Option(
            "--json", help="Write the figures to this file; without it, a pipe or a file gets them as output."
        ),
    ] = None,
    threads: ThreadsOption = 1,
    data_dir: DataOption = None,
    cache_dir: CacheOption = None,
) -> None:
    """Measure what will happen in the field: real codec, real streams, exported classifier.

    Prints accuracy, PSNR and SSIM with their 95 % intervals, and bytes a frame in three units: scan only, whole JFIF
    file, and the abbreviated frame as sent. Then accuracy class by class, and which class is taken for which, also as a
    picture. A run keeps them as evaluation-SPLIT.json, and each frame's outcome beside
    it, for `compare`. A run of any tables is measured at several, ordinary and random: fallback-SPLIT.json.
    """
    program = Program.of(context)
    named = None if recipe is None else recipes.load(recipe)
    order = EvaluateOrder(source=source, split=split, recipe=named, confusion=confusion, threads=threads)
    figures = jobs.evaluate(order, program.machine(data_dir, cache_dir))
    for table in figures_tables(figures):
        program.terminal.show(table)
    if json_out is not None:
        json_out.write_text(figures.model_dump_json(indent=2) + "\n")
    else:
        print_unless_read(figures)
    for line in after_evaluation(source, data_dir):
        program.terminal.say(f"next: {line}")
