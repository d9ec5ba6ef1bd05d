"""What a server knows without originals and labels, against the truth; and what that costs it a frame.

For each of the zoo's bundles: bytes of ordinary JPEG (quality 75) of the test pictures, and what a server makes of the
bundle's frames, before and after the factor that the trainer measured on validation pictures; accuracy on the test
pictures, and the mean confidence, before and after the temperature that was fitted on validation pictures. Through the
real codec and the exported classifier. n counts the test pictures: CIFAR-100's, which DCTWIRE_DATA names the folder of;
without it made-up ones, and then bytes alone.

Time: processor time of the observers a frame, by the size of the micro-batch, and of measuring one frame.
"""

import os
import random
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import record
from benchmarks.rounds import measure, on_processor
from cloud_server.answered import AnsweredFrame, AnsweredFrames
from cloud_server.metrics import Metrics
from cloud_server.quality.baselines import Baselines, Chosen, cost_of
from cloud_server.quality.estimates import Estimates
from shared.bundle import BaselineFactor, Reference
from shared.jpeg import Encoder, OrdinaryJpeg, Stream, TableSet
from shared.wire import Match
from trainer import zoo
from trainer.data import Dataset, SplitName, synthetic
from trainer.data.cache import ArrayCache
from trainer.data.catalogue import Catalogue
from trainer.encoding.streams import quantise
from trainer.export.classifier import OnnxClassifier
from trainer.export.reference import BASELINE_QUALITY, baseline_factor_of, temperature_of
from trainer.recipes import recipe as recipes

MADE_UP_PICTURES = 2_000
BATCHES = (1, 8, 64)
SECONDS = 2.0  # a size of micro-batch
RATE = 0.001
HUNDRED = 100.0


def main() -> int:
    """Measure, record."""
    with TemporaryDirectory() as cache:
        dataset = pictures(Path(cache))
    figures: dict[str, float] = {}
    for entry in zoo.entries(Path(zoo.__file__).parent):
        name = entry.name.replace("-", "_")
        figures |= {f"{key}_{name}": value for key, value in bytes_of(entry, dataset).items()}
        if entry.evaluation.data == dataset.name:
            figures |= {f"{key}_{name}": value for key, value in accuracy_of(entry, dataset).items()}
    record.write("baselines", len(dataset.test), figures | times(), dataset.name)
    return 0


def pictures(cache: Path) -> Dataset:
    """CIFAR-100 where there is any, otherwise made-up pictures of its size."""
    if (folder := os.environ.get("DCTWIRE_DATA")) is not None:
        return Catalogue(Path(folder), ArrayCache(cache)).load(recipes.load("cifar100-improved").data)
    splits = {name: synthetic.generate(name, MADE_UP_PICTURES, size=32, seed=1) for name in SplitName}
    return Dataset.of("synthetic", synthetic.CLASSES, splits)


def bytes_of(entry: zoo.Entry, dataset: Dataset) -> Mapping[str, float]:
    """Ordinary JPEG's bytes as a server estimates them, in percent too many, and what the bundle really saves."""
    encoding, test = entry.content.encoding, dataset.test.pixels
    factor = baseline_factor_of(encoding, BASELINE_QUALITY, dataset.validation).factor
    ordinary = OrdinaryJpeg(BASELINE_QUALITY, encoding.tables)
    frames = encoding.encoder().encode_batch(test, Stream.ABBREVIATED)
    again = sum(map(ordinary.file_bytes_again, frames))
    truth, sent = int(ordinary.file_bytes(test).sum()), sum(map(len, frames))
    return {
        "factor": factor,
        "bytes_error_percent_before": HUNDRED * (again / truth - 1),
        "bytes_error_percent": HUNDRED * (again * factor / truth - 1),
        "saving_percent": HUNDRED * (1 - sent / truth),
        "saving_error_points": HUNDRED * (sent / truth - sent / (again * factor)),
    }


def accuracy_of(entry: zoo.Entry, dataset: Dataset) -> Mapping[str, float]:
    """Accuracy as confidences estimate it, in points too high."""
    classifier, encoding = OnnxClassifier(entry.content.model), entry.content.encoding
    held_out, logits = (classifier.logits(quantise(encoding, split)) for split in (dataset.validation, dataset.test))
    temperature = temperature_of(held_out, dataset.validation.labels)
    accuracy = float((logits.argmax(1) == dataset.test.labels).mean())
    return {
        "temperature": temperature,
        "accuracy": accuracy,
        "estimate_error_points_before": HUNDRED * (_mean_confidence(logits, 1.0) - accuracy),
        "estimate_error_points": HUNDRED * (_mean_confidence(logits, temperature) - accuracy),
    }


def _mean_confidence(logits: NDArray[np.float32], temperature: float) -> float:
    apart = (logits - logits.max(1, keepdims=True)).astype(np.float64) / temperature
    return float((1 / np.exp(apart).sum(1)).mean())


def times() -> dict[str, float]:
    """Microseconds a frame of both observers, and of measuring one that was chosen."""
    tables = TableSet.standard(30)
    made = synthetic.generate(SplitName.TEST, 64, size=32, seed=1).pixels
    frames = Encoder(tables).encode_batch(made, Stream.ABBREVIATED)
    factor = BaselineFactor(quality=BASELINE_QUALITY, factor=1.2, n=1)
    figures = {}
    for size in BATCHES:
        figures[f"us_observers_batch{size}"] = _observers_us(frames[:size], tables, factor)
    chosen = Chosen("family", "v1", 0, frames[0], tables, factor)
    rounds = measure({"measuring": on_processor(lambda: cost_of(chosen))}, 1, SECONDS)
    return figures | {"us_measuring_a_frame": 1e6 * rounds.least("measuring")}


def _observers_us(frames: list[bytes], tables: TableSet, factor: BaselineFactor) -> float:
    batch = AnsweredFrames(
        family="family",
        model="family/1",
        labels=("a", "b"),
        match=Match.EXACT,
        tables="v1",
        table_set=tables,
        answered_at=1.0,
        frames=tuple(AnsweredFrame(1, number, one, 9, 0, 0.5, True) for number, one in enumerate(frames)),
        reference=Reference(temperature=1.5, baseline_factor=factor),
    )
    metrics, nothing = Metrics(), Any
    estimates = Estimates(nothing, metrics, lambda: 0.0)  # type: ignore[arg-type]  # neither reads a database here
    baselines = Baselines(nothing, metrics, RATE, 0, random.Random(1).random)  # type: ignore[arg-type]

    def observe() -> None:
        estimates.observe(batch)
        baselines.observe(batch)

    return 1e6 * measure({"observers": on_processor(observe)}, len(frames), SECONDS).least("observers")


if __name__ == "__main__":
    sys.exit(main())
