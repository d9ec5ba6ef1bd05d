"""Figures and recipes as tables at the terminal."""

from collections.abc import Sequence

import numpy as np
from rich.markup import escape
from rich.table import Table

from trainer.data import Dataset, SplitName
from trainer.evaluation.by_class import ClassFigures
from trainer.evaluation.evaluation import TOP, Bytes, Evaluation
from trainer.export.fallback import FallbackEvaluation
from trainer.recipes.paper import DeconvolutionRfaSection, WideResNetSection
from trainer.recipes.recipe import AnyRecipe, Net

CLASSES_SHOWN = 30  # of more than these, the least accurate


def figures_tables(figures: Evaluation | FallbackEvaluation) -> list[Table]:
    """The figures of a bundle's frames, all together and class by class, or those of a fallback's."""
    if isinstance(figures, FallbackEvaluation):
        return [fallback_table(figures)]
    return [evaluation_table(figures), *([class_table(figures.classes)] if figures.classes else [])]


def class_table(classes: Sequence[ClassFigures]) -> Table:
    """Accuracy class by class, the least accurate first."""
    measured = sorted((each for each in classes if each.n), key=lambda each: (each.accuracy, each.label))
    shown = measured[:CLASSES_SHOWN]
    left = f"the {len(shown)} least accurate of {len(measured)} classes" if len(shown) < len(measured) else None
    table = Table(title="class by class, the least accurate first", caption=left)
    for heading in ("class", "accuracy", "95 % interval", "frames", "mostly taken for"):
        is_text = heading in {"class", "mostly taken for"}
        table.add_column(heading, justify="left" if is_text else "right", overflow="fold")
    for each in shown:
        taken = escape(f"{each.taken_for} ({each.taken})") if each.taken_for else ""
        table.add_row(
            escape(each.label), f"{each.accuracy:.1%}", f"{each.low:.1%} to {each.high:.1%}", str(each.n), taken
        )
    return table


def evaluation_table(evaluation: Evaluation) -> Table:
    """Bytes in three units, and below them accuracy and likeness."""
    says_nothing = 0 < len(evaluation.classes) <= TOP
    several = "" if says_nothing else f"among the first five {evaluation.top5.value:.2%}; "
    likeness = f"PSNR {evaluation.psnr_db.value:.2f} dB, SSIM {evaluation.ssim.value:.4f}"
    table = Table(
        title=f"{evaluation.tables} on {evaluation.data} ({evaluation.split}, n = {evaluation.n})",
        caption=f"accuracy {evaluation.accuracy:.2%}, 95 % interval {evaluation.low:.2%} to {evaluation.high:.2%}; "
        f"{several}{likeness}; tables {evaluation.tables_id}",
    )
    table.add_column("bytes a frame")
    for heading in ("mean", "95 % interval", "median", "95th percentile"):
        table.add_column(heading, justify="right")
    _row(table, "scan only (entropy-coded)", evaluation.scan)
    _row(table, "on the wire (abbreviated JPEG)", evaluation.wire)
    _row(table, "whole JFIF file", evaluation.file)
    table.add_row("in full batches on the wire", f"{evaluation.batched:.1f}")
    return table


def dataset_table(dataset: Dataset) -> Table:
    """How many pictures each class has in each split."""
    height, width = dataset.size
    table = Table(title=f"{dataset.name}: {width} x {height} pixels, {len(dataset.classes)} classes")
    table.add_column("class", overflow="fold")
    for split in SplitName:
        table.add_column(split, justify="right")
    counts = [np.bincount(dataset.split(split).labels, minlength=len(dataset.classes)) for split in SplitName]
    for label, row in zip(dataset.classes, zip(*counts, strict=True), strict=True):
        table.add_row(escape(label), *map(str, row))
    table.add_section()
    table.add_row("all", *(str(len(dataset.split(split))) for split in SplitName))
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
