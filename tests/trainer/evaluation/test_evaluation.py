"""Evaluation: intervals with known values; figures counted anew from real streams and a classifier of known logits."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from shared.bundle import EncoderSettings
from shared.jpeg import Stream, TableSet
from trainer.data import SplitName, synthetic
from trainer.encoding import streams
from trainer.encoding.files import Encoding
from trainer.errors import RunError
from trainer.evaluation.evaluation import Evaluated, batched_bytes, decode, evaluate
from trainer.evaluation.files import read_evaluation, write_evaluation
from trainer.export.classifier import OnnxClassifier

# What a camera may do beside rounding: a dead zone, dropped frequencies, levels by rate and distortion.
MASK = np.arange(64) > 50
ENCODING = Encoding(TableSet.standard(50), EncoderSettings.nearest(rounding=0.4, mask=MASK, weights=0.05))
PLAIN = Encoding(TableSet.standard(50))
SPLIT = synthetic.generate(SplitName.TEST, 300, size=32, seed=4)


def classifier_by_frequency() -> OnnxClassifier:
    """A frame's logit of class k is the sum of its luma levels at frequency k: anyone can compute it."""
    inputs = [
        helper.make_tensor_value_info("y", TensorProto.INT16, ["N", 64, 4, 4]),
        helper.make_tensor_value_info("c", TensorProto.INT16, ["N", 128, 2, 2]),
    ]
    nodes = [
        helper.make_node("Cast", ["y"], ["levels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceSum", ["levels", "sides"], ["sums"], keepdims=0),
        helper.make_node("Slice", ["sums", "first", "behind", "axis"], ["logits"]),
    ]
    numbers = {"sides": [2, 3], "first": [0], "behind": [32], "axis": [1]}
    constants = [helper.make_tensor(name, TensorProto.INT64, [len(at)], at) for name, at in numbers.items()]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 32])]
    graph = helper.make_graph(nodes, "by-frequency", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    onnx.checker.check_model(model)
    return OnnxClassifier(model.SerializeToString())


@pytest.fixture(scope="module")
def evaluated() -> Evaluated:
    return evaluate(
        ENCODING, classifier_by_frequency(), SPLIT, data="synthetic", split_name=SplitName.TEST, description="q50"
    )


def test_a_frame_is_right_when_its_label_has_the_highest_logit(evaluated: Evaluated) -> None:
    logits = streams.quantise(ENCODING, SPLIT).y.numpy()[:, :32].sum((2, 3))
    right = logits.argmax(1) == SPLIT.labels
    rank = (logits > logits[np.arange(300), SPLIT.labels][:, None]).sum(1)
    assert np.array_equal(evaluated.outcomes.right, right)
    assert evaluated.evaluation.accuracy == right.mean()
    # frames whose label shares its logit with others may count either way
    assert (rank < 1).mean() >= evaluated.evaluation.accuracy
    assert evaluated.evaluation.accuracy < evaluated.evaluation.top5.value <= (rank < 5).mean()
    assert evaluated.evaluation.top5.value == evaluated.outcomes.right_top5.mean()


def test_bytes_are_those_of_the_streams_in_each_unit(evaluated: Evaluated) -> None:
    encoder = ENCODING.encoder()
    for unit, stream in (("scan", Stream.SCAN), ("wire", Stream.ABBREVIATED), ("file", Stream.INTERCHANGE)):
        sizes = np.array([len(encoder.encode(pixels, stream)) for pixels in SPLIT.pixels])
        counted = getattr(evaluated.evaluation, unit)
        half = 1.959964 * sizes.std(ddof=1) / np.sqrt(300)
        assert (counted.mean, counted.p50) == (sizes.mean(), np.median(sizes))
        assert (counted.low, counted.high) == pytest.approx((sizes.mean() - half, sizes.mean() + half))
    assert evaluated.evaluation.wire.mean - evaluated.evaluation.scan.mean == 51


def test_the_intervals_hold_their_figures(evaluated: Evaluated) -> None:
    figures = evaluated.evaluation
    for figure in (figures.top5, figures.psnr_db, figures.ssim):
        assert figure.low < figure.value < figure.high
    assert 20 < figures.psnr_db.value < 45
    assert 0.5 < figures.ssim.value < 1


def test_batches_cost_what_their_layout_says(evaluated: Evaluated) -> None:
    encoder = ENCODING.encoder()
    frames, scans = (encoder.encode_batch(SPLIT.pixels[:2], stream) for stream in (Stream.ABBREVIATED, Stream.SCAN))
    # DWB1, length of prefix, prefix, count, time; then sequence, (time,) length and scan of each
    prefix = len(frames[0]) - len(scans[0]) - 2
    by_hand = 4 + 1 + prefix + 1 + 6 + (1 + 2 + len(scans[0])) + (1 + 2 + 2 + len(scans[1]))
    assert batched_bytes(frames, scans) == by_hand / 2
    assert 0 < evaluated.evaluation.batched - evaluated.evaluation.scan.mean < 8


def test_decoded_frames_are_the_levels_that_training_saw() -> None:
    split = SPLIT.head(50)
    decoded = decode(ENCODING.tables, ENCODING.encoder().encode_batch(split.pixels, Stream.ABBREVIATED), split)
    levels = streams.quantise(ENCODING, split)
    assert np.array_equal(decoded.y, levels.y)
    assert np.array_equal(decoded.c, levels.c)


def test_fitted_huffman_tables_save_bytes_and_still_encode_pictures_never_seen() -> None:
    fitted = streams.with_fitted_huffman(PLAIN, synthetic.generate(SplitName.TRAIN, 1000, size=32, seed=4))
    noise = np.random.default_rng(0).integers(0, 256, (64, 32, 32, 3), dtype=np.uint8)
    assert streams.scan_bytes(fitted, SPLIT.pixels).mean() < streams.scan_bytes(PLAIN, SPLIT.pixels).mean()
    assert streams.scan_bytes(fitted, noise).min() > 0


def test_an_evaluation_comes_back_as_written_and_stays_small(evaluated: Evaluated, tmp_path: Path) -> None:
    write_evaluation(tmp_path, evaluated)
    back = read_evaluation(tmp_path, SplitName.TEST)
    assert back.evaluation == evaluated.evaluation
    for name in ("right", "right_top5", "scan_bytes", "likeliest"):
        assert np.array_equal(getattr(back.outcomes, name), getattr(evaluated.outcomes, name))
    assert (tmp_path / "evaluation-test.npz").stat().st_size < 300 * 6


def test_a_damaged_evaluation_and_two_halves_of_different_ones_are_refused(
    evaluated: Evaluated, tmp_path: Path
) -> None:
    with pytest.raises(RunError, match=r"evaluation-test\.json"):
        read_evaluation(tmp_path, SplitName.TEST)
    write_evaluation(tmp_path, evaluated)
    frames = tmp_path / "evaluation-test.npz"
    whole = frames.read_bytes()
    for damaged in (b"", whole[:100], whole[:-30]):
        frames.write_bytes(damaged)
        with pytest.raises(RunError, match="hold no evaluation"):
            read_evaluation(tmp_path, SplitName.TEST)
    np.savez_compressed(
        frames, right=np.zeros(38, np.uint8), right_top5=np.zeros(38, np.uint8), scan_bytes=np.ones(300)
    )
    with pytest.raises(RunError, match="different evaluations"):
        read_evaluation(tmp_path, SplitName.TEST)
