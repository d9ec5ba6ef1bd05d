"""Pictures: PNG files of the promised kind, and points that are refused when they are none."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shared.jpeg import TableSet
from trainer.errors import RunError
from trainer.plot import (
    Point,
    TitledTables,
    draw_confusion,
    draw_points,
    draw_run,
    draw_tables,
    most_confused,
    read_points,
)

POINT = {"name": "v1", "bytes": 200.0, "accuracy": 0.9, "low": 0.88, "high": 0.92}


def _pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture)


def test_tables_are_drawn_with_a_row_for_each_set(tmp_path: Path) -> None:
    rows = [TitledTables(f"q{quality}", TableSet.standard(quality)) for quality in (25, 75)]
    draw_tables(rows[:1], tmp_path / "one.png", "data set: none")
    draw_tables(rows, tmp_path / "two.png", "data set: none")
    one, two = (_pixels(tmp_path / name) for name in ("one.png", "two.png"))
    assert two.shape[0] > 1.5 * one.shape[0]
    assert len(np.unique(two.reshape(-1, two.shape[2]), axis=0)) > 100


def test_points_are_drawn(tmp_path: Path) -> None:
    points = [Point.model_validate(POINT), Point.model_validate({**POINT, "name": "v2", "bytes": 110.0})]
    draw_points(points, tmp_path / "new" / "points.png", "data set: none")
    assert _pixels(tmp_path / "new" / "points.png").shape[1] > 1000


def _counts(classes: int) -> np.ndarray:
    return np.eye(classes, dtype=np.int64) * 50 + np.random.default_rng(0).integers(0, 3, (classes, classes))


def test_a_confusion_is_drawn_larger_for_more_classes_up_to_those_that_can_be_read(tmp_path: Path) -> None:
    sides = []
    for classes in (2, 30, 61, 300):
        labels = [f"$class_{number}" for number in range(classes)]  # no formulas
        draw_confusion(_counts(classes), labels, tmp_path / f"{classes}.png", "none")
        sides.append(_pixels(tmp_path / f"{classes}.png").shape[0])
    assert sides[0] < sides[1] < sides[2] == sides[3] < 4_000


def test_of_many_classes_those_with_the_most_faults_are_kept_and_no_frame_is_lost() -> None:
    counts = np.eye(100, dtype=np.int64) * 50
    counts[70, 3] = counts[80, 90] = 9
    merged, labels = most_confused(counts, [str(number) for number in range(100)])
    assert {"70", "3", "80", "90"} <= set(labels)
    assert labels[-1] == "40 others, as one"
    assert merged.shape == (61, 61)
    assert merged.sum() == counts.sum()
    assert merged[labels.index("70"), labels.index("3")] == 9


@pytest.mark.parametrize(
    "content",
    [
        None,
        "no json",
        "{}",
        json.dumps([{**POINT, "accuracy": 90}]),
        json.dumps([{**POINT, "bytes": 0}]),
        "[]",
        json.dumps([{**POINT, "low": 0.95}]),
    ],
    ids=["missing", "not json", "no list", "percent", "no bytes", "no points", "accuracy outside its interval"],
)
def test_a_file_without_points_is_refused(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "points.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(RunError, match=r"points\.json"):
        read_points(path)


def test_points_come_back_as_written(tmp_path: Path) -> None:
    path = tmp_path / "points.json"
    path.write_text(json.dumps([POINT]))
    assert read_points(path) == [Point(**POINT)]


def test_points_of_one_series_are_drawn_together(tmp_path: Path) -> None:
    alone = [Point(**POINT), Point(**POINT | {"name": "other", "bytes": 20})]
    together = [point.model_copy(update={"series": "curve"}) for point in alone]
    draw_points(alone, tmp_path / "alone.png", "")
    draw_points(together, tmp_path / "together.png", "")
    assert (tmp_path / "alone.png").read_bytes() != (tmp_path / "together.png").read_bytes()


def test_curves_follow_the_figures_and_a_run_without_any_is_refused(tmp_path: Path) -> None:
    row = {"phase": "warm-up", "loss": 3.0, "validation_accuracy": 0.1, "scan_bytes": 200.0}
    rows = [row | {"epoch": 1}, row | {"epoch": 2, "phase": "learn", "loss": 1.0}]
    draw_run(rows, tmp_path / "falling.png", "run")
    draw_run([rows[0], rows[1] | {"loss": 3.0}], tmp_path / "level.png", "run")
    assert (_pixels(tmp_path / "falling.png") != _pixels(tmp_path / "level.png")).any()
    for nothing in ([], [{"epoch": 1}]):
        with pytest.raises(RunError, match="no epoch has been logged"):
            draw_run(nothing, tmp_path / "none.png", "run")


def test_frequencies_that_are_always_zero_look_like_the_coarsest_step(tmp_path: Path) -> None:
    tables, nowhere = TableSet.standard(75), np.zeros((3, 64), np.bool_)
    dark = {}
    for name, dropped in (("none", None), ("nowhere", nowhere), ("everywhere", ~nowhere)):
        draw_tables([TitledTables("q75", tables, dropped)], tmp_path / f"{name}.png", "data set: none")
        dark[name] = (_pixels(tmp_path / f"{name}.png")[..., :3].sum(2) < 200).mean()
    assert dark["none"] == dark["nowhere"]
    assert dark["everywhere"] > dark["none"] + 0.3
