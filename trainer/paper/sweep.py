"""The paper's curves: one run for each lambda and each JPEG quality of a recipe, and their pictures (Figs. 3 and 4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trainer.data import SplitName
from trainer.evaluation.evaluation import Evaluation, Figure
from trainer.evaluation.files import read_evaluation
from trainer.paper.evaluation import LiteralEvaluation, read_literal
from trainer.plot import Curve, draw_curves
from trainer.recipes.goals import PenalisedGoal, StandardGoal
from trainer.recipes.recipe import PaperRecipe

PANELS = ("accuracy, %", "label among the first five, %", "PSNR, dB", "SSIM")


@dataclass(frozen=True)
class SweepPoint:
    """One run of a sweep; `name` is its folder in the sweep's."""

    name: str
    goal: StandardGoal | PenalisedGoal


def points_of(recipe: PaperRecipe) -> list[SweepPoint]:
    """All points of a sweep: the baselines first, each kind in the recipe's order."""
    baselines = [SweepPoint(f"jpeg-{quality:g}", StandardGoal(quality=quality)) for quality in recipe.sweep.qualities]
    learned = [SweepPoint(f"jcc-{weight:g}", PenalisedGoal(weight=weight)) for weight in recipe.sweep.weights]
    return baselines + learned


def draw_sweep(points: Sequence[SweepPoint], folder: Path, split: SplitName) -> None:
    """Write file.png, over bytes of whole files as the paper counts them, and scan.png, where real steps appear too.

    Raises:
        RunError: a run was not evaluated.
    """
    jpeg, jcc = (
        [read_evaluation(folder / point.name, split).evaluation for point in points if isinstance(point.goal, kind)]
        for kind in (StandardGoal, PenalisedGoal)
    )
    literal = [read_literal(folder / point.name, split) for point in points if isinstance(point.goal, PenalisedGoal)]
    rows = {"JPEG": jpeg, "JCC, integer steps": jcc}
    of_files = [_curve(name, [each.file.mean for each in row], row) for name, row in rows.items()]
    of_scans = [_curve(name, [each.scan.mean for each in row], row) for name, row in rows.items()]
    of_scans.append(_literal_curve(literal))
    subtitle = f"data set: {jpeg[0].data} ({split}, n = {jpeg[0].n})"
    draw_curves(of_files, folder / "file.png", subtitle, "bytes of a whole JFIF file")
    draw_curves(of_scans, folder / "scan.png", subtitle, "scan bytes")


def _curve(name: str, sizes: list[float], row: Sequence[Evaluation]) -> Curve:
    accuracies = [Figure(value=100 * each.accuracy, low=100 * each.low, high=100 * each.high) for each in row]
    top5 = [_percent(each.top5) for each in row]
    panels = (accuracies, top5, [each.psnr_db for each in row], [each.ssim for each in row])
    return Curve(name, sizes, dict(zip(PANELS, panels, strict=True)))


def _literal_curve(row: Sequence[LiteralEvaluation]) -> Curve:
    accuracies = [Figure(value=100 * each.accuracy, low=100 * each.low, high=100 * each.high) for each in row]
    others = ([100 * each.top5 for each in row], [each.psnr_db for each in row], [each.ssim for each in row])
    panels = [accuracies, *([_exact(value) for value in values] for values in others)]
    return Curve("JCC, real steps", [each.scan_bytes for each in row], dict(zip(PANELS, panels, strict=True)))


def _percent(figure: Figure) -> Figure:
    return Figure(value=100 * figure.value, low=100 * figure.low, high=100 * figure.high)


def _exact(value: float) -> Figure:
    return Figure(value=value, low=value, high=value)
