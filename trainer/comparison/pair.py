"""Two runs on the same frames: accuracy, bytes, and whether the difference is more than chance."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from trainer.data import SplitName
from trainer.errors import RunError
from trainer.evaluation.evaluation import Evaluation, Figure
from trainer.evaluation.files import read_evaluation
from trainer.evaluation.intervals import Z95, mcnemar, paired_interval


class _Figures(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Side(_Figures):
    """One of the two runs.

    Args:
        run: its folder.
        tables: in words.
        scan_bytes, wire_bytes: mean bytes a frame.
    """

    run: str
    tables: str
    accuracy: Figure
    scan_bytes: float
    wire_bytes: float


class PairComparison(_Figures):
    """What the second run changes; every interval is 95 %, over the same frames.

    Args:
        gain_points: accuracy of the second less that of the first, percentage points.
        only_first, only_second: frames that one alone was right about.
        p: McNemar's exact, two-sided.
        scan_bytes: mean scan bytes of the second less those of the first.
    """

    data: str
    split: str
    n: int
    first: Side
    second: Side
    gain_points: Figure
    only_first: int
    only_second: int
    p: float
    scan_bytes: Figure


def compare_pair(first: Path, second: Path, split: SplitName) -> PairComparison:
    """Compare two evaluated runs.

    Raises:
        RunError: one was not evaluated on the split, or they were on different frames.
    """
    one, other = (read_evaluation(folder, split) for folder in (first, second))
    frames = {(each.evaluation.data, each.evaluation.n) for each in (one, other)}
    if len(frames) > 1:
        words = " and ".join(f"{n} of {data}" for data, n in sorted(frames))
        raise RunError(f"two runs are compared on the same frames, not on {words}")
    right, also = one.outcomes.right, other.outcomes.right
    only_first, only_second, n = int((right & ~also).sum()), int((also & ~right).sum()), len(right)
    low, high = paired_interval(only_second, only_first, n)
    return PairComparison(
        data=one.evaluation.data,
        split=split,
        n=n,
        first=_side(first, one.evaluation),
        second=_side(second, other.evaluation),
        gain_points=Figure(value=100 * (only_second - only_first) / n, low=100 * low, high=100 * high),
        only_first=only_first,
        only_second=only_second,
        p=mcnemar(only_second, only_first),
        scan_bytes=_mean(other.outcomes.scan_bytes - one.outcomes.scan_bytes),
    )


def _side(run: Path, evaluation: Evaluation) -> Side:
    return Side(
        run=str(run),
        tables=evaluation.tables,
        accuracy=Figure(value=evaluation.accuracy, low=evaluation.low, high=evaluation.high),
        scan_bytes=evaluation.scan.mean,
        wire_bytes=evaluation.wire.mean,
    )


def _mean(differences: NDArray[np.int64]) -> Figure:
    mean, half = float(differences.mean()), Z95 * float(differences.std()) / max(len(differences) - 1, 1) ** 0.5
    return Figure(value=mean, low=mean - half, high=mean + half)
