"""`dctwire-trainer retrain`: a finished run's challenger, from the base set and labelled frames of the field."""

from pathlib import Path
from typing import Annotated

import typer

from trainer.cli.options import CacheOption, DataOption, DeviceOption, ThreadsOption
from trainer.cli.program import Program
from trainer.field.comparing import CompareOrder, Paired, compare_runs
from trainer.field.left_out import told
from trainer.field.retraining import RetrainOrder
from trainer.field.retraining import retrain as retrained

ChampionArgument = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of the finished run to start from.")]
UploadsArgument = Annotated[Path, typer.Argument(metavar="EXPORT", help="Folder that `dctwire samples export` wrote.")]
OutOption = Annotated[Path, typer.Option(help="Folder for the new run; the same command again resumes it.")]
BudgetOption = Annotated[
    float | None, typer.Option(help="Mean scan bytes of a frame to spend on new tables. Without it the tables stay.")
]
EpochsOption = Annotated[
    int | None, typer.Option(min=1, help="Default: as many as the run had, if it began from another itself; else 4.")
]


def retrain(
    context: typer.Context,
    champion: ChampionArgument,
    uploads: UploadsArgument,
    out: OutOption,
    budget: BudgetOption = None,
    epochs: EpochsOption = None,
    device: DeviceOption = "auto",
    threads: ThreadsOption = 1,
    data_dir: DataOption = None,
    cache_dir: CacheOption = None,
) -> None:
    """Train a run's challenger on its data set and on labelled frames of the field, and compare the two.

    dctwire samples export gate field/gate, then: dctwire-trainer retrain runs/v2 field/gate --out runs/v3

    Frames are learned from as they were sent. What is held out, whose labels are not believed, and what uploads cannot
    teach: docs/retraining.md. Several processes share every batch, as in `train`.
    """
    program = Program.of(context)
    machine = program.machine(data_dir, cache_dir)
    order = RetrainOrder(
        champion=champion,
        uploads=uploads,
        out=out,
        budget=budget,
        epochs=epochs,
        threads=threads,
        device=device,
    )
    data = retrained(order, machine)
    compared = compare_runs(CompareOrder(champion=champion, challenger=out, uploads=uploads, threads=threads), machine)
    for paired in (compared.holdout, compared.recent):
        program.terminal.say(_line(paired))
    program.terminal.say(f"not learned from: {told(data.not_learned)}")


def _line(paired: Paired) -> str:
    if not paired.n:
        return f"{paired.name}: no frames"
    return (
        f"{paired.name}: {paired.champion_right / paired.n:.2%} before, {paired.challenger_right / paired.n:.2%} now "
        f"({paired.gain:+.2%}, {paired.low:+.2%} to {paired.high:+.2%}, n = {paired.n}); "
        f"{paired.champion_scan_bytes:.1f} and {paired.challenger_scan_bytes:.1f} scan bytes"
    )
