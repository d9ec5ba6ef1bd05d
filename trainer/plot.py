"""Pictures: quantisation tables as heat maps, rate-accuracy points, and a run's figures over its epochs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Annotated, Any, Self

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from shared.jpeg import TableSet
from trainer.errors import RecipeError, RunError
from trainer.evaluation.evaluation import Figure as Interval

COMPONENTS = ("Y", "Cb", "Cr")
COLOURS = ("#33658a", "#d1495b", "#66a182", "#edae49", "#7768ae", "#5c6b73")
INK, FAINT = "#22303c", "#d9dee2"
DPI = 150
CLASSES_SHOWN, LABEL_CHARACTERS = 60, 24  # in one picture: what can still be read
RUN_FIGURES = (  # key of metrics.jsonl, what stands at the axis, factor
    ("loss", "training loss", 1),
    ("validation_accuracy", "validation accuracy, %", 100),
    ("scan_bytes", "scan bytes a frame", 1),
)


class Point(BaseModel):
    """One rate-accuracy point: bytes a frame, and accuracy with its interval, both 0..1.

    Points of the same `series` become one line with one colour; without a series each stands alone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    series: str | None = None
    bytes: Annotated[float, Field(gt=0)]
    accuracy: Annotated[float, Field(ge=0, le=1)]
    low: Annotated[float, Field(ge=0, le=1)]
    high: Annotated[float, Field(ge=0, le=1)]

    @model_validator(mode="after")
    def _interval_holds_the_accuracy(self) -> Self:
        if not self.low <= self.accuracy <= self.high:
            raise ValueError("accuracy must lie between low and high")
        return self


_Points = Annotated[list[Point], Field(min_length=1)]


@dataclass(frozen=True)
class TitledTables:
    """A table set under the title of its row in the picture.

    Args:
        dropped: bool (3, 64), natural frequency order, where levels are always zero; None: nowhere.
    """

    title: str
    tables: TableSet
    dropped: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Curve:
    """A line that goes through every panel of a picture.

    Args:
        sizes: bytes of each point.
        panels: by the panel's axis label, a figure with its interval a point.
    """

    name: str
    sizes: Sequence[float]
    panels: Mapping[str, Sequence[Interval]]


def read_points(path: Path) -> list[Point]:
    """A JSON list of points.

    Raises:
        RunError: the file is missing or holds something else.
    """
    try:
        return TypeAdapter(_Points).validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise RunError(f"{path} holds no rate-accuracy points: {error}") from error


def draw_tables(rows: Sequence[TitledTables], path: Path, subtitle: str) -> None:
    """A row of three heat maps (Y, Cb, Cr) a table set, every step printed; one colour scale for all."""
    figure = Figure(figsize=(12.6, 4.2 * len(rows) + 1.0), facecolor="white", layout="constrained")
    grid = figure.subplots(len(rows), 3, squeeze=False)
    for row, axes in zip(rows, grid, strict=True):
        dropped = np.zeros((3, 64), np.bool_) if row.dropped is None else row.dropped
        for component, table, zeros, ax in zip(COMPONENTS, row.tables.quant, dropped, axes, strict=True):
            steps = np.frombuffer(table, np.uint8).reshape(8, 8)
            _heat_map(ax, steps, zeros.reshape(8, 8), f"{row.title}: {component}")
    figure.suptitle(
        f"Quantisation steps (low frequencies top left; –: always zero)\n{subtitle}", color=INK, fontsize=13
    )
    scale = figure.colorbar(grid[0][0].images[0], ax=grid, shrink=0.7, pad=0.01, aspect=30)
    scale.set_ticks([1, 3, 10, 30, 100, 255], labels=["1 (keep all)", "3", "10", "30", "100", "255 (drop)"])
    scale.outline.set_visible(False)
    _save(figure, path)


def draw_kernels(rows: Mapping[str, NDArray[np.float32]], path: Path, subtitle: str) -> None:
    """The paper's Fig. 5: |q| of Y, Cb and Cr, darker where steps are finer; zeros are dashes.

    Args:
        rows: by title, kernels (3, 64) in natural frequency order.
    """
    figure = Figure(figsize=(12.6, 4.2 * len(rows) + 1.0), facecolor="white", layout="constrained")
    grid = figure.subplots(len(rows), 3, squeeze=False)
    for (title, kernels), axes in zip(rows.items(), grid, strict=True):
        for component, kernel, ax in zip(COMPONENTS, np.abs(kernels), axes, strict=True):
            _grey_map(ax, kernel.reshape(8, 8), float(np.abs(kernels).max()), f"{title}: {component}")
    figure.suptitle(
        f"Compression kernels |q| = 1 / step (low frequencies top left)\n{subtitle}", color=INK, fontsize=13
    )
    _save(figure, path)


