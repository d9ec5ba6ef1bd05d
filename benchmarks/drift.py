"""How well the server notices that frames have changed, and what its estimate of accuracy is worth meanwhile.

`python -m benchmarks.drift [PICTURES [CLASSIFIER ...]]`: the zoo's CIFAR-100 classifiers (60, 100, 150, 300), each with
the reference that `export` would write for it: temperature and histograms of its 5,000 validation pictures, through the
real codec. Undisturbed frames are the 10,000 test pictures, from the folder that DCTWIRE_DATA names; PICTURES of them
(all) are changed in seven ways (`drift_shifts`) at three strengths. All are encoded and classified once; streams are
drawn from what came out, with replacement, and go through the server's own test.

`error_*`: the estimated accuracy (the mean confidence) less the true one, in percentage points, `accuracy_*` the true
one in per cent; `before` is without any change. `delay_median_*`, `delay_p90_*`: frames from the change to the first
alarm, over 100 changes each after 200 to 400 undisturbed frames; `found_*`: the share that was found within 5,000
frames, which stand for those that were not. `psi_*`: the largest score of any signal, of 5,000 frames.
`false_alarms_*`: alarms on undisturbed frames, as many as n says for each classifier.

`us_a_frame_*`: what the watch costs for frames that come 1, 8 or 64 at a time, in microseconds of processor time; a
server at work watches a bounded number a second. n counts the undisturbed frames of each classifier.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from benchmarks import drift_report, record
from benchmarks.drift_shifts import SHIFTS, Rng
from cloud_server.quality.psi import Psi
from cloud_server.quality.reference_bins import Bins, ReferenceBins
from cloud_server.quality.sequential import BLOCK_FRAMES, Detector
from cloud_server.quality.watch import Watch
from shared.bundle.coefficients import CoefficientStatistics, coefficient_statistics
from shared.bundle.signals import Signal, Signals
from shared.jpeg import Stream
from trainer import zoo
from trainer.data import Dataset, Split
from trainer.data.cache import ArrayCache
from trainer.data.catalogue import Catalogue
from trainer.evaluation.evaluation import decode
from trainer.export.bundle import Exportable
from trainer.export.classifier import OnnxClassifier
from trainer.export.drift import histograms, said
from trainer.export.reference import temperature_of
from trainer.recipes import recipe as recipes

UNDISTURBED = 2_000_000
CHANGES, UNTIL_FRAMES = 100, 5_000
BEFORE_FRAMES = 200, 400
PICTURES = 10_000
AT_ONCE = 4_096
TIMED_FRAMES = 6_400
CONFIDENCE = list(Signal).index(Signal.CONFIDENCE)


class Known:
    """A classifier of the zoo, its temperature, and the reference of its validation pictures."""

    def __init__(self, name: str, content: Exportable, dataset: Dataset) -> None:
        self.name, self._content = name, content
        statistics, logits = self._read(dataset.validation)
        self._temperature = temperature_of(logits, dataset.validation.labels)
        self.reference = ReferenceBins.of(histograms(said(statistics, logits, self._temperature), logits.shape[1]))

    def sees(self, split: Split) -> tuple[Signals, NDArray[np.bool_]]:
        """The signals of pictures, and which of their answers are right."""
        statistics, logits = self._read(split)
        return said(statistics, logits, self._temperature), logits.argmax(axis=1) == split.labels

    def _read(self, split: Split) -> tuple[CoefficientStatistics, NDArray[np.float32]]:
        frames = self._content.encoding.encoder().encode_batch(split.pixels, Stream.ABBREVIATED)
        levels = decode(self._content.encoding.tables, frames, split)
        statistics = coefficient_statistics(levels.y.numpy(), levels.c.numpy())
        return statistics, OnnxClassifier(self._content.model).logits(levels)


def main() -> int:
    """Measure, draw, record."""
    if "DCTWIRE_DATA" not in os.environ:
        print("DCTWIRE_DATA must name the folder with cifar-100-python", file=sys.stderr)
        return 1
    dataset, pictures = load(), int(sys.argv[1]) if len(sys.argv) > 1 else PICTURES
    figures: dict[str, float] = {"undisturbed_frames": UNDISTURBED, "until_frames": UNTIL_FRAMES}
    for name in sys.argv[2:] or drift_report.ENTRIES:
        entry = zoo.read(Path(zoo.__file__).parent, f"cifar100-{name}")
        known = Known(name, entry.content, dataset)
        figures |= of_classifier(known, dataset.test, pictures)
        print(f"{entry.name} is done", file=sys.stderr)
    record.write("drift", UNDISTURBED, figures, f"the zoo's CIFAR-100 classifiers; {pictures} pictures a change")
    drift_report.draw(figures)
    return 0


def load() -> Dataset:
    """CIFAR-100."""
    with TemporaryDirectory() as cache:
        data = Catalogue(Path(os.environ["DCTWIRE_DATA"]), ArrayCache(Path(cache)))
        return data.load(recipes.load("cifar100-improved").data)


def of_classifier(known: Known, test: Split, pictures: int) -> dict[str, float]:
    """All figures of one."""
    rng = np.random.default_rng(crc32(known.name.encode()))
    found, right = known.sees(test)
    undisturbed = known.reference.place(found)
    figures = _estimate("before", known, found, right)
    figures[f"false_alarms_{known.name}"] = false_alarms(rng, known.reference, undisturbed)
    for name, shifted in SHIFTS.items():
        for strength in range(drift_report.STRENGTHS):
            changed, right = known.sees(shifted(test.head(pictures), strength, rng))
            key = f"{name}_{strength}"
            figures |= _estimate(key, known, changed, right)
            figures |= delays(rng, f"{key}_{known.name}", known.reference, undisturbed, known.reference.place(changed))
    return figures | {f"us_a_frame_{n}_{known.name}": watching_us(known, found, n) for n in (1, 8, 64)}


def _estimate(key: str, known: Known, found: Signals, right: NDArray[np.bool_]) -> dict[str, float]:
    accuracy, estimated = 100 * float(right.mean()), 100 * float(found[:, CONFIDENCE].mean())
    return {f"accuracy_{key}_{known.name}": accuracy, f"error_{key}_{known.name}": estimated - accuracy}


def false_alarms(rng: Rng, reference: ReferenceBins, undisturbed: Bins) -> int:
    """Alarms of one long stream."""
    detector = Detector(reference)
    return sum(len(detector.take(part)) for part in stream(rng, undisturbed, UNDISTURBED))


def delays(rng: Rng, key: str, reference: ReferenceBins, undisturbed: Bins, changed: Bins) -> Mapping[str, float]:
    """Of many changes, and the score that the change comes to."""
    took = np.array([delay(rng, reference, undisturbed, changed) for _ in range(CHANGES)])
    psi = Psi(reference)
    for part in stream(rng, changed, 5_000):
        psi.take(part)
    assert psi.scores is not None
    return {
        f"delay_median_{key}": float(np.median(took)),
        f"delay_p90_{key}": float(np.quantile(took, 0.9)),
        f"found_{key}": float((took < UNTIL_FRAMES).mean()),
        f"psi_{key}": float(psi.scores.max()),
    }


def delay(rng: Rng, reference: ReferenceBins, undisturbed: Bins, changed: Bins) -> int:
    """Frames from one change to the first alarm after it; false ones before it are counted elsewhere."""
    detector = Detector(reference)
    for part in stream(rng, undisturbed, int(rng.integers(*BEFORE_FRAMES))):
        detector.take(part)
    seen = 0
    for part in stream(rng, changed, UNTIL_FRAMES, 4 * BLOCK_FRAMES):
        alarms = detector.take(part)
        if alarms:
            return seen + min(alarm.row for alarm in alarms) + 1
        seen += len(part)
    return UNTIL_FRAMES


def stream(rng: Rng, bins: Bins, frames: int, at_once: int = AT_ONCE) -> Iterator[Bins]:
    """So many frames, drawn with replacement, some at a time."""
    for start in range(0, frames, at_once):
        yield bins[rng.integers(0, len(bins), min(at_once, frames - start))]


def watching_us(known: Known, found: Signals, at_once: int) -> float:
    """Microseconds of processor time a frame, of the server's watch over frames that come so many at a time."""
    watch = Watch(known.reference)
    began = process_time()
    for start in range(0, TIMED_FRAMES, at_once):
        watch.take(found[start : start + at_once], 0.0)
    return 1e6 * (process_time() - began) / TIMED_FRAMES


if __name__ == "__main__":
    sys.exit(main())
