"""`dctwire-trainer ladder` and `compare`: what byte budgets buy, for little more than one training."""

from pathlib import Path
from typing import Annotated

import typer

from trainer import comparison as comparisons
from trainer import series
from trainer.cli.comparison_tables import comparison_tables
from trainer.cli.options import CacheOption, DataOption, VariantOption
from trainer.cli.program import Program
from trainer.comparison.ladder import BASE
from trainer.data import SplitName
from trainer.series import LadderOrder


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
    is a run of its own with a log beside it. Then: dctwire-trainer compare OUT
    """
    program = Program.of(context)
    order = LadderOrder(recipe=recipe, variants=tuple(variant or ()), out=out, side_by_side=jobs)
    with program.terminal.counter(BASE) as counter:
        count = series.climb(
            order, program.machine(data_dir, cache_dir), lambda folder, total: counter.count(folder.name, total)
        )
    program.terminal.say(f"{count} points in {out}; now: dctwire-trainer compare {out}")


def compare(
    context: typer.Context,
    ladder: Annotated[Path, typer.Argument(metavar="LADDER", help="Folder with ladder.json and evaluated runs.")],
    out: Annotated[Path | None, typer.Option(help="Folder for figures and plots. Default: LADDER/comparison")] = None,
    split: Annotated[SplitName, typer.Option(help="Which pictures the runs were evaluated on.")] = SplitName.TEST,
) -> None:
    """Say what learned tables gain: accuracy at equal bytes, bytes at equal accuracy, the worth of each ingredient.

    Reads evaluations only. Writes comparison.json, rate-accuracy.png, wire.png and tables.png.
    """
    terminal = Program.of(context).terminal
    results = comparisons.read_results(ladder, split)
    comparison = comparisons.compare(results)
    comparisons.write_comparison(comparison, results, ladder, out or ladder / "comparison")
    for table in comparison_tables(comparison):
        terminal.show(table)
    for words in comparison.missing:
        terminal.warn("missing", words)
