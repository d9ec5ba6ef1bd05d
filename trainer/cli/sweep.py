"""`dctwire-trainer sweep`: the paper's curves."""

from pathlib import Path
from typing import Annotated

import typer

from trainer import series
from trainer.cli.options import CacheOption, DataOption, DeviceOption, ThreadsOption, VariantOption
from trainer.cli.program import Program
from trainer.errors import RecipeError
from trainer.recipes import recipe as recipes
from trainer.recipes.recipe import PaperRecipe
from trainer.series import SweepOrder


def sweep(
    context: typer.Context,
    recipe: Annotated[str, typer.Argument(help="A recipe of the paper's method: cifar100-faithful or a TOML file.")],
    out: Annotated[Path, typer.Option(help="Folder for the runs, one each, and their pictures.")],
    variant: VariantOption = None,
    device: DeviceOption = "auto",
    threads: ThreadsOption = 1,
    data_dir: DataOption = None,
    cache_dir: CacheOption = None,
) -> None:
    """Train and evaluate every point of the paper's curves, lambdas and JPEG qualities; the same command resumes."""
    settings = recipes.load(recipe, variant or [])
    if not isinstance(settings, PaperRecipe):
        raise RecipeError(f"{recipe} lists no points to sweep: only recipes of the paper's method do")
    program = Program.of(context)
    order = SweepOrder(recipe=settings, out=out, device=device, threads=threads)
    count = series.sweep(order, program.machine(data_dir, cache_dir))
    program.terminal.say(f"{count} points in {out}, drawn in file.png and scan.png")