def draw_confusion(counts: NDArray[np.int64], labels: Sequence[str], path: Path, title: str) -> None:
    """Which label frames of each class are given, a row a class, as shares of the row; darker where they are more.

    Of more than `CLASSES_SHOWN` classes those with the most frames at fault are shown, and the others as one.

    Args:
        counts: (classes, classes), a row each true class.
    """
    counts, labels = most_confused(counts, labels)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    count = len(labels)
    figure = Figure(figsize=(max(8.4, 4.6 + 0.27 * count), 4.2 + 0.27 * count), facecolor="white", layout="constrained")
    ax = figure.subplots()
    image = ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), share in np.ndenumerate(shares):
        if share >= 0.005:
            colour = "white" if share > 0.55 else INK
            ax.text(column, row, f"{100 * share:.0f}", ha="center", va="center", fontsize=6.5, color=colour)
    words = [_short(label) for label in labels]
    ax.set_xticks(range(count), words, rotation=90, fontsize=8)
    ax.set_yticks(range(count), [f"{word} ({n})" for word, n in zip(words, counts.sum(1), strict=True)], fontsize=8)
    ax.set_anchor("W")
    ax.set_xlabel("what the classifier says", color=INK)
    ax.set_ylabel("what the frame shows (frames)", color=INK)
    ax.spines[:].set_visible(False)
    figure.colorbar(image, ax=ax, shrink=0.6, pad=0.02, label="share of the row").outline.set_visible(False)
    figure.suptitle(f"Confusion, % of each row\n{title}", color=INK, fontsize=11)
    _save(figure, path)


def draw_points(points: Sequence[Point], path: Path, subtitle: str, unit: str = "bytes a frame") -> None:
    """Accuracy over bytes, with intervals; bytes on a logarithmic axis; `unit` says which bytes they are."""
    figure = Figure(figsize=(8.4, 5.2), facecolor="white", layout="constrained")
    ax = figure.subplots()
    groups = _by_series(points)
    for index, (series, members) in enumerate(groups.items()):
        _curve(ax, members, COLOURS[index % len(COLOURS)], series if members[0].series else None, index)
    _frame(ax, [point.bytes for point in points], unit)
    ax.set_title(f"Accuracy against bytes\n{subtitle}", loc="left", color=INK, fontsize=12)
    if any(point.series for point in points):
        ax.legend(loc="lower right", frameon=False)
    _save(figure, path)


@dataclass(frozen=True)
class PairBar:
    """Two accuracies on the same n frames, each with its interval (value, low, high)."""

    name: str
    n: int
    champion: tuple[float, float, float]
    challenger: tuple[float, float, float]


def draw_pairs(pairs: Sequence[PairBar], path: Path, subtitle: str) -> None:
    """Accuracy of champion and challenger side by side, a group for each set of frames."""
    figure = Figure(figsize=(3.6 + 2.4 * len(pairs), 4.6), facecolor="white", layout="constrained")
    ax = figure.subplots()
    for index, side in enumerate(("champion", "challenger")):
        places = [place + 0.2 * (2 * index - 1) for place in range(len(pairs))]
        for place, (value, low, high) in zip(places, [getattr(pair, side) for pair in pairs], strict=True):
            bar = ([100 * (value - low)], [100 * (high - value)])
            label = side if place == places[0] else None
            ax.bar(place, 100 * value, 0.36, yerr=bar, capsize=4, color=COLOURS[index], label=label)
    ax.set_xticks(range(len(pairs)), [f"{pair.name}\n(n = {pair.n})" for pair in pairs])
    ax.set_ylabel("accuracy, % (bars: 95 % interval)", color=INK)
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_title(f"Champion and challenger\n{subtitle}", loc="left", color=INK, fontsize=12)
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    _save(figure, path)


def draw_changes(changes: Mapping[str, float], path: Path, subtitle: str) -> None:
    """What share of its frames each class gains or loses; of many classes, those that change most."""
    shown = sorted(changes, key=lambda label: -abs(changes[label]))[:CLASSES_SHOWN]
    shown.sort(key=lambda label: changes[label])
    figure = Figure(figsize=(8.4, 1.8 + 0.22 * len(shown)), facecolor="white", layout="constrained")
    ax = figure.subplots()
    shares = [100 * changes[label] for label in shown]
    ax.barh(range(len(shown)), shares, color=[COLOURS[0] if share >= 0 else COLOURS[1] for share in shares])
    ax.set_yticks(range(len(shown)), [_short(label) for label in shown], fontsize=8)
    ax.set_xlabel("frames named rightly: gained (right) or lost (left), % of the class", color=INK)
    ax.axvline(0, color=INK, lw=0.8)
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_title(f"Class by class\n{subtitle}", loc="left", color=INK, fontsize=12)
    _save(figure, path)


