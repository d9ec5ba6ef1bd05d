"""Accuracy at equal bytes of learned tables against JPEG, from folders that `dctwire-trainer ladder` filled.

    make bench NAME=rate_accuracy DCTWIRE_LADDER=runs/cifar100-ladder

Several folders, one a data set, are joined by `:` as in PATH. Trains nothing: it reads the runs' evaluations on the
test split (n pictures, of the first folder) and their metrics, and draws the pictures of the docs. What a ladder lacks
is left out of the figures and listed in the record's setting.
"""

import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from benchmarks import record
from trainer.comparison import Comparison, Kind, Ladder, compare, read_ladder, read_results, write_comparison
from trainer.data import SplitName
from trainer.evaluation.evaluation import Figure
from trainer.training.run_dir import RunDir

VARIABLE = "DCTWIRE_LADDER"
SHORT_NAMES = {"cifar-100": "cifar100", "tiny-imagenet-200": "tiny_imagenet"}
IMAGES = record.ROOT / "docs" / "images"
PICTURES = ("rate-accuracy", "wire", "tables")


def main() -> int:
    """Compare every ladder, record, draw."""
    folders = [Path(name) for name in os.environ.get(VARIABLE, "").split(os.pathsep) if name]
    if not folders:
        print(f"{VARIABLE} must name the folder of a ladder (`dctwire-trainer ladder` fills one)", file=sys.stderr)
        return 1
    comparisons = [compared(folder) for folder in folders]
    figures = {
        f"{short_name(comparison.data)}_{key}": value
        for comparison in comparisons
        for key, value in figures_of(comparison)
    }
    figures |= {
        f"{short_name(comparison.data)}_training_core_hours": training_seconds(folder) / 3600
        for folder, comparison in zip(folders, comparisons, strict=True)
    }
    budget_errors = [each.budget_error_max for each in comparisons if each.budget_error_max is not None]
    if budget_errors:
        figures["budget_error_max"] = max(budget_errors)
    rate_errors = [error for folder in folders for error in last_rate_errors(folder, read_ladder(folder))]
    if rate_errors:
        figures["rate_model_median_error"] = median(rate_errors)
    record.write("rate_accuracy", comparisons[0].n, figures, "; ".join(map(setting, comparisons)))
    return 0


def compared(folder: Path) -> Comparison:
    """A ladder's comparison, written into its folder; its pictures go to the docs as well."""
    results = read_results(folder, SplitName.TEST)
    comparison = compare(results)
    write_comparison(comparison, results, folder, folder / "comparison")
    for picture in PICTURES:
        shutil.copyfile(
            folder / "comparison" / f"{picture}.png", IMAGES / f"{short_name(comparison.data)}-{picture}.png"
        )
    return comparison


def short_name(data: str) -> str:
    """What figures and pictures of a data set begin with."""
    family = data.split("/", maxsplit=1)[0]
    return SHORT_NAMES.get(family, family.replace("-", "_"))


def figures_of(comparison: Comparison) -> Iterator[tuple[str, float]]:
    """A comparison as flat figures: gains in points, the rest as shares; `_low` and `_high` end an interval."""
    for at in comparison.budgets:
        budget = f"{at.budget:g}B"
        yield f"scan_bytes_{budget}_improved", at.scan_bytes
        yield from _figure(f"accuracy_{budget}_improved", at.accuracy)
        for kind, against in at.baselines.items():
            yield from _figure(f"accuracy_{budget}_{_word(kind)}", against.accuracy)
            yield from _figure(f"gain_{budget}_points{_against(kind)}", against.gain_points)
        if at.wire_saving:
            yield from _figure(f"wire_saving_{budget}", at.wire_saving)
    for kind, delta in comparison.bd_rate.items():
        yield from _figure(f"bd_rate_percent{_against(kind)}", delta.percent)
        yield f"bd_rate_from_accuracy{_against(kind)}", delta.from_accuracy
        yield f"bd_rate_to_accuracy{_against(kind)}", delta.to_accuracy
    if comparison.wire_saving_at_equal_accuracy:
        yield from _figure("wire_saving_at_equal_accuracy", comparison.wire_saving_at_equal_accuracy)
    if comparison.seed_sd_points is not None:
        yield "seed_sd_points", comparison.seed_sd_points
    for row in comparison.ablations:
        name = f"ablation_{row.budget:g}B_{re.sub('[^a-z0-9]+', '_', row.label.lower()).strip('_')}"
        yield f"{name}_scan_bytes", row.scan_bytes
        yield from _figure(f"{name}_accuracy", row.accuracy)
        if row.worth_points:
            yield from _figure(f"{name}_worth_points", row.worth_points)


def last_rate_errors(folder: Path, ladder: Ladder) -> list[float]:
    """The median error of each improved run's rate model when it was last refitted."""
    logged = [RunDir(folder / point.run).logged() for point in ladder.points if point.kind is Kind.IMPROVED]
    errors = [[row["rate_error"] for row in rows if row.get("rate_error") is not None] for rows in logged]
    return [run[-1] for run in errors if run]


def training_seconds(folder: Path) -> float:
    """What all runs' epochs took, by the clock, one thread each: the base and every finished rung."""
    runs = [RunDir(path.parent) for path in folder.glob("**/summary.json")]
    return sum(float(row["seconds"]) for run in runs for row in run.logged())


def setting(comparison: Comparison) -> str:
    """Recipe, seeds and what is missing, in words."""
    recipe = " ".join(filter(None, (comparison.recipe, comparison.variant)))
    seeds = ", ".join(f"{at.seeds} at {at.budget:g} B" for at in comparison.budgets)
    missing = f"; missing: {', '.join(comparison.missing)}" if comparison.missing else ""
    return f"{comparison.data}, recipe {recipe}, seeds: {seeds}{missing}"


def _figure(name: str, figure: Figure) -> Iterator[tuple[str, float]]:
    yield name, figure.value
    yield f"{name}_low", figure.low
    yield f"{name}_high", figure.high


def _against(kind: Kind) -> str:
    return "" if kind is Kind.JPEG else f"_against_{_word(kind)}"


def _word(kind: Kind) -> str:
    return kind.replace("-", "_")


if __name__ == "__main__":
    sys.exit(main())
