"""Comparisons of hand-made ladders: obviously invented figures, whose gains and rates a pencil gives."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.trainer.present import present
from trainer.comparison.figures import Comparison, compare
from trainer.comparison.ladder import Kind
from trainer.comparison.ladder_results import read_results
from trainer.data import SplitName
from trainer.errors import RunError
from trainer.evaluation.evaluation import Bytes, Evaluated, Evaluation, Figure, FrameOutcomes
from trainer.evaluation.files import write_evaluation
from trainer.evaluation.intervals import wilson_interval

N = 1_000
WIRE, FILE = 50, 600  # bytes around a scan


def evaluated(right: int, scan: int, n: int = N, data: str = "invented") -> Evaluated:
    """The first `right` frames are right, every frame has `scan` bytes."""
    low, high = wilson_interval(right, n)
    units = {
        unit: Bytes(mean=scan + extra, low=scan + extra, high=scan + extra, p50=scan + extra, p95=scan + extra)
        for unit, extra in (("scan", 0), ("wire", WIRE), ("file", FILE))
    }
    share, some = Figure(value=right / n, low=low, high=high), Figure(value=1, low=1, high=1)
    words = {"data": data, "split": "test", "tables": "none", "tables_id": "0" * 16}
    shares = {"accuracy": right / n, "low": low, "high": high, "top5": share, "psnr_db": some, "ssim": some}
    evaluation = Evaluation(**words, n=n, **shares, **units, batched=scan)
    outcomes = np.arange(n) < right
    return Evaluated(evaluation, FrameOutcomes(outcomes, outcomes, np.full(n, scan)))


class InventedLadder:
    """A folder that grows run by run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.points: list[dict[str, Any]] = []

    def add(
        self,
        kind: str,
        budget: float,
        seed: int = 0,
        label: str = "",
        run: Evaluated | None = None,
        tables: str = "learned",
    ) -> None:
        name = f"{kind}{label}-{budget:g}-{seed}".replace(" ", "-")
        words = {"kind": kind, "label": label or kind, "budget": budget, "seed": seed, "tables": tables}
        self.points.append({"name": name, "run": f"runs/{name}", **words})
        (self.folder / "runs" / name).mkdir(parents=True)
        if run is not None:
            write_evaluation(self.folder / "runs" / name, run)
        words = {"data": "invented", "recipe": "none", "variant": None}
        (self.folder / "ladder.json").write_text(json.dumps({**words, "points": self.points}))

    def compared(self, resamples: int = 50) -> Comparison:
        return compare(read_results(self.folder, SplitName.TEST), resamples)


@pytest.fixture
def ladder(tmp_path: Path) -> InventedLadder:
    """Standard JPEG wins ten points a doubling of bytes; improved needs half its bytes everywhere."""
    made = InventedLadder(tmp_path)
    for scan, right in ((50, 300), (100, 400), (200, 500), (400, 600)):
        made.add("jpeg", scan, run=evaluated(right, scan))
    for scan, right in ((50, 400), (100, 500), (200, 600)):
        made.add("improved", scan, run=evaluated(right, scan))
    return made


def values(figures: Sequence[Figure | None]) -> list[float]:
    return [present(figure).value for figure in figures]


def test_gains_are_points_at_equal_bytes(ladder: InventedLadder) -> None:
    found = ladder.compared()
    assert [at.budget for at in found.budgets] == [50, 100, 200]
    against = [at.baselines[Kind.JPEG] for at in found.budgets]
    assert values([each.accuracy for each in against]) == pytest.approx([0.3, 0.4, 0.5])
    assert values([each.gain_points for each in against]) == pytest.approx([10, 10, 10])
    assert values([at.accuracy for at in found.budgets]) == [0.4, 0.5, 0.6]


def test_half_the_bytes_are_a_bd_rate_of_minus_50_percent_where_both_are(ladder: InventedLadder) -> None:
    delta = ladder.compared().bd_rate[Kind.JPEG]
    assert delta.percent.value == pytest.approx(-50)
    assert (delta.from_accuracy, delta.to_accuracy) == (0.4, 0.6)


def test_the_wire_is_held_against_whole_files_at_equal_accuracy(ladder: InventedLadder) -> None:
    found = ladder.compared()
    # 40 % takes 50 + 50 bytes on our wire, and a file of 100 + 600 bytes
    by_hand = [1 - (50 + WIRE) / (100 + FILE), 1 - (100 + WIRE) / (200 + FILE), 1 - (200 + WIRE) / (400 + FILE)]
    assert values([at.wire_saving for at in found.budgets]) == pytest.approx(by_hand)
    assert present(found.wire_saving_at_equal_accuracy).value == pytest.approx(min(by_hand))


def test_where_no_jpeg_is_as_accurate_the_saving_is_a_bound_and_where_all_are_there_is_none(
    ladder: InventedLadder,
) -> None:
    ladder.add("improved", 300, run=evaluated(650, 300))
    ladder.add("improved", 20, run=evaluated(250, 20))
    least, *others, most = ladder.compared().budgets
    assert least.wire_saving is None
    assert present(most.wire_saving).value == pytest.approx(1 - (300 + WIRE) / (400 + FILE))
    assert [at.wire_saving_is_bound for at in (*others, most)] == [False, False, False, True]


def test_a_baseline_is_read_at_the_bytes_that_were_spent_and_not_at_those_asked_for(ladder: InventedLadder) -> None:
    ladder.add("improved", 145, run=evaluated(555, 141))
    at = next(at for at in ladder.compared().budgets if at.budget == 145)
    assert at.scan_bytes == 141
    assert at.baselines[Kind.JPEG].accuracy.value == pytest.approx(0.4 + 0.1 * np.log2(141 / 100))


