"""What a panel is, and how Grafana is told: its queries, legend, unit and the words that explain it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from grafana_foundation_sdk.builders import bargauge, common, stat, statetimeline, timeseries
from grafana_foundation_sdk.builders import dashboard as dashboards
from grafana_foundation_sdk.builders import prometheus as queries
from grafana_foundation_sdk.models import common as choices
from grafana_foundation_sdk.models import dashboard, units
from grafana_foundation_sdk.models import prometheus as query_choices

ROW_WIDTH = 24
HEIGHT = 8
SOURCE = dashboard.DataSourceRef(type_val="prometheus", uid="${datasource}")
_Drawn = timeseries.Panel | stat.Panel | bargauge.Panel | statetimeline.Panel


class Unit(StrEnum):
    """What is measured; Grafana writes numbers accordingly."""

    BYTES = units.BytesSI
    BYTES_A_SECOND = units.BytesPerSecondSI
    SHARE = units.PercentUnit
    PERCENT = units.Percent
    SECONDS = units.Seconds
    COUNT = units.Short
    COUNT_A_SECOND = units.CountsPerSecond
    FROM_NOW = units.DateTimeFromNow


class Look(StrEnum):
    """How a panel is drawn."""

    LINES = "lines"
    STACK = "stack"
    NUMBER = "number"
    BARS = "bars"
    STATES = "states"


FAMILY = 'family=~"$family"'
"""Selects what the reader chose to see,"""
VERSION = f'{FAMILY}, tables=~"$tables"'
"""of versions, too."""
OF_VERSION = "{{family}} {{tables}}"


@dataclass(frozen=True)
class Query:
    """A line of PromQL, and how its series are called: `{{label}}` is a label's value."""

    expr: str
    legend: str


@dataclass(frozen=True)
class Panel:
    """One panel.

    Args:
        says: what is seen, and what to think of it, in a sentence or two.
        metric: the anchor of docs/metrics.md to read on at.
        limit: from where on it is bad, drawn in red; None: nowhere.
        is_bad_below: whether it is bad below that limit.
        width: of the 24 columns of a dashboard.
    """

    title: str
    says: str
    metric: str
    queries: tuple[Query, ...]
    unit: Unit = Unit.COUNT
    look: Look = Look.LINES
    limit: float | None = None
    is_bad_below: bool = False
    width: int = 8


@dataclass(frozen=True)
class Row:
    """Panels under one heading."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Dashboard:
    """A dashboard; `name` is its file's and, behind `dctwire-`, its uid."""

    name: str
    title: str
    says: str
    rows: tuple[Row, ...]


def one(expr: str, legend: str) -> tuple[Query, ...]:
    """A panel's only query."""
    return (Query(expr, legend),)


def drawn(panel: Panel, number: int) -> _Drawn:
    """The panel as the SDK builds it; `number` is its own within the dashboard."""
    builder = _LOOKS[panel.look](panel)
    for at, query in enumerate(panel.queries):
        builder = builder.with_target(
            queries.Dataquery()
            .datasource(SOURCE)
            .expr(query.expr)
            .legend_format(query.legend)
            .ref_id(chr(ord("A") + at))
            .editor_mode(query_choices.QueryEditorMode.CODE)
            .range()
        )
    read_on = f"[docs/metrics.md](${{docs}}/metrics.md#{panel.metric})"
    return (
        builder.id(number)
        .title(panel.title)
        .description(f"{panel.says}\n\nRead on: {read_on}")
        .datasource(SOURCE)
        .unit(panel.unit.value)
        .thresholds(_thresholds(panel))
        .span(panel.width)
        .height(HEIGHT)
    )


def _lines(panel: Panel) -> timeseries.Panel:
    legend = common.VizLegendOptions()
    legend.display_mode(choices.LegendDisplayMode.TABLE).placement(choices.LegendPlacement.BOTTOM).show_legend(True)
    legend.calcs(["lastNotNull"])
    tooltip = common.VizTooltipOptions().mode(choices.TooltipDisplayMode.MULTI).sort(choices.SortOrder.DESCENDING)
    builder = timeseries.Panel().legend(legend).tooltip(tooltip).line_width(2).min(0)
    if panel.unit is Unit.SHARE and panel.limit is None:
        builder = builder.max(1)
    if panel.limit is not None:
        style = common.GraphThresholdsStyleConfig().mode(choices.GraphThresholdsStyleMode.LINE)
        builder = builder.thresholds_style(style).min(0)
    return builder


def _stack(panel: Panel) -> timeseries.Panel:
    stacking = common.StackingConfig().mode(choices.StackingMode.NORMAL).group("A")
    return _lines(panel).stacking(stacking).fill_opacity(40)


def _number(_panel: Panel) -> stat.Panel:
    reduce = common.ReduceDataOptions().calcs(["lastNotNull"])
    return (
        stat.Panel()
        .reduce_options(reduce)
        .graph_mode(choices.BigValueGraphMode.AREA)
        .text_mode(choices.BigValueTextMode.VALUE_AND_NAME)
        .color_mode(choices.BigValueColorMode.VALUE)
    )


def _bars(_panel: Panel) -> bargauge.Panel:
    reduce = common.ReduceDataOptions().calcs(["lastNotNull"])
    return bargauge.Panel().reduce_options(reduce).orientation(choices.VizOrientation.HORIZONTAL).min(0)


def _states(_panel: Panel) -> statetimeline.Panel:
    return statetimeline.Panel().show_value(choices.VisibilityMode.NEVER).row_height(0.8).line_width(0).fill_opacity(70)


_LOOKS: Mapping[Look, Callable[[Panel], _Drawn]] = {
    Look.LINES: _lines,
    Look.STACK: _stack,
    Look.NUMBER: _number,
    Look.BARS: _bars,
    Look.STATES: _states,
}


def _thresholds(panel: Panel) -> dashboards.ThresholdsConfig:
    good, bad = ("red", "green") if panel.is_bad_below else ("green", "red")
    steps = [dashboard.Threshold(value=None, color=good if panel.limit is not None else "blue")]
    if panel.limit is not None:
        steps.append(dashboard.Threshold(value=panel.limit, color=bad))
    return dashboards.ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE).steps(steps)
