"""`dctwire-trainer ladder`: what byte budgets buy, for little more than one training."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from trainer.cli.options import CacheOption, DataOption, VariantOption
from trainer.cli.report import console, progress_bar
from trainer.data import SplitName
from trainer.errors import RecipeError
from trainer.evaluation.files import evaluation_path
from trainer.ladder import BASE, Command, arguments, plan, run_commands, write_plan
from trainer.recipes import recipe as recipes
from trainer.recipes.recipe import PaperRecipe
from trainer.training.run_dir import RunDir


def ladder(
    recipe: Annotated[str, typer.Argument(help="A shipped recipe (cifar100-improved) or a TOML file with budgets.")],
    out: Annotated[Path, typer.Option(help="Folder for all runs; the same command again goes on.")],
    variant: VariantOption = None,
    jobs: Annotated[int, typer.Option(min=1, max=64, help="Runs side by side, one thread each.")] = 1,
    data_dir: DataOption = None,
    cache_dir: CacheOption = None,
) -> None:
    """Train one base, then ordinary JPEG and learned tables at several byte budgets from it; evaluate all.

    Every point is a short branch of the same base, with the same number of epochs, so that their figures compare. Each
    is a run of its own with a log beside it. Then: dctwire-trainer compare OUT
    """
    settings = recipes.load(recipe, variant or [])
    if isinstance(settings, PaperRecipe) or not settings.ladder.budgets:
        raise RecipeError(f"{recipe} has no [ladder] with budgets to climb")
    points = plan(settings.ladder, settings.seed)
    data = ["--data-dir", str(data_dir)] if data_dir else []
    data += ["--cache-dir", str(cache_dir)] if cache_dir else []
    train = ["train", recipe, *(word for name in variant or [] for word in ("--variant", name)), *data]
    base = out / BASE
    with progress_bar(console) as progress:
        task = progress.add_task(BASE, total=1 + len(points))

        def done(folder: Path) -> None:
            progress.update(task, advance=1, description=folder.name)

        run_commands([Command(base, ([*train, "--tables", "any", "--out", str(base)],))], 1, done)
        write_plan(out, points, data=RunDir(base).asked().data, recipe=recipe, variants=variant or [])
        rungs = []
        for point in points:
            folder = out / point.run
            training = [*train, "--init", str(base), "--out", str(folder), *arguments(point, settings.ladder)]
            is_evaluated = evaluation_path(folder, SplitName.TEST).exists()
            rungs.append(Command(folder, (training,) if is_evaluated else (training, ["evaluate", str(folder), *data])))
        run_commands(rungs, jobs, done)
    console.print(f"{len(points)} points in {escape(str(out))}; now: dctwire-trainer compare {escape(str(out))}")
