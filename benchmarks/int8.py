"""What eight bits gain and what they cost: serving nets in float32 against their eight-bit twins, on one thread.

Time: for each size and batch, in one run and in turns; nets are not trained, since time does not depend on weights.
`pixels` is the usual net on ready pixels of `benchmarks.serving_nets`. Accuracy: the zoo's classifiers and their
exported twins on all of CIFAR-100's test pictures, which DCTWIRE_DATA names the folder of. n counts the rounds.
"""

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

from benchmarks import record
from benchmarks.rounds import Rounds, measure, on_processor
from benchmarks.serving_nets import SIZES, pixel_net
from trainer import zoo
from trainer.data import Split, SplitName
from trainer.data.cache import ArrayCache
from trainer.data.catalogue import Catalogue
from trainer.encoding.streams import Levels, quantise
from trainer.export.classifier import OnnxClassifier
from trainer.export.int8 import quantised, to_int8
from trainer.export.onnx_graph import MEANS, to_onnx
from trainer.models import DctNet
from trainer.recipes import recipe as recipes

SECONDS = 15.0  # a size and batch
BATCHES = (1, 8, 32)
CALIBRATION_FRAMES = 32
TEST_PICTURES = 10_000

Inputs = dict[str, NDArray[Any]]


def main() -> int:
    """Measure, record."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    figures: dict[str, float] = {}
    n = 0
    for side in SIZES:
        nets = nets_of(side)
        for batch in BATCHES:
            works = {name: on_processor(work(model, inputs, batch)) for name, (model, inputs) in nets.items()}
            rounds = measure(works, batch, SECONDS)
            figures |= times(rounds, f"{side}px_batch{batch}")
            n += rounds.count
    record.write("int8", n, figures | accuracies(), f"ONNX Runtime {onnxruntime.__version__}, 1 thread")
    return 0


def nets_of(side: int) -> dict[str, tuple[bytes, Inputs]]:
    """Models and inputs of a size, each in float32 and in eight bits."""
    net = DctNet(SIZES[side], torch.full((3, 64), 0.02)).eval()
    plain, shrink = pixel_net(net)
    on_levels, on_pixels = to_onnx(net, torch.full((3, 64), 20.0), side, side), plain.to_onnx(side, side, shrink)
    levels = Levels(
        torch.randint(-9, 10, (CALIBRATION_FRAMES, 64, side // 8, side // 8), dtype=torch.int16),
        torch.randint(-5, 6, (CALIBRATION_FRAMES, 128, side // 16, side // 16), dtype=torch.int16),
        torch.zeros(CALIBRATION_FRAMES, dtype=torch.int64),
    )
    coded: Inputs = {"y": levels.y.numpy(), "c": levels.c.numpy()}
    pixels: Inputs = {"pixels": torch.rand(CALIBRATION_FRAMES, 3, side, side).numpy()}
    return {
        "dct": (on_levels, coded),
        "dct_int8": (to_int8(on_levels, levels), coded),
        "pixels": (on_pixels, pixels),
        "pixels_int8": (quantised(on_pixels, pixels, in_float=(MEANS,)), pixels),
    }


def work(model: bytes, inputs: Inputs, batch: int) -> Callable[[], object]:
    """Classify a batch."""
    return partial(OnnxClassifier(model).run, {name: values[:batch] for name, values in inputs.items()})


def times(rounds: Rounds, suffix: str) -> dict[str, float]:
    """Least milliseconds a picture, and how many times faster eight bits are: the median over the rounds."""
    figures = {f"ms_{name}_{suffix}": 1e3 * rounds.least(name) for name in ("dct", "dct_int8")}
    pairs = [("dct_int8", "dct"), ("pixels_int8", "pixels"), ("dct_int8", "pixels_int8")]
    return figures | {f"{ours}_vs_{theirs}_{suffix}": rounds.times_faster(ours, theirs) for ours, theirs in pairs}


def accuracies() -> dict[str, float]:
    """Of the zoo's entries: in float32, and what eight bits add, in percentage points."""
    with TemporaryDirectory() as cache:
        data = Catalogue(Path(os.environ["DCTWIRE_DATA"]), ArrayCache(Path(cache)))
        pictures, _, name = data.pictures(recipes.load("cifar100-improved").data, SplitName.TEST, TEST_PICTURES)
    figures: dict[str, float] = {}
    for entry in zoo.entries(Path(zoo.__file__).parent):
        if entry.evaluation.data == name:
            figures |= _accuracies_of(entry, pictures)
    return figures


def _accuracies_of(entry: zoo.Entry, pictures: Split) -> dict[str, float]:
    assert entry.int8 is not None
    levels = quantise(entry.content.encoding, pictures)
    in_float, in_int8 = (
        float(np.mean(OnnxClassifier(model).logits(levels).argmax(1) == pictures.labels))
        for model in (entry.content.model, entry.int8)
    )
    name = entry.name.replace("-", "_")
    return {f"accuracy_{name}": in_float, f"int8_points_{name}": 100 * (in_int8 - in_float)}


if __name__ == "__main__":
    sys.exit(main())
