"""`dctwire-trainer ladder`: what byte budgets buy, for little more than one training."""

from pathlib import Path
from typing import Annotated

import typer

from trainer import series
from trainer.cli.options import CacheOption, DataOption, VariantOption
from trainer.cli.program import Program
from trainer.comparison.ladder import BASE
from trainer.series import LOG_NAME, LadderOrder


def ladder(
    context: typer.Context,
    recipe: Annotated[str, typer.Argument(help="A shipped recipe (cifar100-improved) or a TOML file with budgets.")],
    out: Annotated[Path, typer.Option(help="Folder for all runs; the same command again goes on.")],
    variant: VariantOption = None,
    jobs: Annotated[int, typer.Option(min=1, max=64, help="Runs side by side, one thread each.")] = 1,
    data_dir: DataOption = None,
    cache_dir: CacheOption = None,
) -> None:
    """Train one base, then ordinary JPEG and learned tables at several byte budgets from it; evaluate all.

    Every point is a short branch of the same base, with the same number of epochs, so that their figures compare. Each
    is a run of its own with a log beside it. The recipe's [ladder] says which points there are.

    [bold]Pictures of your own:[/] dctwire-trainer recipes --print pets --budget 150 > pets.toml, then
    dctwire-trainer ladder pets.toml --out ladder

    [bold]Then:[/] dctwire-trainer compare OUT
    """
    program = Program.of(context)
    order = LadderOrder(recipe=recipe, variants=tuple(variant or ()), out=out, side_by_side=jobs)
    program.terminal.say(f"first {out / BASE}, then its branches; what each run says is in its folder's {LOG_NAME}")
    with program.terminal.counter(BASE) as counter:
        count = series.climb(
            order, program.machine(data_dir, cache_dir), lambda folder, total: counter(folder.name, total)
        )
    program.terminal.say(f"{count} points in {out}; now: dctwire-trainer compare {out}")
