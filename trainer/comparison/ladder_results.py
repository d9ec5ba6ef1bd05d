"""A ladder of runs as `compare` finds it: which runs there are, and what became of each frame in them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from trainer.comparison.ladder import Kind, Ladder, LadderPoint, read_ladder
from trainer.data import SplitName
from trainer.errors import RunError
from trainer.evaluation.evaluation import Evaluated, Evaluation
from trainer.evaluation.files import evaluation_path, read_evaluation


class Cell(NamedTuple):
    """Runs that differ in nothing but the seed."""

    kind: Kind
    label: str
    budget: float


@dataclass(frozen=True)
class MeasuredRun:
    """A run with the frames it was evaluated on."""

    point: LadderPoint
    evaluated: Evaluated

    @property
    def cell(self) -> Cell:
        """Runs with the same cell are the same but for the seed."""
        label = self.point.label if self.point.kind is Kind.ABLATION else ""
        return Cell(self.point.kind, label, self.point.budget)


@dataclass(frozen=True)
class LadderResults:
    """The runs that were evaluated, all on the same frames, and in words those that were not."""

    ladder: Ladder
    split: SplitName
    runs: tuple[MeasuredRun, ...]
    missing: tuple[str, ...]

    @property
    def n(self) -> int:
        """Number of frames that every run was evaluated on."""
        return self.runs[0].evaluated.evaluation.n

    @cached_property
    def cells(self) -> Mapping[Cell, Sequence[MeasuredRun]]:
        """The runs of each cell, one a seed."""
        return {
            cell: [run for run in self.runs if run.cell == cell] for cell in sorted({run.cell for run in self.runs})
        }

    def evaluations(self, cell: Cell) -> list[Evaluation]:
        """The evaluations of a cell's runs."""
        return [run.evaluated.evaluation for run in self.cells[cell]]

    def is_of_jpeg(self, ablation: Cell) -> bool:
        """Whether an ablation changes standard JPEG and not the improved method."""
        return self.cells[ablation][0].point.tables == "standard"

    def wire_overhead(self, cell: Cell) -> float:
        """Bytes of the abbreviated frame around the scan."""
        return fmean(each.wire.mean - each.scan.mean for each in self.evaluations(cell))

    def file_overhead(self, cell: Cell) -> float:
        """Bytes of the whole JFIF file around the scan."""
        return fmean(each.file.mean - each.scan.mean for each in self.evaluations(cell))


def read_results(folder: Path, split: SplitName) -> LadderResults:
    """A ladder's runs with their evaluations.

    Raises:
        RunError: ladder.json or an evaluation is damaged, no run was evaluated, or runs saw different frames.
    """
    ladder = read_ladder(folder)
    runs, missing = [], []
    for point in ladder.points:
        if evaluation_path(folder / point.run, split).exists():
            runs.append(MeasuredRun(point, read_evaluation(folder / point.run, split)))
        else:
            missing.append(f"{point.name}: {point.run} was not evaluated on {split}")
    if not runs:
        raise RunError(f"{folder}: no run was evaluated on {split} (`evaluate` does it)")
    _check_same_frames(runs)
    return LadderResults(ladder, split, tuple(runs), tuple(missing))


def _check_same_frames(runs: Sequence[MeasuredRun]) -> None:
    frames = {(run.evaluated.evaluation.data, run.evaluated.evaluation.n) for run in runs}
    if len(frames) > 1:
        words = " and ".join(f"{n} of {data}" for data, n in sorted(frames))
        raise RunError(f"runs of one ladder must be evaluated on the same frames, not {words}")
