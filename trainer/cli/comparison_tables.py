"""A comparison at the terminal: gains, BD-rates and ablations as tables."""

from rich.markup import escape
from rich.table import Table

from trainer.comparison.figures import Ablation, AtBudget, Comparison
from trainer.comparison.ladder import BASELINES
from trainer.comparison.pair import PairComparison
from trainer.evaluation.evaluation import Figure


def comparison_tables(comparison: Comparison) -> list[Table]:
    """Gains by budget, BD-rates, and what each ablation loses; BD-rates and ablations only where there are any."""
    tables = [_gains(comparison)]
    if comparison.bd_rate:
        tables.append(_bd_rates(comparison))
    if comparison.ablations:
        tables.append(_ablations(comparison.ablations))
    return tables


def pair_table(pair: PairComparison) -> Table:
    """Two runs side by side; below them their difference, frame by frame."""
    points, scan = pair.gain_points, pair.scan_bytes
    table = Table(
        title=f"two runs on {pair.data} ({pair.split}, n = {pair.n})",
        caption=f"the second: {_interval(points)} points of accuracy, {scan.value:+.1f} ({scan.low:+.1f} to "
        f"{scan.high:+.1f}) scan bytes a frame; right alone: the first of {pair.only_first} frames, the second of "
        f"{pair.only_second}; McNemar's exact p = {pair.p:.2g}. Intervals are 95 %, over the same frames",
    )
    for heading in ("run", "tables", "accuracy", "95 % interval", "scan bytes", "on the wire"):
        table.add_column(heading, justify="left" if heading in {"run", "tables"} else "right", overflow="fold")
    for side in (pair.first, pair.second):
        interval = f"{side.accuracy.low:.1%} to {side.accuracy.high:.1%}"
        sizes = (f"{side.scan_bytes:.1f}", f"{side.wire_bytes:.1f}")
        table.add_row(escape(side.run), side.tables, f"{side.accuracy.value:.2%}", interval, *sizes)
    return table


def _gains(comparison: Comparison) -> Table:
    table = Table(
        title=f"improved at equal scan bytes on {comparison.data} ({comparison.split}, n = {comparison.n})",
        caption="gains in percentage points of accuracy, with 95 % intervals from resampled frames and seeds; saving: "
        "our wire against whole JFIF files of JPEG at equal accuracy",
    )
    for heading in ("budget", "scan bytes", "accuracy", *(f"over {kind}" for kind in BASELINES), "saving"):
        table.add_column(heading, justify="right")
    for at in comparison.budgets:
        gains = [_interval(at.baselines[kind].gain_points) if kind in at.baselines else "-" for kind in BASELINES]
        table.add_row(f"{at.budget:g}", f"{at.scan_bytes:.1f}", f"{at.accuracy.value:.2%}", *gains, _saving(at))
    return table


def _saving(at: AtBudget) -> str:
    if at.wire_saving is None:
        return "-"
    return f"{'≥ ' if at.wire_saving_is_bound else ''}{at.wire_saving.value:.1%}"


def _bd_rates(comparison: Comparison) -> Table:
    table = Table(title="BD-rate of improved: mean change of scan bytes at equal accuracy")
    for heading in ("against", "%", "between accuracies"):
        table.add_column(heading, justify="right")
    for kind, delta in comparison.bd_rate.items():
        table.add_row(kind, _interval(delta.percent), f"{delta.from_accuracy:.1%} and {delta.to_accuracy:.1%}")
    return table


def _ablations(rows: list[Ablation]) -> Table:
    table = Table(title="with one ingredient left out or changed, percentage points of accuracy")
    for heading in ("change", "budget", "scan bytes", "accuracy", "gain over jpeg", "loses"):
        table.add_column(heading, justify="left" if heading == "change" else "right")
    for row in rows:
        points = [_interval(figure) if figure else "-" for figure in (row.gain_points, row.worth_points)]
        table.add_row(row.label, f"{row.budget:g}", f"{row.scan_bytes:.1f}", f"{row.accuracy.value:.2%}", *points)
    return table


def _interval(figure: Figure) -> str:
    return f"{figure.value:+.2f} ({figure.low:+.2f} to {figure.high:+.2f})"
