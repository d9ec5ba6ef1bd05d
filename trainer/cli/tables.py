"""Figures and recipes as tables at the terminal."""

from collections.abc import Sequence

from rich.table import Table

from trainer.evaluation.evaluation import Bytes, Evaluation
from trainer.export.fallback import FallbackEvaluation
from trainer.recipes.paper import DeconvolutionRfaSection, WideResNetSection
from trainer.recipes.recipe import AnyRecipe, Net


def figures_table(figures: Evaluation | FallbackEvaluation) -> Table:
    """The figures of a bundle's frames, or of a fallback's."""
    return fallback_table(figures) if isinstance(figures, FallbackEvaluation) else evaluation_table(figures)


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


def recipe_table(rows: Sequence[tuple[str, AnyRecipe, Sequence[str]]]) -> Table:
    """Shipped recipes: name, what is in it, names of its variants."""
    table = Table(title="Recipes that come with dctwire")
    table.add_column("name", no_wrap=True)
    for heading in ("method", "data set", "net", "epochs", "variants"):
        table.add_column(heading, overflow="fold")
    for name, recipe, variants in rows:
        net = "by size" if recipe.net is None else f"{recipe.net.kind} {_size(recipe.net)}"
        table.add_row(name, recipe.method, recipe.data.name, net, str(recipe.epochs), ", ".join(variants))
    return table


def _size(net: Net | WideResNetSection | DeconvolutionRfaSection) -> str:
    if isinstance(net, Net):
        return "-".join(map(str, net.widths))
    return f"{net.depth}-{net.width}" if isinstance(net, WideResNetSection) else str(net.width)


def _row(table: Table, unit: str, size: Bytes) -> None:
    interval = f"{size.low:.1f} to {size.high:.1f}"
    table.add_row(unit, f"{size.mean:.1f}", interval, f"{size.p50:.0f}", f"{size.p95:.0f}")
