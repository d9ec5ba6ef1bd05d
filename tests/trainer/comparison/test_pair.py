"""Two runs on the same frames: their difference frame by frame, and what cannot be compared."""

from pathlib import Path

import numpy as np
import pytest

from shared.jpeg import TableSet
from tests.trainer.evaluation.test_evaluation import classifier_by_frequency
from tests.trainer.present import present
from trainer.comparison.pair import compare_pair
from trainer.data import Split, SplitName, synthetic
from trainer.encoding.files import Encoding
from trainer.errors import RunError
from trainer.evaluation.evaluation import Evaluated, evaluate
from trainer.evaluation.files import write_evaluation
from trainer.evaluation.intervals import mcnemar, paired_interval

PICTURES = synthetic.generate(SplitName.TEST, 200, size=32, seed=4)


def of_quality(quality: float, split: Split) -> Evaluated:
    return evaluate(
        Encoding(TableSet.standard(quality)),
        classifier_by_frequency(),
        split,
        data="synthetic",
        split_name=SplitName.TEST,
        description=f"quality {quality:g}",
    )


def measured(folder: Path, quality: float, count: int = 200) -> Evaluated:
    """A run's evaluation, where what quality 40 gives each frame is taken for true."""
    folder.mkdir()
    truth = of_quality(40, PICTURES).outcomes.likeliest
    evaluated = of_quality(quality, Split(PICTURES.pixels, present(truth)).head(count))
    write_evaluation(folder, evaluated)
    return evaluated


def test_the_second_run_s_gain_is_counted_frame_by_frame(tmp_path: Path) -> None:
    one, other = measured(tmp_path / "one", 20), measured(tmp_path / "other", 60)
    pair = compare_pair(tmp_path / "one", tmp_path / "other", SplitName.TEST)
    right, also = one.outcomes.right, other.outcomes.right
    assert (pair.only_first, pair.only_second) == (int(np.sum(right & ~also)), int(np.sum(~right & also)))
    assert pair.only_first and pair.only_second
    assert pair.gain_points.value == pytest.approx(100 * (other.evaluation.accuracy - one.evaluation.accuracy))
    low, high = paired_interval(pair.only_second, pair.only_first, 200)
    assert (pair.gain_points.low, pair.gain_points.high) == pytest.approx((100 * low, 100 * high))
    assert pair.p == mcnemar(pair.only_second, pair.only_first)
    spent = other.evaluation.scan.mean - one.evaluation.scan.mean
    assert pair.scan_bytes.value == pytest.approx(spent)
    assert 0 < pair.scan_bytes.low < spent < pair.scan_bytes.high
    assert (pair.first.tables, pair.second.wire_bytes) == ("quality 20", other.evaluation.wire.mean)


def test_runs_on_different_frames_are_not_compared(tmp_path: Path) -> None:
    measured(tmp_path / "one", 20)
    measured(tmp_path / "other", 20, count=100)
    with pytest.raises(RunError, match="same frames, not on 100 of synthetic and 200 of synthetic"):
        compare_pair(tmp_path / "one", tmp_path / "other", SplitName.TEST)


def test_a_run_that_was_not_evaluated_is_named(tmp_path: Path) -> None:
    measured(tmp_path / "one", 20)
    with pytest.raises(RunError, match=r"other.evaluation-test\.json .*`evaluate` writes them"):
        compare_pair(tmp_path / "one", tmp_path / "other", SplitName.TEST)