def draw_curves(curves: Sequence[Curve], path: Path, subtitle: str, unit: str = "bytes a frame") -> None:
    """A panel for each figure over bytes (the paper's Figs. 3 and 4), bytes on a logarithmic axis."""
    labels = list(curves[0].panels)
    figure = Figure(figsize=(2.0 + 4.8 * len(labels), 5.0), facecolor="white", layout="constrained")
    for label, ax in zip(labels, figure.subplots(1, len(labels), squeeze=False)[0], strict=True):
        for index, curve in enumerate(curves):
            _line(ax, curve, label, COLOURS[index % len(COLOURS)])
        _axes(ax, [size for curve in curves for size in curve.sizes], unit)
        ax.set_ylabel(label, color=INK)
    figure.suptitle(subtitle, color=INK, fontsize=12)
    handles, names = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=2 if len(labels) == 1 else 4, frameon=False)
    _save(figure, path)


def _line(ax: Axes, curve: Curve, label: str, colour: str) -> None:
    figures = [figure for _, figure in sorted(zip(curve.sizes, curve.panels[label], strict=True), key=_size)]
    values = [figure.value for figure in figures]
    bars = [[figure.value - figure.low for figure in figures], [figure.high - figure.value for figure in figures]]
    ax.errorbar(
        sorted(curve.sizes), values, yerr=bars, fmt="o-", ms=5, capsize=3, lw=1.6, color=colour, label=curve.name
    )


def _size(point: tuple[float, Interval]) -> float:
    return point[0]


def draw_run(rows: Sequence[Mapping[str, Any]], path: Path, title: str) -> None:
    """Loss, validation accuracy and scan bytes over epochs, one above the other; phases are told apart.

    Args:
        rows: of metrics.jsonl.

    Raises:
        RunError: there are none, or they lack figures.
    """
    if not rows or any(
        key not in row for row in rows for key in ("epoch", "phase", *(key for key, _, _ in RUN_FIGURES))
    ):
        raise RunError(f"{title}: no epoch has been logged whose figures could be drawn")
    figure = Figure(figsize=(8.4, 7.2), facecolor="white", layout="constrained")
    panels = figure.subplots(len(RUN_FIGURES), sharex=True)
    epochs = [row["epoch"] for row in rows]
    for ax, (key, label, scale), colour in zip(panels, RUN_FIGURES, COLOURS, strict=False):
        _phases(ax, rows, named=ax is panels[0])
        ax.plot(epochs, [scale * row[key] for row in rows], "o-", color=colour, lw=1.8, ms=4)
        ax.set_ylabel(label, color=INK)
        ax.grid(color=FAINT, lw=0.8)
        ax.set_axisbelow(True)
        ax.margins(y=0.12)
        ax.spines[["top", "right"]].set_visible(False)
    panels[-1].set_xlim(min(epochs) - 0.5, max(epochs) + 0.5)
    panels[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    panels[-1].set_xlabel("epoch", color=INK)
    figure.suptitle(title, color=INK, fontsize=12)
    _save(figure, path)


def _phases(ax: Axes, rows: Sequence[Mapping[str, Any]], *, named: bool) -> None:
    """A band a phase, every other one tinted, its name above."""
    for index, (phase, group) in enumerate(groupby(rows, key=itemgetter("phase"))):
        epochs = [row["epoch"] for row in group]
        first, last = epochs[0] - 0.5, epochs[-1] + 0.5
        if index % 2:
            ax.axvspan(first, last, color=FAINT, alpha=0.45, lw=0)
        if named:
            place = ((first + last) / 2, 1.02)
            ax.annotate(phase, place, xycoords=("data", "axes fraction"), ha="center", va="bottom", color=INK)


def most_confused(counts: NDArray[np.int64], labels: Sequence[str]) -> tuple[NDArray[np.int64], Sequence[str]]:
    """All classes, or those with the most frames at fault (given a wrong label, or of another class) and the rest."""
    if len(labels) <= CLASSES_SHOWN:
        return counts, labels
    faults = counts.sum(0) + counts.sum(1) - 2 * np.diag(counts)
    shown = np.sort(np.argsort(-faults, kind="stable")[:CLASSES_SHOWN])
    place = np.full(len(labels), len(shown))
    place[shown] = np.arange(len(shown))
    merged = np.zeros((len(shown) + 1, len(shown) + 1), np.int64)
    np.add.at(merged, (place[:, None], place[None, :]), counts)
    return merged, [*(labels[index] for index in shown), f"{len(labels) - len(shown)} others, as one"]


def _short(label: str) -> str:
    label = label.replace("$", r"\$")  # no formulas
    return label if len(label) <= LABEL_CHARACTERS else f"{label[: LABEL_CHARACTERS - 1]}…"


def _heat_map(ax: Axes, table: NDArray[np.uint8], dropped: NDArray[np.bool_], title: str) -> None:
    """Steps printed on their colours; a dash on the coarsest colour where levels are always zero."""
    ax.imshow(np.where(dropped, 255, table), cmap="viridis_r", norm=LogNorm(1, 255))
    for (row, column), step in np.ndenumerate(table):
        zero = dropped[row, column]
        light, words = zero or step > 20, "–" if zero else str(step)
        ax.text(column, row, words, ha="center", va="center", fontsize=8.5, color="white" if light else INK)
    ax.set_title(title, color=INK, fontsize=10.5)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)


