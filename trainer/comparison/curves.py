"""What the pictures of a comparison show: each kind's figures over bytes."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Final

from trainer.comparison.ladder import Kind
from trainer.comparison.ladder_results import Cell, LadderResults
from trainer.evaluation.evaluation import Bytes, Evaluation, Figure
from trainer.plot import Curve

ACCURACY = "accuracy, % (bars: 95 % interval)"
TITLES: Final = {
    Kind.IMPROVED: "learned (improved)",
    Kind.SENSITIVITY: "sensitivity only",
    Kind.JPEG_RDO: "JPEG + RDO",
    Kind.JPEG: "JPEG",
}


def over_scan_bytes(results: LadderResults) -> list[Curve]:
    """Accuracy, PSNR and SSIM of each kind, as the paper's Figs. 3 and 4 show them; an interval is that of one run."""
    return [_curve(results, kind, TITLES[kind], lambda each: each.scan) for kind in TITLES if _cells(results, kind)]


def over_bytes_sent(results: LadderResults) -> list[Curve]:
    """Accuracy over what crosses the line: our frames, and ordinary JPEG as frames and as whole files."""
    curves = (
        _curve(results, Kind.IMPROVED, "learned (improved), on our wire", lambda each: each.wire),
        _curve(results, Kind.JPEG, "JPEG, on our wire", lambda each: each.wire),
        _curve(results, Kind.JPEG, "JPEG, whole files (the paper's unit)", lambda each: each.file),
    )
    return [replace(curve, panels={ACCURACY: curve.panels[ACCURACY]}) for curve in curves]


def improved_tables(results: LadderResults) -> list[tuple[str, str]]:
    """Title and run folder of the improved runs, one a budget, by budget (the paper's Fig. 5)."""
    runs = [results.cells[cell][0] for cell in _cells(results, Kind.IMPROVED)]
    return [(f"{run.point.budget:g} scan bytes", run.point.run) for run in runs]


def _cells(results: LadderResults, kind: Kind) -> list[Cell]:
    return [cell for cell in results.cells if cell.kind is kind]


def _curve(results: LadderResults, kind: Kind, name: str, unit: Callable[[Evaluation], Bytes]) -> Curve:
    cells = [results.evaluations(cell) for cell in _cells(results, kind)]
    panels = {
        ACCURACY: [_mean([_percent(each) for each in runs]) for runs in cells],
        "PSNR, dB": [_mean([each.psnr_db for each in runs]) for runs in cells],
        "SSIM": [_mean([each.ssim for each in runs]) for runs in cells],
    }
    return Curve(name, [fmean(unit(each).mean for each in runs) for runs in cells], panels)


def _percent(evaluation: Evaluation) -> Figure:
    return Figure(value=100 * evaluation.accuracy, low=100 * evaluation.low, high=100 * evaluation.high)


def _mean(figures: Sequence[Figure]) -> Figure:
    return Figure(**{part: fmean(getattr(figure, part) for figure in figures) for part in ("value", "low", "high")})
