"""`dctwire-trainer compare`: two runs on the same frames, or everything that a ladder says."""

from pathlib import Path
from typing import Annotated

import typer

from trainer import comparison as comparisons
from trainer.cli.comparison_tables import comparison_tables, pair_table
from trainer.cli.program import Program
from trainer.cli.terminal import Terminal, print_unless_read
from trainer.comparison.ladder import LADDER_NAME
from trainer.comparison.pair import compare_pair
from trainer.data import SplitName
from trainer.errors import RunError


def compare(
    context: typer.Context,
    folders: Annotated[
        list[Path],
        typer.Argument(metavar="RUN RUN|LADDER", help="Two evaluated runs, or a folder with ladder.json and runs."),
    ],
    out: Annotated[
        Path | None, typer.Option(help="Of a ladder: folder for figures and plots. Default: LADDER/comparison")
    ] = None,
    split: Annotated[SplitName, typer.Option(help="Which pictures the runs were evaluated on.")] = SplitName.TEST,
) -> None:
    """Say what the second of two runs changes, or what learned tables gain on a whole ladder. Reads evaluations only.

    [bold]Two runs:[/] dctwire-trainer compare runs/v1 runs/v2

    Accuracy and bytes of both, and their difference frame by frame, with its 95 % interval and McNemar's exact test:
    how probable so large a difference is if neither run is better. A pipe or a file gets the figures as JSON.

    [bold]A ladder:[/] dctwire-trainer compare ladder

    Accuracy at equal bytes, bytes at equal accuracy, the worth of each ingredient. Writes comparison.json,
    rate-accuracy.png, wire.png and tables.png.
    """
    terminal = Program.of(context).terminal
    match folders:
        case [ladder]:
            _compare_ladder(ladder, split, out or ladder / "comparison", terminal)
        case [first, second]:
            pair = compare_pair(first, second, split)
            terminal.show(pair_table(pair))
            print_unless_read(pair)
        case _:
            raise RunError(f"compare takes two runs or one ladder, not {len(folders)} folders")


def _compare_ladder(ladder: Path, split: SplitName, out: Path, terminal: Terminal) -> None:
    if (ladder / "asked.json").exists() and not (ladder / LADDER_NAME).exists():
        raise RunError(f"{ladder} is one run: name a second one to compare it with, or a ladder's folder")
    results = comparisons.read_results(ladder, split)
    comparison = comparisons.compare(results)
    comparisons.write_comparison(comparison, results, ladder, out)
    for table in comparison_tables(comparison):
        terminal.show(table)
    for words in comparison.missing:
        terminal.warn("missing", words)
