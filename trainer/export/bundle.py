"""A finished run as a bundle folder: bundle.json for cameras, the classifier and its golden frames for the server."""

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray

from shared.bundle import (
    BUNDLE_NAME,
    CENTRE,
    Bundle,
    Expected,
    Golden,
    InputGeometry,
    Reference,
    Selftest,
    selftest_sha256,
)
from shared.jpeg import Fit, Stream
from trainer.data import Dataset, Split, SplitName
from trainer.encoding import streams
from trainer.encoding.encodings import dequantised, steps_of
from trainer.encoding.files import Encoding
from trainer.errors import RunError
from trainer.evaluation.evaluation import Evaluated, Evaluation, decode, evaluate
from trainer.export.classifier import OnnxClassifier, check_parity
from trainer.export.golden import GoldenPictures, golden, golden_pictures
from trainer.export.int8 import EightBits, eight_bits
from trainer.export.model_folder import ModelFiles, described, read_description
from trainer.export.onnx_graph import to_onnx
from trainer.models import DctNet
from trainer.recipes.recipe import PaperRecipe
from trainer.training.improved import new_net
from trainer.training.run_dir import Finished

# Folding moves float32 roundings about; a few 1e-6 of the logits' spread were seen. A wrong fold shows as 1e-1.
PARITY_TOLERANCE = 1e-3
PARITY_FRAMES = 512


@dataclass(frozen=True, kw_only=True)
class Exportable:
    """What a bundle is written from: an encoding for the cameras and a classifier for the server.

    Args:
        model: the classifier as ONNX.
        labels: the names of its classes.
        height, width: of the frames that it reads, in pixels.
        fit: which part of a picture such a frame shows.
    """

    encoding: Encoding
    model: bytes
    labels: tuple[str, ...]
    height: int
    width: int
    fit: Fit = CENTRE

    @classmethod
    def of(cls, bundle: Bundle, files: ModelFiles) -> Self:
        """The encoding and classifier of a bundle folder."""
        return cls(
            encoding=bundle.encoding,
            model=files.model,
            labels=files.labels,
            height=bundle.input.height,
            width=bundle.input.width,
            fit=bundle.fit,
        )


def exportable(run: Finished, dataset: Dataset) -> Exportable:
    """Encoding and classifier of a run; torch and ONNX Runtime must agree on held-out frames.

    Raises:
        RunError: the run's net does not fit its recipe.
        ParityError: torch and ONNX Runtime differ.
    """
    net = served_net(run, dataset)
    height, width = dataset.size
    steps = steps_of(run.encoding)
    model = to_onnx(net, steps, height, width)
    levels = streams.quantise(run.encoding, dataset.validation.head(PARITY_FRAMES))
    with torch.no_grad():
        expected = net(dequantised(levels.planes(slice(None)), steps)).numpy()
    check_parity(expected, OnnxClassifier(model).logits(levels), PARITY_TOLERANCE)
    return Exportable(
        encoding=run.encoding, model=model, labels=dataset.classes, height=height, width=width, fit=dataset.fit
    )


def served_net(run: Finished, dataset: Dataset) -> DctNet:
    """The run's net, ready to be read.

    Raises:
        RunError: it does not fit its recipe, or is none to serve.
    """
    recipe = run.asked.recipe
    if isinstance(recipe, PaperRecipe):
        raise RunError("nets of the paper's method are evaluated, not exported: they are too large to serve")
    net = new_net(recipe, dataset)
    try:
        net.load_state_dict(run.net_state)
    except RuntimeError as error:
        raise RunError(f"net.pt does not fit the run's recipe: {error}") from error
    return net.eval()


def measure(content: Exportable, dataset: Dataset, split: SplitName, description: str) -> Evaluated:
    """The run's figures on a split, through the real codec and the exported classifier."""
    return evaluate(
        content.encoding,
        OnnxClassifier(content.model),
        dataset.split(split),
        data=dataset.name,
        split_name=split,
        description=description,
    )


def golden_of(content: Exportable, kind: GoldenPictures, dataset: Dataset) -> Golden:
    """Golden frames as the bundle's cameras would send them."""
    pictures = golden_pictures(kind, dataset)
    frames = content.encoding.encoder().encode_batch(pictures.pixels, Stream.ABBREVIATED)
    return golden(kind, frames, pictures.labels, logits_of(content, frames))


def logits_of(content: Exportable, frames: list[bytes]) -> NDArray[np.float32]:
    """What the classifier says of streams made with the bundle's tables, float32 (n, classes)."""
    unknown = Split(
        np.empty((len(frames), content.height, content.width, 3), np.uint8), np.zeros(len(frames), np.int64)
    )
    return OnnxClassifier(content.model).logits(decode(content.encoding.tables, frames, unknown))


def twin_of(content: Exportable, dataset: Dataset) -> EightBits:
    """The classifier in eight bits, tried on validation frames."""
    return eight_bits(content.model, dataset, partial(streams.quantise, content.encoding))


def promise(measured: Evaluation) -> Expected:
    """The expected figures that a description holds, from an evaluation."""
    return Expected(
        bytes_p50=measured.scan.p50,
        bytes_p95=measured.scan.p95,
        accuracy=measured.accuracy,
        n=measured.n,
        data=measured.data,
    )


def write_bundle(
    content: Exportable,
    golden_frames: Golden,
    twin: EightBits,
    expected: Evaluation,
    folder: Path,
    *,
    family: str,
    counter: int,
    min_counter: int,
    created_at: datetime,
    selftest_seed: int,
    reference: Reference | None = None,
) -> Bundle:
    """Write the folder; the eight-bit twin only where it holds.

    Args:
        reference: what was measured for the server alone, if anything.

    Raises:
        RecipeError: family or counter is none a bundle can have.
    """
    files = ModelFiles(content.model, content.labels, golden_frames, twin.model if twin.holds else None, reference)
    bundle = described(
        lambda: Bundle(
            family=family,
            counter=counter,
            min_counter=min_counter,
            created_at=created_at,
            input=InputGeometry(width=content.width, height=content.height),
            fit=content.fit,
            tables=content.encoding.tables,
            settings=content.encoding.settings,
            classifier=files.ref,
            expected=promise(expected),
            selftest=Selftest(
                seed=selftest_seed,
                sha256=selftest_sha256(content.encoding, content.width, content.height, selftest_seed),
            ),
        ),
        "bundle",
    )
    files.write(folder, BUNDLE_NAME, bundle.to_bytes())
    return bundle


def read_bundle(folder: Path) -> tuple[Bundle, ModelFiles]:
    """A bundle folder back again, checked against its own digests.

    Raises:
        RunError: a file is missing or is not the one the bundle names.
        UnsupportedBundleError: the bundle asks for what this version cannot do.
    """
    bundle = read_description(folder / BUNDLE_NAME, Bundle.from_bytes, "is no bundle folder")
    bundle.require_supported()
    return bundle, ModelFiles.read(folder, bundle.classifier)
