"""The recorded figures of a hand-made ladder: the promised names, and what was not run said so."""

import json
from pathlib import Path

import pytest

from benchmarks.rate_accuracy import figures_of, last_rate_errors, setting, short_name
from benchmarks.rate_accuracy_report import tables
from tests.trainer.comparison.test_figures import InventedLadder, evaluated
from trainer.comparison import read_ladder


@pytest.fixture
def ladder(tmp_path: Path) -> InventedLadder:
    made = InventedLadder(tmp_path)
    for scan, right in ((50, 300), (100, 400), (200, 500)):
        made.add("jpeg", scan, run=evaluated(right, scan))
    for scan, right in ((60, 380), (100, 450)):
        made.add("improved", scan, run=evaluated(right, scan))
    made.add("ablation", 100, label="without RDO, masks", run=evaluated(430, 100))
    return made


def test_figures_have_the_promised_names(ladder: InventedLadder) -> None:
    figures = {f"cifar100_{name}": value for name, value in figures_of(ladder.compared())}
    assert figures["cifar100_gain_100B_points"] == pytest.approx(5)
    assert figures["cifar100_accuracy_100B_jpeg"] == pytest.approx(0.4)
    assert figures["cifar100_accuracy_100B_improved"] == 0.45
    assert figures["cifar100_ablation_100B_without_rdo_masks_worth_points"] == pytest.approx(2)
    assert figures["cifar100_bd_rate_percent"] < 0
    assert 0 < figures["cifar100_wire_saving_at_equal_accuracy"] <= figures["cifar100_wire_saving_60B"]


def test_tables_show_the_figures_and_say_what_was_not_run(ladder: InventedLadder) -> None:
    text = tables({f"cifar100_{name}": value for name, value in figures_of(ladder.compared())})
    assert "| 100 | 100.0 | 45.00% | 40.00% | **+5.00** (" in text
    assert "| 300 | not run | not run | not run | not run | not run | not run | not run |" in text
    assert "| without rdo masks | 100 | 43.00% | **+2.00** (" in text
    assert "missing: jpeg-rdo: no run was evaluated" in setting(ladder.compared())


def test_the_rate_models_error_is_that_of_the_last_refit(ladder: InventedLadder) -> None:
    rows = [
        {"epoch": 1},
        {"epoch": 2, "rate_error": 0.05},
        {"epoch": 3, "rate_error": 0.02},
        {"epoch": 4, "rate_error": None},
    ]
    run = ladder.folder / next(point["run"] for point in ladder.points if point["kind"] == "improved")
    (run / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert last_rate_errors(ladder.folder, read_ladder(ladder.folder)) == [0.02]


@pytest.mark.parametrize(
    ("data", "name"), [("cifar-100/seed1/validation5000", "cifar100"), ("synthetic-32/v1/seed1", "synthetic_32")]
)
def test_data_sets_have_short_names(data: str, name: str) -> None:
    assert short_name(data) == name
