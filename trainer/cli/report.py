"""What a person sees at the terminal: progress bars, one line an epoch, tables of figures."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from trainer.evaluation.evaluation import Bytes, Evaluation
from trainer.export.fallback import FallbackEvaluation
from trainer.recipes.paper import DeconvolutionRfaSection, WideResNetSection
from trainer.recipes.recipe import Net, PaperRecipe, Recipe
from trainer.training.improved import Epoch

console = Console(stderr=True, highlight=False, soft_wrap=True)  # quiet in all processes of a training but the first


@contextmanager
def progress_bar(console: Console) -> Iterator[Progress]:
    """A bar with counts, elapsed and remaining time; it vanishes when done."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        yield progress


def epoch_line(epoch: Epoch, epochs: int) -> str:
    """One epoch in a line."""
    learning = "" if epoch.price is None else f", lambda {epoch.price:.2g}, rate model off by {epoch.rate_error:.1%}"
    return (
        f"epoch {epoch.epoch}/{epochs} [bold]{epoch.phase}[/]: loss {epoch.loss:.3f}, "
        f"validation accuracy {epoch.validation_accuracy:.1%} at {epoch.scan_bytes:.1f} scan bytes "
        f"(n = {epoch.n}){learning} "
        f"({epoch.seconds:.1f} s)"
    )


def evaluation_table(evaluation: Evaluation) -> Table:
    """Bytes in three units, and below them accuracy and likeness."""
    likeness = f"PSNR {evaluation.psnr_db.value:.2f} dB, SSIM {evaluation.ssim.value:.4f}"
    table = Table(
        title=f"{evaluation.tables} on {evaluation.data} ({evaluation.split}, n = {evaluation.n})",
        caption=f"accuracy {evaluation.accuracy:.2%}, 95 % interval {evaluation.low:.2%} to {evaluation.high:.2%}; "
        f"among the first five {evaluation.top5.value:.2%}; {likeness}; tables {evaluation.tables_id}",
    )
    table.add_column("bytes a frame")
    for heading in ("mean", "95 % interval", "median", "95th percentile"):
        table.add_column(heading, justify="right")
    _row(table, "scan only (entropy-coded)", evaluation.scan)
    _row(table, "on the wire (abbreviated JPEG)", evaluation.wire)
    _row(table, "whole JFIF file", evaluation.file)
    table.add_row("in full batches on the wire", f"{evaluation.batched:.1f}")
    return table


def fallback_table(figures: FallbackEvaluation) -> Table:
    """Accuracy and bytes, a line for each of the tables."""
    table = Table(title=f"any tables on {figures.data} ({figures.split}, n = {figures.n})")
    for heading in ("tables", "accuracy", "95 % interval", "scan bytes", "PSNR, dB"):
        table.add_column(heading, justify="left" if heading == "tables" else "right")
    for of in figures.of_tables:
        interval = f"{of.low:.1%} to {of.high:.1%}"
        table.add_row(of.tables, f"{of.accuracy:.1%}", interval, f"{of.scan.mean:.1f}", f"{of.psnr_db.value:.2f}")
    return table


def recipe_table(rows: Sequence[tuple[str, Recipe | PaperRecipe, Sequence[str]]]) -> Table:
    """Shipped recipes: name, what is in it, names of its variants."""
    table = Table(title="Recipes that come with dctwire")
    for heading in ("name", "method", "data set", "net", "epochs", "variants"):
        table.add_column(heading)
    for name, recipe, variants in rows:
        net = f"{recipe.net.kind} {_size(recipe.net)}"
        table.add_row(name, recipe.method, recipe.data.name, net, str(recipe.epochs), ", ".join(variants))
    return table


def _size(net: Net | WideResNetSection | DeconvolutionRfaSection) -> str:
    if isinstance(net, Net):
        return "-".join(map(str, net.widths))
    return f"{net.depth}-{net.width}" if isinstance(net, WideResNetSection) else str(net.width)


def _row(table: Table, unit: str, size: Bytes) -> None:
    interval = f"{size.low:.1f} to {size.high:.1f}"
    table.add_row(unit, f"{size.mean:.1f}", interval, f"{size.p50:.0f}", f"{size.p95:.0f}")
