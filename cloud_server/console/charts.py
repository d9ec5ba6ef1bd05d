"""Charts as SVG, drawn on the server: pure functions from numbers to markup.

Their colours come from the style sheet by class (`series-1` to `series-6`, `axis`, `grid`, `band`), so that they follow
light and dark. Each has a title and a description in words for those who do not see it; a table with the numbers stands
beside it on the page.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from markupsafe import Markup, escape

WIDTH, HEIGHT = 640, 220
LEFT, RIGHT, TOP, BOTTOM = 56, 20, 10, 28
_LEAST = 1e-300
"""What is smaller has lost digits, and is drawn as nought."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of parts, the lowest first: what is written below it, the parts' heights, and what the pointer is told."""

    label: str
    parts: Sequence[float]
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Dot:
    """A value at a place of the x axis, with its interval where one is known."""

    x: float
    value: float
    low: float | None = None
    high: float | None = None
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """Dots that belong together, and what they are called."""

    name: str
    dots: Sequence[Dot]


class Writer(Protocol):
    """Writes a value as the axis has it."""

    def __call__(self, value: float, /) -> str:
        """The value in words."""


def bars(title: str, rows: Sequence[Bar], written: Writer, about: str = "") -> Markup:
    """Stacked bars side by side.

    Args:
        written: how a height is written at the axis.
        about: the chart in one sentence, for those who do not see it.
    """
    top = nice_top(max((sum(row.parts) for row in rows), default=0.0))
    step = (WIDTH - LEFT - RIGHT) / max(1, len(rows))
    drawn = [_y_axis(0.0, top, written)]
    for index, row in enumerate(rows):
        x, base = LEFT + index * step, 0.0
        shapes = []
        for number, part in enumerate(row.parts, start=1):
            y, low = _y(base + part, 0.0, top), _y(base, 0.0, top)
            shapes.append(_rect(x + step * 0.12, y, step * 0.76, low - y, f"series-{number}"))
            base += part
        hint = Markup("<title>{}</title>").format(row.hint or f"{row.label}: {written(base)}")
        drawn.append(Markup("<g>{}{}</g>").format(hint, Markup().join(shapes)))
    drawn.append(_x_labels([(LEFT + (index + 0.5) * step, row.label) for index, row in enumerate(rows)]))
    return _svg(title, about, drawn)


def lines(
    title: str, series: Sequence[Line], labels: Sequence[tuple[float, str]], written: Writer, about: str = ""
) -> Markup:
    """Lines over a common x axis, with a band where intervals are known.

    Args:
        labels: what is written below the axis, and where.
        written: how a value is written at the axis.
        about: the chart in one sentence, for those who do not see it.
    """
    dots = [dot for line in series for dot in line.dots]
    values = [value for dot in dots for value in (dot.value, dot.low, dot.high) if value is not None]
    low, high = nice_range(min(values, default=0.0), max(values, default=1.0))
    places = [dot.x for dot in dots] + [at for at, _ in labels]
    first, last = min(places, default=0.0), max(places, default=1.0)

    def x(at: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * ((at - first) / (last - first) if last > first else 0.5)

    drawn = [_y_axis(low, high, written)]
    for number, line in enumerate(series, start=1):
        drawn.append(_line(line, number, x, lambda value: _y(value, low, high), written))
    drawn.append(_x_labels([(x(at), text) for at, text in labels]))
    return _svg(title, about, drawn)


def nice_top(most: float) -> float:
    """A round number at or above the largest value: 1, 2, 2.5 or 5 times a power of ten."""
    if most <= _LEAST:
        return 1.0
    power = 10.0 ** math.floor(math.log10(most))
    return next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= most)


def nice_range(least: float, most: float) -> tuple[float, float]:
    """Round numbers around values, for an axis that need not begin at nought."""
    span = most - least or abs(most) * 0.1 or 1.0
    step = nice_top(span) / 4
    return math.floor((least - span * 0.05) / step) * step, math.ceil((most + span * 0.05) / step) * step


def _svg(title: str, about: str, drawn: Sequence[Markup]) -> Markup:
    return Markup(
        '<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}" preserveAspectRatio="xMidYMid meet">{}</svg>'
    ).format(WIDTH, HEIGHT, f"{title}. {about}".strip(), Markup().join(drawn))


def _y(value: float, low: float, high: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value - low) / (high - low)


def _y_axis(low: float, high: float, written: Writer) -> Markup:
    marks = []
    for index in range(5):
        value = low + (high - low) * index / 4
        y = _y(value, low, high)
        marks.append(
            Markup('<line class="grid" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>').format(LEFT, WIDTH - RIGHT, y, y)
            + Markup('<text class="axis y" x="{}" y="{:.1f}">{}</text>').format(LEFT - 6, y + 4, written(value))
        )
    return Markup().join(marks)


def _x_labels(labels: Sequence[tuple[float, str]]) -> Markup:
    """As many labels as have room; the last one always."""
    every = max(1, math.ceil(len(labels) * 62 / (WIDTH - LEFT - RIGHT)))
    shown = [label for index, label in enumerate(labels) if (len(labels) - 1 - index) % every == 0]
    marks = (
        Markup('<text class="axis x" x="{:.1f}" y="{}">{}</text>').format(x, HEIGHT - 8, text) for x, text in shown
    )
    return Markup().join(marks)


def _rect(x: float, y: float, width: float, height: float, kind: str) -> Markup:
    return Markup('<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>').format(
        kind, x, y, width, max(0.0, height)
    )


def _line(line: Line, number: int, x: Callable[[float], float], y: Callable[[float], float], written: Writer) -> Markup:
    known = [(dot, dot.low, dot.high) for dot in line.dots]
    band = [(x(dot.x), y(low), y(high)) for dot, low, high in known if low is not None and high is not None]
    shapes = [_band(band, number)] if len(band) > 1 else []
    path = " ".join(f"{'L' if index else 'M'}{x(dot.x):.1f} {y(dot.value):.1f}" for index, dot in enumerate(line.dots))
    shapes.append(Markup('<path class="line series-{}" d="{}"/>').format(number, path))
    for dot in line.dots:
        hint = dot.hint or f"{line.name}: {written(dot.value)}"
        shapes.append(
            Markup('<circle class="dot series-{}" cx="{:.1f}" cy="{:.1f}" r="3"><title>{}</title></circle>').format(
                number, x(dot.x), y(dot.value), escape(hint)
            )
        )
    return Markup().join(shapes)


def _band(points: Sequence[tuple[float, float, float]], number: int) -> Markup:
    upper = [f"{x:.1f},{high:.1f}" for x, _, high in points]
    lower = [f"{x:.1f},{low:.1f}" for x, low, _ in reversed(points)]
    return Markup('<polygon class="band series-{}" points="{}"/>').format(number, " ".join([*upper, *lower]))
