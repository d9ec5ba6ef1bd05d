"""What learned tables gain: accuracy at equal bytes, bytes at equal accuracy, BD-rate, and each ingredient's worth."""

import math
from collections.abc import Iterator, Sequence
from enum import Enum, auto
from statistics import variance

import numpy as np
from pydantic import BaseModel, ConfigDict

from trainer.comparison.ladder import BASELINES, FITTED, Kind
from trainer.comparison.ladder_results import Cell, LadderResults
from trainer.comparison.rate_curve import MARGIN, bd_rate
from trainer.comparison.resampling import Resample, Resampler
from trainer.errors import RunError
from trainer.evaluation.evaluation import Figure

RESAMPLES = 1_000
SEED = 1


class _What(Enum):
    ACCURACY = auto()  # of a cell
    BASELINE = auto()  # accuracy of a kind at a cell's bytes
    GAIN = auto()  # of a cell over a kind, points
    WORTH = auto()  # of an ablation: what is gained more without it, points
    SAVING = auto()  # of a cell on our wire, against whole files of standard JPEG
    BD_RATE = auto()  # against a kind, percent


_Key = tuple[_What, Cell | None, Kind | None]
_Statistics = dict[_Key, float]
_Figured = dict[_Key, Figure]


class _Figures(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Against(_Figures):
    """A baseline at the bytes of an improved run, by interpolation.

    Args:
        accuracy: the baseline's.
        gain_points: percentage points that the improved run lies above it.
    """

    accuracy: Figure
    gain_points: Figure


class AtBudget(_Figures):
    """The improved runs of one budget.

    Args:
        scan_bytes, wire_bytes: mean bytes a frame, as measured.
        seeds: runs that the means are over.
        baselines: by kind; one that was not run near these bytes is left out.
        wire_saving: share of the whole JFIF file that standard JPEG needs for the same accuracy and our wire does not.
        wire_saving_is_bound: no JPEG run is as accurate: held against the most accurate one, the least it can be.
    """

    budget: float
    seeds: int
    scan_bytes: float
    wire_bytes: float
    accuracy: Figure
    baselines: dict[Kind, Against]
    wire_saving: Figure | None
    wire_saving_is_bound: bool


class Delta(_Figures):
    """BD-rate of the improved runs: mean change of scan bytes between two accuracies that both kinds reach."""

    percent: Figure
    from_accuracy: float
    to_accuracy: float


class Ablation(_Figures):
    """The improved method, or standard JPEG, with one ingredient left out or changed.

    Args:
        gain_points: over standard JPEG at equal bytes.
        worth_points: how much more is gained at that budget without the change.
    """

    label: str
    budget: float
    scan_bytes: float
    accuracy: Figure
    gain_points: Figure | None
    worth_points: Figure | None


class Comparison(_Figures):
    """A ladder's answers; each interval is 95 %, from resampled frames and seeds.

    Args:
        wire_saving_at_equal_accuracy: the least over the budgets.
        budget_error_max: largest |scan bytes / budget - 1| of a run whose tables were made for a budget.
        seed_sd_points: standard deviation of accuracy between seeds, where a budget has several.
        missing: in words, what could not be said for want of runs.
    """

    data: str
    recipe: str
    variant: str | None
    split: str
    n: int
    resamples: int
    budgets: list[AtBudget]
    bd_rate: dict[Kind, Delta]
    wire_saving_at_equal_accuracy: Figure | None
    budget_error_max: float | None
    seed_sd_points: float | None
    ablations: list[Ablation]
    missing: list[str]


def compare(results: LadderResults, resamples: int = RESAMPLES) -> Comparison:
    """Everything a ladder says.

    Raises:
        RunError: it has no improved or no standard JPEG run that was evaluated.
    """
    kinds = {run.point.kind for run in results.runs}
    if not {Kind.IMPROVED, Kind.JPEG} <= kinds:
        raise RunError(f"a comparison needs evaluated runs of kinds improved and jpeg, not only {', '.join(kinds)}")
    resampler = Resampler(results.runs)
    ours = resampler.measured()
    drawn = [_statistics(results, resample, math.inf) for resample in resampler.drawn(resamples, SEED)]
    figures = _with_intervals(_statistics(results, ours, MARGIN), drawn)
    budgets = [_at_budget(results, ours, cell, figures) for cell in ours.of(Kind.IMPROVED)]
    return Comparison(
        data=results.runs[0].evaluated.evaluation.data,
        recipe=results.ladder.recipe,
        variant=results.ladder.variant,
        split=results.split,
        n=results.n,
        resamples=resamples,
        budgets=budgets,
        bd_rate={kind: delta for kind in BASELINES if (delta := _delta(ours, kind, figures))},
        wire_saving_at_equal_accuracy=_least([at.wire_saving for at in budgets]),
        budget_error_max=_budget_error_max(results),
        seed_sd_points=_seed_sd_points(results),
        ablations=[_ablation(ours, cell, figures) for cell in ours.of(Kind.ABLATION)],
        missing=[*results.missing, *_not_said(ours, figures)],
    )


def _statistics(results: LadderResults, resample: Resample, margin: float) -> _Statistics:
    """Every figure that a resample gives; what it cannot say is left out."""
    found: _Statistics = {}
    curves = {kind: curve for kind in BASELINES if (curve := resample.curve(kind))}
    files = resample.curve(Kind.JPEG, {cell: results.file_overhead(cell) for cell in resample.of(Kind.JPEG)})
    for cell in (*resample.of(Kind.IMPROVED), *resample.of(Kind.ABLATION)):
        size, accuracy = resample.figures(cell)
        found[_What.ACCURACY, cell, None] = accuracy
        for kind, curve in curves.items():
            if (theirs := curve.accuracy_at(size, margin)) is not None:
                found[_What.BASELINE, cell, kind] = theirs
                found[_What.GAIN, cell, kind] = 100 * (accuracy - theirs)
        if files and (file_bytes := files.bytes_at(min(accuracy, files.highest))):
            found[_What.SAVING, cell, None] = 1 - (size + results.wire_overhead(cell)) / file_bytes
    return found | _worth(results, resample, found) | _bd_rates(resample)


def _worth(results: LadderResults, resample: Resample, found: _Statistics) -> _Statistics:
    """What each ablation lacks: the gain of what was changed over standard JPEG at that budget, less the ablation's."""
    worth: _Statistics = {}
    for cell in resample.of(Kind.ABLATION):
        improved = found.get((_What.GAIN, Cell(Kind.IMPROVED, "", cell.budget), Kind.JPEG))
        whole = 0.0 if results.is_of_jpeg(cell) else improved  # JPEG gains nothing over itself
        without = found.get((_What.GAIN, cell, Kind.JPEG))
        if whole is not None and without is not None:
            worth[_What.WORTH, cell, None] = whole - without
    return worth


def _bd_rates(resample: Resample) -> _Statistics:
    ours = resample.curve(Kind.IMPROVED)
    theirs = {kind: resample.curve(kind) for kind in BASELINES}
    deltas = {kind: bd_rate(ours, curve) for kind, curve in theirs.items() if ours and curve}
    return {(_What.BD_RATE, None, kind): 100 * delta.value for kind, delta in deltas.items() if delta}


def _with_intervals(measured: _Statistics, drawn: Sequence[_Statistics]) -> _Figured:
    """Each figure with the middle 95 % of its resamples (percentile bootstrap)."""
    figures = {}
    for key, value in measured.items():
        resampled = [resample[key] for resample in drawn if key in resample]
        low, high = np.percentile(resampled, (2.5, 97.5)) if resampled else (math.nan, math.nan)
        figures[key] = Figure(value=value, low=float(low), high=float(high))
    return figures


def _at_budget(results: LadderResults, ours: Resample, cell: Cell, figures: _Figured) -> AtBudget:
    size, _ = ours.figures(cell)
    return AtBudget(
        budget=cell.budget,
        seeds=len(results.evaluations(cell)),
        scan_bytes=size,
        wire_bytes=size + results.wire_overhead(cell),
        accuracy=figures[_What.ACCURACY, cell, None],
        baselines={
            kind: Against(accuracy=figures[_What.BASELINE, cell, kind], gain_points=figures[_What.GAIN, cell, kind])
            for kind in BASELINES
            if (_What.GAIN, cell, kind) in figures
        },
        wire_saving=figures.get((_What.SAVING, cell, None)),
        wire_saving_is_bound=_is_beyond(ours, cell),
    )


def _is_beyond(ours: Resample, cell: Cell) -> bool:
    jpeg = ours.curve(Kind.JPEG)
    return jpeg is not None and ours.figures(cell)[1] > jpeg.highest


def _delta(ours: Resample, kind: Kind, figures: _Figured) -> Delta | None:
    improved, theirs = ours.curve(Kind.IMPROVED), ours.curve(kind)
    delta = bd_rate(improved, theirs) if improved and theirs else None
    if delta is None:
        return None
    return Delta(percent=figures[_What.BD_RATE, None, kind], from_accuracy=delta.low, to_accuracy=delta.high)


def _ablation(ours: Resample, cell: Cell, figures: _Figured) -> Ablation:
    return Ablation(
        label=cell.label,
        budget=cell.budget,
        scan_bytes=ours.figures(cell)[0],
        accuracy=figures[_What.ACCURACY, cell, None],
        gain_points=figures.get((_What.GAIN, cell, Kind.JPEG)),
        worth_points=figures.get((_What.WORTH, cell, None)),
    )


def _least(figures: Sequence[Figure | None]) -> Figure | None:
    return min((figure for figure in figures if figure), key=lambda figure: figure.value, default=None)


def _budget_error_max(results: LadderResults) -> float | None:
    fitted = [run for run in results.runs if run.point.kind in FITTED]
    errors = [abs(run.evaluated.evaluation.scan.mean / run.point.budget - 1) for run in fitted]
    return max(errors, default=None)


def _seed_sd_points(results: LadderResults) -> float | None:
    """Standard deviation of accuracy between seeds, pooled over the cells that several seeds were run for."""
    accuracies = [[each.accuracy for each in results.evaluations(cell)] for cell in results.cells]
    variances = [(variance(each), len(each) - 1) for each in accuracies if len(each) > 1]
    freedom = sum(weight for _, weight in variances)
    return 100 * math.sqrt(sum(weight * each for each, weight in variances) / freedom) if freedom else None


def _not_said(ours: Resample, figures: _Figured) -> list[str]:
    """Figures that cannot be computed for want of runs, in words."""
    words = [f"{kind}: no run was evaluated" for kind in BASELINES if not ours.of(kind)]
    for kind in filter(ours.of, BASELINES):
        sizes = [ours.figures(cell)[0] for cell in ours.of(kind)]
        span = f"its runs spend {min(sizes):.0f} to {max(sizes):.0f} scan bytes"
        lacking = [cell for cell in ours.of(Kind.IMPROVED) if (_What.GAIN, cell, kind) not in figures]
        words += [f"{kind} at budget {cell.budget:g}: {span}" for cell in lacking]
        if (_What.BD_RATE, None, kind) not in figures:
            words.append(f"BD-rate against {kind}: the curves share no accuracy")
    return words + [f"wire saving at budget {cell.budget:g}: {why}" for cell, why in _saving_not_said(ours, figures)]


def _saving_not_said(ours: Resample, figures: _Figured) -> Iterator[tuple[Cell, str]]:
    for cell in ours.of(Kind.IMPROVED):
        if (_What.SAVING, cell, None) not in figures:
            yield cell, "every jpeg run is more accurate"
        elif _is_beyond(ours, cell):
            yield cell, "no jpeg run is as accurate, which leaves a lower bound"
