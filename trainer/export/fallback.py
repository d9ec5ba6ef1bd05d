"""A run of any tables as the server's fallback: its classifier reads dequantised coefficients, whoever quantised them.

It is measured through ordinary tables of several qualities, and through random ones that no training drew.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from shared.bundle import CENTRE, FALLBACK_NAME, ExpectedOfTables, Fallback, Golden, InputGeometry
from shared.jpeg import Decoder, Fit, Stream
from trainer.data import Dataset, Split, SplitName
from trainer.diff_jpeg import Planes, coefficients
from trainer.encoding.encodings import dequantised, of_standard, of_steps, steps_of
from trainer.encoding.files import Encoding
from trainer.encoding.random_tables import RandomTables, quantised
from trainer.encoding.streams import Levels
from trainer.evaluation.evaluation import Evaluation, evaluate
from trainer.export.bundle import PARITY_FRAMES, PARITY_TOLERANCE, promise, served_net
from trainer.export.classifier import OnnxClassifier, check_parity
from trainer.export.golden import GoldenPictures, golden, golden_pictures
from trainer.export.int8 import EightBits, eight_bits
from trainer.export.model_folder import ModelFiles, described, read_description
from trainer.export.onnx_graph import to_onnx
from trainer.training.run_dir import Finished
from trainer.whole_file import write_whole

QUALITIES = (10, 25, 50, 75, 95)
RANDOM_TABLES = 3
UNSEEN_SEED = 2**62  # recipes' seeds are small: training drew other tables


@dataclass(frozen=True, kw_only=True)
class FallbackClassifier:
    """What a fallback is written from: a classifier of frames of any tables.

    Args:
        model: the classifier as ONNX.
        labels: the names of its classes.
        height, width: of the frames that it reads, in pixels.
        fit: which part of a picture such a frame shows.
    """

    model: bytes
    labels: tuple[str, ...]
    height: int
    width: int
    fit: Fit = CENTRE


class FallbackEvaluation(BaseModel):
    """Figures of the same held-out frames, once for each of several tables."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: str
    split: str
    n: int
    of_tables: tuple[Evaluation, ...]


def exportable(run: Finished, dataset: Dataset) -> FallbackClassifier:
    """The classifier of a run; torch and ONNX Runtime must agree on held-out frames of random tables.

    Raises:
        RunError: the run's net does not fit its recipe.
        ParityError: torch and ONNX Runtime differ.
    """
    net = served_net(run, dataset)
    height, width = dataset.size
    model = to_onnx(net, None, height, width)
    frames = dataset.validation.head(PARITY_FRAMES)
    steps = RandomTables(UNSEEN_SEED).steps(np.arange(len(frames)), epoch=0)
    planes = quantised(coefficients(torch.from_numpy(frames.pixels)), steps)
    with torch.no_grad():
        expected = net(planes).numpy()
    check_parity(expected, OnnxClassifier(model).logits(planes), PARITY_TOLERANCE)
    return FallbackClassifier(model=model, labels=dataset.classes, height=height, width=width, fit=dataset.fit)


def measure(content: FallbackClassifier, dataset: Dataset, split: SplitName) -> FallbackEvaluation:
    """Figures on a split, through the real codec and the exported classifier, for each of `encodings`."""
    pictures, classifier = dataset.split(split), OnnxClassifier(content.model)
    of_tables = tuple(
        evaluate(
            encoding,
            _Dequantising(classifier, steps_of(encoding)),
            pictures,
            data=dataset.name,
            split_name=split,
            description=description,
        ).evaluation
        for description, encoding in encodings().items()
    )
    return FallbackEvaluation(data=dataset.name, split=split, n=len(pictures), of_tables=of_tables)


