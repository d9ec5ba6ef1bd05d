"""Champion and challenger on the same frames, pair by pair: the frozen holdout, and recent uploads.

- **holdout**: the base set's test pictures. Each side encodes them with its own tables by the real codec, decodes, and
  classifies by its exported classifier.
- **recent**: the uploads that are held out from learning, which have no pixels. Both sides classify the coefficients
  that were sent, each in the unit of its own graph, as its own cameras would have sent them where the upload's steps
  tell that (`requantising`). Bytes are those of the same coefficients under each side's tables, so too few for tables
  that are finer than the upload's.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from shared.jpeg import Encoder, Stream
from trainer.data import Dataset, Split
from trainer.diff_jpeg.quantise import as_channels
from trainer.diff_jpeg.surrogates import round_half_away
from trainer.encoding.encodings import steps_of
from trainer.errors import RecipeError
from trainer.evaluation.evaluation import decode
from trainer.evaluation.intervals import mcnemar, paired_interval
from trainer.export import bundle as bundles
from trainer.export.bundle import Exportable
from trainer.export.classifier import OnnxClassifier
from trainer.field.reading import FieldReader
from trainer.field.retraining import champion_of, read_uploads
from trainer.field.selecting import FieldRules, select
from trainer.field.uploads import Rows, Uploads, parts
from trainer.jobs import Machine
from trainer.training.run_dir import RunDir

PART = 1_024  # pictures at a time, however many there are
LEVEL_LIMIT = 1_023  # of 8-bit baseline AC levels; DC goes one further down


class _Figures(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ClassPair(_Figures):
    """One class's frames."""

    label: str
    n: int
    champion_right: int
    challenger_right: int


class Paired(_Figures):
    """Two classifiers on the same frames.

    Args:
        name: which frames: `holdout` or `recent`.
        only_champion, only_challenger: frames that this one alone names rightly.
        gain, low, high: the challenger's accuracy less the champion's, with its 95 % interval (Bonett and Price).
        p: McNemar's, exact and two-sided.
        by_class: in the order of the classes.
        champion_scan_bytes, challenger_scan_bytes: mean entropy-coded bytes a frame; of uploads without those that are
            stuffed behind 0xFF, about one in a thousand.
    """

    name: str
    n: int
    champion_right: int
    challenger_right: int
    only_champion: int
    only_challenger: int
    gain: float
    low: float
    high: float
    p: float
    by_class: tuple[ClassPair, ...]
    champion_scan_bytes: float
    challenger_scan_bytes: float


class FieldComparison(_Figures):
    """Both comparisons; `recent.n` is 0 where no upload is held out."""

    holdout: Paired
    recent: Paired


@dataclass(frozen=True, kw_only=True)
class CompareOrder:
    """Compare a run with the champion that it was retrained from.

    Args:
        champion, challenger: folders of finished runs.
        uploads, rules: as the challenger's training was given them, so that the same frames are held out.
        threads: CPU threads.
    """

    champion: Path
    challenger: Path
    uploads: Path
    rules: FieldRules = field(default_factory=FieldRules)
    threads: int = 1


@dataclass(frozen=True)
class _Outcome:
    """Of each frame whether it is named rightly, bool (n,), and its scan bytes, (n,)."""

    right: NDArray[np.bool_]
    scan_bytes: NDArray[np.float64]

    @classmethod
    def of(cls, content: Exportable, logits: NDArray[np.float32], truth: Sequence[str], sizes: Sequence[float]) -> Self:
        answers = np.array(content.labels)[logits.argmax(axis=1)]
        return cls(answers == np.array(truth, np.str_), np.array(sizes, np.float64))


def compare_runs(order: CompareOrder, machine: Machine) -> FieldComparison:
    """Compare two runs on the base set's test pictures and on the held-out part of the uploads.

    Raises:
        RunError: one of them is no finished run that bundles come from.
        RecipeError: they know other labels or read frames of another size.
        DatasetError, PoisonedLabelsError: as in `retrain`.
    """
    torch.set_num_threads(order.threads)
    champion = champion_of(order.champion)
    dataset = machine.dataset(champion.asked.recipe)
    first, second = (bundles.exportable(run, dataset) for run in (champion, RunDir(order.challenger).finished()))
    export = read_uploads(order.uploads, dataset, machine)
    recent = np.array(select(export, first, dataset, order.rules).recent, np.int64)
    return compare(first, second, dataset, export.frames, recent)


