"""What a server is told to judge the field by, all of it measured on validation pictures: `reference.json`."""

import math

import numpy as np
from numpy.typing import NDArray

from shared.bundle import BaselineFactor, Disagreement, Reference
from shared.jpeg import OrdinaryJpeg, Stream
from trainer.data import Dataset
from trainer.data.dataset import Progress, Split
from trainer.encoding.files import Encoding
from trainer.evaluation.evaluation import FrameOutcomes
from trainer.export.bundle import Exportable
from trainer.export.drift import drift_of
from trainer.export.predecessor import Predecessor
from trainer.training.reporter import Reporter

BASELINE_QUALITY = 75.0
"""What libjpeg takes where nobody asks, and so what most cameras send."""
TEMPERATURES = 0.05, 20.0
"""Beyond these a few held-out frames, all of them right or none, would say more than they know."""
HALVINGS = 24  # of six powers of e: far more digits than any validation split can tell
PART = 1_024  # pictures at a time, however many there are


def reference_of(
    content: Exportable,
    outcomes: FrameOutcomes,
    dataset: Dataset,
    before: Predecessor | None,
    baseline_quality: float,
    reporter: Reporter,
) -> Reference:
    """All that can be measured of a bundle for its server.

    Args:
        outcomes: of the validation pictures, as cameras would send them, logits and likeliest labels included.
        before: the bundle that this one follows, if any.
        baseline_quality: of the ordinary JPEG that bytes are compared with.
    """
    assert outcomes.logits is not None
    pictures = dataset.validation
    with reporter.bar(f"the same pictures as ordinary JPEG of quality {baseline_quality:g}") as progress:
        factor = baseline_factor_of(content.encoding, baseline_quality, pictures, progress)
    temperature = temperature_of(outcomes.logits, pictures.labels)
    return Reference(
        temperature=temperature,
        drift=drift_of(content, pictures, temperature),
        baseline_factor=factor,
        disagreement=None if before is None else _disagreement(before, content, outcomes, dataset, reporter),
    )


def temperature_of(logits: NDArray[np.float32], truth: NDArray[np.int64]) -> float:
    """The temperature under which softmax makes the truth likeliest (Guo et al. 2017, On Calibration, section 4.2).

    The likelihood has one peak: there the true labels' mean logit is the one that softmax expects.

    Args:
        logits: (n, classes), of frames that the classifier has not learned from.
        truth: int64 (n,), the index of each frame's label.
    """
    of_truth = float(logits[np.arange(len(truth)), truth].astype(np.float64).mean())
    low, high = map(math.log, TEMPERATURES)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if _expected_logit(logits, math.exp(middle)) > of_truth else (low, middle)
    return math.exp((low + high) / 2)


def baseline_factor_of(
    encoding: Encoding, quality: float, pictures: Split, progress: Progress = lambda *_: None
) -> BaselineFactor:
    """How many times the bytes of a file made of the encoding's frames a file made of the pictures has, all in all.

    Frames and files are made by the real codec. Where the encoding's steps are coarser than those of the quality, the
    factor is above 1; where they are finer, it may lie somewhat below.

    Args:
        quality: of the ordinary JPEG, 1 to 100.
        pictures: held-out ones, as cameras see them.
    """
    ordinary, encoder = OrdinaryJpeg(quality, encoding.tables), encoding.encoder()
    of_originals = of_frames = 0
    for start in range(0, len(pictures), PART):
        pixels = pictures.take(slice(start, start + PART)).pixels
        of_originals += int(ordinary.file_bytes(pixels).sum())
        of_frames += sum(map(ordinary.file_bytes_again, encoder.encode_batch(pixels, Stream.ABBREVIATED)))
        progress(start + len(pixels), len(pictures))
    return BaselineFactor(quality=quality, factor=of_originals / of_frames, n=len(pictures))


def _expected_logit(logits: NDArray[np.float32], temperature: float) -> float:
    """Mean over the frames of the logit of a label that is drawn with softmax's probabilities; falls with heat."""
    apart = (logits - logits.max(axis=1, keepdims=True)).astype(np.float64)
    odds = np.exp(apart / temperature)
    return float(((odds * logits).sum(axis=1) / odds.sum(axis=1)).mean())


def _disagreement(
    before: Predecessor, content: Exportable, outcomes: FrameOutcomes, dataset: Dataset, reporter: Reporter
) -> Disagreement:
    """With the bundle before, on the validation pictures that the new one was measured on."""
    if before.data != dataset.name:
        reporter.warn(
            "other pictures",
            f"{before.name} was made for {before.data}, not {dataset.name}: it may have learned from pictures that the "
            "two are compared on, and then they differ less on these than they will in the field",
        )
    assert outcomes.likeliest is not None
    answers = np.array(content.labels)[outcomes.likeliest]
    with reporter.bar(f"what {before.name} says of the same pictures") as progress:
        return before.disagreement(dataset.validation, answers, progress)