def golden_of(content: FallbackClassifier, kind: GoldenPictures, dataset: Dataset) -> Golden:
    """Golden frames, whole JPEG files."""
    pictures = golden_pictures(kind, dataset)
    frames = files_of(pictures)
    planes = dequantised_planes(frames, content.height, content.width)
    return golden(kind, frames, pictures.labels, OnnxClassifier(content.model).logits(planes))


def twin_of(content: FallbackClassifier, dataset: Dataset) -> EightBits:
    """The classifier in eight bits, tried on validation frames."""
    return eight_bits(
        content.model, dataset, lambda split: dequantised_planes(files_of(split), content.height, content.width)
    )


def files_of(pictures: Split) -> list[bytes]:
    """Pictures as whole JPEG files; the tables of `encodings` take turns."""
    by_turns, pixels = encodings().values(), pictures.pixels
    files = [b""] * len(pixels)
    for turn, encoding in enumerate(by_turns):
        rows = slice(turn, None, len(by_turns))
        files[rows] = encoding.encoder().encode_batch(pixels[rows], Stream.INTERCHANGE)
    return files


def dequantised_planes(frames: list[bytes], height: int, width: int) -> Planes:
    """Whole JPEG files as the server gives them to the classifier."""
    y = np.empty((len(frames), 64, height // 8, width // 8), np.float32)
    c = np.empty((len(frames), 128, height // 16, width // 16), np.float32)
    for fault in Decoder().decode_batch(frames, y, c, dequantise=True):
        if fault is not None:
            raise fault
    return Planes(torch.from_numpy(y), torch.from_numpy(c))


def encodings() -> dict[str, Encoding]:
    """The encodings that a fallback is measured with, by name.

    All round plainly and use Annex K's Huffman codes, as most JPEG files do.
    """
    random = RandomTables(UNSEEN_SEED).steps(np.arange(RANDOM_TABLES), epoch=0)
    ordinary = {f"standard, quality {quality}": of_standard(quality) for quality in QUALITIES}
    return ordinary | {f"random, number {index}": of_steps(steps) for index, steps in enumerate(random, start=1)}


def write_fallback(
    content: FallbackClassifier,
    golden_frames: Golden,
    twin: EightBits,
    measured: FallbackEvaluation,
    folder: Path,
    *,
    family: str,
    created_at: datetime,
) -> Fallback:
    """Write the folder; the eight-bit twin only where it holds.

    Raises:
        RecipeError: family is none that there can be.
    """
    files = ModelFiles(content.model, content.labels, golden_frames, twin.model if twin.holds else None)
    fallback = described(
        lambda: Fallback(
            family=family,
            created_at=created_at,
            input=InputGeometry(width=content.width, height=content.height),
            fit=content.fit,
            classifier=files.ref,
            expected=tuple(ExpectedOfTables(tables=of.tables, **dict(promise(of))) for of in measured.of_tables),
        ),
        "fallback",
    )
    files.write(folder, FALLBACK_NAME, fallback.to_bytes())
    return fallback


def read_fallback(folder: Path) -> tuple[Fallback, ModelFiles]:
    """A fallback's folder back again, checked against its own digests.

    Raises:
        RunError: a file is missing or is not the one that fallback.json names.
    """
    fallback = read_description(folder / FALLBACK_NAME, Fallback.from_bytes, "holds no fallback")
    return fallback, ModelFiles.read(folder, fallback.classifier)


def write_evaluation(folder: Path, figures: FallbackEvaluation) -> None:
    """Keep figures in a run's folder as `fallback-<split>.json`."""
    text = figures.model_dump_json(indent=2).encode() + b"\n"
    write_whole(folder / f"fallback-{figures.split}.json", lambda file: file.write(text))


@dataclass(frozen=True)
class _Dequantising:
    """The classifier as `evaluate` takes one; the server's decoder dequantises by itself."""

    classifier: OnnxClassifier
    steps: Tensor

    def logits(self, levels: Levels) -> NDArray[np.float32]:
        return self.classifier.logits(dequantised(levels.planes(slice(None)), self.steps))