def compare(
    champion: Exportable, challenger: Exportable, dataset: Dataset, uploads: Uploads, recent: Rows
) -> FieldComparison:
    """Compare two classifiers with their tables.

    Args:
        recent: rows of the uploads that neither has learned from.

    Raises:
        RecipeError: they know other labels or read frames of another size.
    """
    if set(champion.labels) != set(challenger.labels):
        raise RecipeError("champion and challenger know other labels: nothing can be said of who is better")
    if (champion.height, champion.width) != (challenger.height, challenger.width):
        raise RecipeError("champion and challenger read frames of other sizes: no camera could change between them")
    test, classes = dataset.test, dataset.classes
    of_test = [classes[label] for label in test.labels.tolist()]
    of_recent = [classes[label] for label in uploads.labels[recent].tolist()]
    return FieldComparison(
        holdout=_paired(
            "holdout", of_test, classes, *(_on_pictures(each, test, of_test) for each in (champion, challenger))
        ),
        recent=_paired(
            "recent",
            of_recent,
            classes,
            *(_on_uploads(each, uploads, recent, of_recent) for each in (champion, challenger)),
        ),
    )


def _on_pictures(content: Exportable, pictures: Split, truth: Sequence[str]) -> _Outcome:
    """By the real encoder, real streams, the real decoder and the exported classifier."""
    encoder, classifier = content.encoding.encoder(), OnnxClassifier(content.model)
    logits, sizes = [], []
    for start in range(0, len(pictures), PART):
        part = pictures.take(slice(start, start + PART))
        frames = encoder.encode_batch(part.pixels, Stream.ABBREVIATED)
        sizes += [len(scan) for scan in encoder.encode_batch(part.pixels, Stream.SCAN)]
        logits.append(classifier.logits(decode(content.encoding.tables, frames, part)))
    return _Outcome.of(content, np.concatenate(logits), truth, sizes)


def _on_uploads(content: Exportable, uploads: Uploads, rows: Rows, truth: Sequence[str]) -> _Outcome:
    reader = FieldReader(content)
    steps, encoder = as_channels(steps_of(content.encoding)), Encoder(content.encoding.tables)
    sizes: list[float] = []
    for part in parts(len(rows)):
        frames = reader.seen(uploads, rows[part])
        y, c = (_levels(plane, step) for plane, step in zip((frames.y, frames.c), steps, strict=True))
        sizes += np.ceil(encoder.scan_bits_batch(y, c) / 8).tolist()
    return _Outcome.of(content, reader.logits(uploads, rows), truth, sizes)


def _levels(plane: torch.Tensor, step: torch.Tensor) -> NDArray[np.int16]:
    """The nearest levels that 8-bit baseline can code."""
    levels: NDArray[np.int16] = round_half_away(plane / step).clamp(-LEVEL_LIMIT, LEVEL_LIMIT).to(torch.int16).numpy()
    return levels


def _paired(
    name: str, truth: Sequence[str], classes: Sequence[str], champion: _Outcome, challenger: _Outcome
) -> Paired:
    n = len(truth)
    lost, gained = (int((a.right & ~b.right).sum()) for a, b in ((champion, challenger), (challenger, champion)))
    low, high = paired_interval(gained, lost, n)
    return Paired(
        name=name,
        n=n,
        champion_right=int(champion.right.sum()),
        challenger_right=int(challenger.right.sum()),
        only_champion=lost,
        only_challenger=gained,
        gain=(gained - lost) / max(n, 1),
        low=low,
        high=high,
        p=mcnemar(gained, lost),
        by_class=tuple(_of_class(label, np.array(truth, np.str_) == label, champion, challenger) for label in classes),
        champion_scan_bytes=_mean(champion.scan_bytes),
        challenger_scan_bytes=_mean(challenger.scan_bytes),
    )


def _of_class(label: str, rows: NDArray[np.bool_], champion: _Outcome, challenger: _Outcome) -> ClassPair:
    return ClassPair(
        label=label,
        n=int(rows.sum()),
        champion_right=int(champion.right[rows].sum()),
        challenger_right=int(challenger.right[rows].sum()),
    )


def _mean(sizes: NDArray[np.float64]) -> float:
    return float(sizes.mean()) if len(sizes) else 0.0
