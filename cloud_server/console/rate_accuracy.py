"""The rate-accuracy plot of a family: what each version costs a frame, and how often it is right."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from cloud_server.console import words
from cloud_server.metrics import INTERCHANGE
from cloud_server.registry.measured import Measured
from shared.bundle import Expected

WIDTH, HEIGHT = 520, 320
LEFT, RIGHT, TOP, BOTTOM = 52, 24, 16, 44
"""Room beside the plot itself, for what its axes say."""
TICKS = 7
LETTER = 7
"""How wide a letter is, about."""


class Kind(StrEnum):
    """Who says so."""

    EXPECTED = "expected"
    FALLBACK = "fallback"
    MEASURED = "measured"


@dataclass(frozen=True, slots=True)
class Point:
    """What a version costs and achieves; accuracies are 0 to 1, and `low` to `high` is an interval where one is known.

    Args:
        scan_bytes: a frame.
        is_this: whether it is the version that the plot is shown for.
    """

    kind: Kind
    name: str
    scan_bytes: float
    accuracy: float
    low: float | None = None
    high: float | None = None
    is_this: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """A point on the picture, with the ends of its interval; `told` is the point in words."""

    kind: Kind
    name: str
    x: float
    y: float
    y_low: float | None
    y_high: float | None
    told: str
    is_this: bool
    is_named_left: bool


@dataclass(frozen=True, slots=True)
class Link:
    """A line from what was expected of a version to what is measured of it."""

    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True, slots=True)
class Tick:
    """A line across the plot, and what it stands for."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Plot:
    """The picture; `description` has every point in words, for whoever does not see it."""

    width: int
    height: int
    left: int
    right: float
    top: int
    bottom: float
    across: Sequence[Tick]
    up: Sequence[Tick]
    marks: Sequence[Mark]
    links: Sequence[Link]
    description: str


def expected_points(versions: Iterable[tuple[int, Expected]], this: int | None) -> list[Point]:
    """What trainers expected of versions, by counter.

    Args:
        this: the counter of the version that the plot is shown for, if it is for one.
    """
    return [
        Point(Kind.EXPECTED, f"v{counter}", said.bytes_p50, said.accuracy, is_this=counter == this)
        for counter, said in versions
    ]


def measured_points(measured: Mapping[str, Measured], this: int | None) -> list[Point]:
    """What the field shows of versions whose bytes and audit are known, by their tables; `this` as above."""
    return [
        Point(
            Kind.MEASURED,
            "ordinary JPEG" if tables == INTERCHANGE else tables,
            seen.scan_bytes,
            seen.audited.share,
            seen.audited.low,
            seen.audited.high,
            is_this=tables == f"v{this}",
        )
        for tables, seen in measured.items()
        if seen.scan_bytes is not None and seen.audited is not None
    ]


def plot(points: Sequence[Point]) -> Plot | None:
    """The picture of these points; None of none."""
    if not points:
        return None
    most = max(10.0, *(point.scan_bytes * 1.08 for point in points))
    accuracies = [value for point in points for value in (point.accuracy, point.low, point.high) if value is not None]
    across = _scale(0.0, most)
    up = _scale(max(0.0, min(accuracies) - 0.02), min(1.0, max(accuracies) + 0.02))
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM

    def x_of(value: float) -> float:
        return round(LEFT + (right - LEFT) * (value - across[0]) / (across[-1] - across[0]), 1)

    def y_of(value: float) -> float:
        return round(bottom - (bottom - TOP) * (value - up[0]) / (up[-1] - up[0]), 1)

    marks = [
        Mark(
            kind=point.kind,
            name=point.name,
            x=x_of(point.scan_bytes),
            y=y_of(point.accuracy),
            y_low=None if point.low is None else y_of(point.low),
            y_high=None if point.high is None else y_of(point.high),
            told=told(point),
            is_this=point.is_this,
            is_named_left=x_of(point.scan_bytes) + 10 + LETTER * len(point.name) > WIDTH,
        )
        for point in sorted(points, key=lambda point: (point.is_this, point.kind))
    ]
    return Plot(
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        right=right,
        top=TOP,
        bottom=bottom,
        across=[Tick(x_of(value), words.count(value)) for value in across],
        up=[Tick(y_of(value), _percent(value, up)) for value in up],
        marks=marks,
        links=_links(marks),
        description=". ".join(told(point) for point in points) + ".",
    )


def told(point: Point) -> str:
    """A point in words."""
    interval = ""
    if point.low is not None and point.high is not None:
        interval = f" ({words.percent(point.low)} to {words.percent(point.high)})"
    right = f"{words.percent(point.accuracy)} right{interval}"
    return f"{point.name} {point.kind}: {words.count(point.scan_bytes)} bytes a frame, {right}"


def _links(marks: Sequence[Mark]) -> list[Link]:
    expected = {mark.name: mark for mark in marks if mark.kind is Kind.EXPECTED}
    pairs = [(expected[mark.name], mark) for mark in marks if mark.kind is Kind.MEASURED and mark.name in expected]
    return [Link(first.x, first.y, second.x, second.y) for first, second in pairs]


def _scale(low: float, high: float) -> list[float]:
    """Round values, about `TICKS` of them, from at most `low` to at least `high`."""
    step = _round_step((high - low) / TICKS)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, max(last, first + 1) + 1)]


def _round_step(least: float) -> float:
    """The least of 1, 2, 5, 10, ... times a power of ten that is not below `least`."""
    power = 10.0 ** math.floor(math.log10(max(least, 1e-6)))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * (1 - 1e-9))


def _percent(value: float, scale: Sequence[float]) -> str:
    return words.percent(value, 0 if scale[1] - scale[0] > 0.0099 else 1)