def test_intervals_are_those_of_paired_frames(ladder: InventedLadder) -> None:
    """Both are right on the same frames, improved on 100 more: the gain is as sure as a share of 10 %."""
    gain = ladder.compared(resamples=2000).budgets[1].baselines[Kind.JPEG].gain_points
    half = 100 * 1.96 * np.sqrt(0.1 * 0.9 / N)
    assert (gain.low, gain.high) == pytest.approx((10 - half, 10 + half), abs=0.15 * half)
    assert gain.high - gain.low == pytest.approx(2 * half, rel=0.08)  # one of 90 % would be 16 % narrower


def test_the_same_ladder_gives_the_same_intervals(ladder: InventedLadder) -> None:
    assert ladder.compared() == ladder.compared()


def test_seeds_of_a_budget_are_averaged_and_widen_its_interval(ladder: InventedLadder) -> None:
    before = ladder.compared(resamples=400).budgets[1].baselines[Kind.JPEG].gain_points
    ladder.add("improved", 100, seed=1, run=evaluated(580, 100))
    at = ladder.compared(resamples=400).budgets[1]
    assert at.seeds == 2
    assert at.accuracy.value == pytest.approx(0.54)
    after = at.baselines[Kind.JPEG].gain_points
    assert after.value == pytest.approx(14)
    assert after.high - after.low > 1.5 * (before.high - before.low)


def test_seeds_that_share_a_base_training_rise_and_fall_together(ladder: InventedLadder) -> None:
    ladder.add("improved", 100, seed=1, run=evaluated(580, 100))
    alone = ladder.compared(resamples=400).budgets[1].baselines[Kind.JPEG].gain_points
    ladder.add("jpeg", 100, seed=1, run=evaluated(480, 100))
    both = ladder.compared(resamples=400).budgets[1].baselines[Kind.JPEG].gain_points
    assert both.value == pytest.approx(10)
    assert both.high - both.low < 0.7 * (alone.high - alone.low)


def test_the_spread_between_seeds_is_pooled_over_the_budgets_that_have_some(ladder: InventedLadder) -> None:
    assert ladder.compared().seed_sd_points is None
    ladder.add("improved", 100, seed=1, run=evaluated(520, 100))
    ladder.add("jpeg", 100, seed=1, run=evaluated(400, 100))
    # 50 and 52 %: variance 2; 40 and 40 %: 0; their mean is 1
    assert ladder.compared().seed_sd_points == pytest.approx(1)


def test_an_ablation_says_what_the_part_left_out_is_worth(ladder: InventedLadder) -> None:
    ladder.add("ablation", 100, label="no masks", run=evaluated(470, 100))
    ladder.add("ablation", 100, label="no RDO", run=evaluated(450, 100))
    rows = {row.label: row for row in ladder.compared().ablations}
    assert values([rows["no masks"].gain_points, rows["no RDO"].gain_points]) == pytest.approx([7, 5])
    assert values([rows["no masks"].worth_points, rows["no RDO"].worth_points]) == pytest.approx([3, 5])


def test_an_ablation_of_jpeg_is_held_against_jpeg(ladder: InventedLadder) -> None:
    ladder.add("ablation", 100, label="JPEG untaught", run=evaluated(370, 100), tables="standard")
    (row,) = ladder.compared().ablations
    assert values([row.gain_points, row.worth_points]) == pytest.approx([-3, 3])


def test_the_budget_error_is_the_worst_of_those_runs_that_have_a_budget(ladder: InventedLadder) -> None:
    ladder.add("jpeg", 300, run=evaluated(550, 283))  # a quality has no budget to miss
    assert ladder.compared().budget_error_max == 0
    ladder.add("sensitivity", 100, run=evaluated(450, 99))
    ladder.add("ablation", 100, label="no masks", run=evaluated(450, 102))
    assert ladder.compared().budget_error_max == pytest.approx(0.02)


def test_what_was_not_run_is_said_and_not_made_up(ladder: InventedLadder) -> None:
    ladder.add("improved", 600, run=evaluated(700, 600))
    ladder.add("sensitivity", 100)
    found = ladder.compared()
    assert found.budgets[-1].baselines == {}
    assert found.missing == [
        "sensitivity-100-0: runs/sensitivity-100-0 was not evaluated on test",
        "jpeg-rdo: no run was evaluated",
        "sensitivity: no run was evaluated",
        "jpeg at budget 600: its runs spend 50 to 400 scan bytes",
        "wire saving at budget 600: no jpeg run is as accurate, which leaves a lower bound",
    ]


def test_a_comparison_needs_both_sides(tmp_path: Path) -> None:
    alone = InventedLadder(tmp_path)
    alone.add("jpeg", 100, run=evaluated(400, 100))
    with pytest.raises(RunError, match="improved and jpeg"):
        alone.compared()


def test_runs_that_saw_other_frames_are_refused(ladder: InventedLadder) -> None:
    ladder.add("jpeg", 70, run=evaluated(35, 70, n=100))
    with pytest.raises(RunError, match="100 of invented and 1000 of invented"):
        ladder.compared()


@pytest.mark.parametrize("text", [None, "{}", '{"data": "x", "recipe": "y", "variant": null, "points": [{}]}'])
def test_a_folder_without_a_ladder_is_refused(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "ladder.json").write_text(text)
    with pytest.raises(RunError, match=r"ladder\.json is no ladder"):
        read_results(tmp_path, SplitName.TEST)


def test_a_ladder_that_nobody_evaluated_is_refused(tmp_path: Path) -> None:
    InventedLadder(tmp_path).add("jpeg", 100)
    with pytest.raises(RunError, match="no run was evaluated on test"):
        read_results(tmp_path, SplitName.TEST)