def _grey_map(ax: Axes, kernel: NDArray[np.float32], darkest: float, title: str) -> None:
    ax.imshow(kernel, cmap="Greys", vmin=0, vmax=max(darkest, 1e-9))
    for (row, column), q in np.ndenumerate(kernel):
        words = f"{q:.2g}" if q else "–"
        ax.text(column, row, words, ha="center", va="center", fontsize=7.5, color="white" if q > darkest / 2 else INK)
    ax.set_title(title, color=INK, fontsize=10.5)
    ax.set_xticks([])
    ax.set_yticks([])


def _by_series(points: Sequence[Point]) -> dict[str, list[Point]]:
    """The series in the order given, each sorted by size; a point without a series is one of its own."""
    groups: dict[str, list[Point]] = {}
    for point in points:
        groups.setdefault(point.series or point.name, []).append(point)
    return {name: sorted(group, key=lambda point: point.bytes) for name, group in groups.items()}


def _curve(ax: Axes, points: Sequence[Point], colour: str, series: str | None, index: int) -> None:
    """Points with their intervals and names; a series also gets a line, and every other series its names below."""
    sizes, percents = [point.bytes for point in points], [100 * point.accuracy for point in points]
    down = [100 * (point.accuracy - point.low) for point in points]
    up = [100 * (point.high - point.accuracy) for point in points]
    style = "o-" if series else "o"
    ax.errorbar(sizes, percents, yerr=[down, up], fmt=style, ms=7, capsize=4, lw=1.8, color=colour, label=series)
    below = series is not None and index % 2 == 1
    for point in points:
        words = point.name if series else f"{point.name}\n{point.bytes:.0f} B, {100 * point.accuracy:.1f} %"
        ax.annotate(
            words,
            (point.bytes, 100 * (point.low if below else point.high)),
            xytext=(0, -6 if below else 6),
            textcoords="offset points",
            ha="center",
            va="top" if below else "bottom",
            fontsize=9.5,
            color=colour,
        )


def _frame(ax: Axes, sizes: Sequence[float], unit: str) -> None:
    ax.margins(y=0.3)
    _axes(ax, sizes, unit, room=1.6)  # for the labels over the outermost points
    ax.set_ylabel("accuracy, % (bars: 95 % interval)", color=INK)


def _axes(ax: Axes, sizes: Sequence[float], unit: str, room: float = 1.15) -> None:
    ax.set_xscale("log")
    ax.set_xlim(min(sizes) / room, room * max(sizes))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xticks(_ticks(ax.get_xlim()))
    ax.set_xlabel(f"{unit} (logarithmic)", color=INK)
    ax.grid(color=FAINT, lw=0.8)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)


def _ticks(limits: tuple[float, float]) -> list[float]:
    steps = [first * 10**power for power in range(6) for first in (1, 1.5, 2, 3, 5, 7)]
    return [step for step in steps if limits[0] <= step <= limits[1]]


def _save(figure: Figure, path: Path) -> None:
    if path.suffix != ".png":
        raise RecipeError(f"{path}: pictures are PNG files, the name must end in .png")
    path.parent.mkdir(parents=True, exist_ok=True)
    FigureCanvasAgg(figure).print_figure(str(path), dpi=DPI)
