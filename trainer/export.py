"""A finished run as a bundle folder: bundle.json for cameras, classifier.onnx and labels.json for the server."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import torch
from pydantic import ValidationError

from shared.bundle import Bundle, ClassifierRef, Expected, InputGeometry, Selftest, selftest_sha256
from shared.errors import PeerError
from trainer import streams
from trainer.classifier import OnnxClassifier, check_parity
from trainer.data import Dataset, SplitName
from trainer.encoding import Encoding
from trainer.encodings import dequantised, steps_of
from trainer.errors import RecipeError, RunError
from trainer.evaluation import Evaluated, Evaluation, evaluate
from trainer.onnx_graph import to_onnx
from trainer.recipe import PaperRecipe
from trainer.run_dir import Finished
from trainer.training import new_net
from trainer.whole_file import write_whole

# Folding moves float32 roundings about; a few 1e-6 of the logits' spread were seen. A wrong fold shows as 1e-1.
PARITY_TOLERANCE = 1e-3
PARITY_FRAMES = 512


@dataclass(frozen=True)
class Exportable:
    """A run's two halves, not yet on disk."""

    encoding: Encoding
    model: bytes
    labels: tuple[str, ...]
    height: int
    width: int


def exportable(run: Finished, dataset: Dataset) -> Exportable:
    """Encoding and classifier of a run; torch and ONNX Runtime must agree on held-out frames.

    Raises:
        RunError: the run's net does not fit its recipe.
        ParityError: torch and ONNX Runtime differ.
    """
    recipe = run.asked.recipe
    if isinstance(recipe, PaperRecipe):
        raise RunError("nets of the paper's method are evaluated, not exported: they are too large to serve")
    net = new_net(recipe, dataset)
    try:
        net.load_state_dict(run.net_state)
    except RuntimeError as error:
        raise RunError(f"net.pt does not fit the run's recipe: {error}") from error
    net.eval()
    height, width = dataset.size
    steps = steps_of(run.encoding)
    model = to_onnx(net, steps, height, width)
    levels = streams.quantise(run.encoding, dataset.validation.head(PARITY_FRAMES))
    with torch.no_grad():
        expected = net(dequantised(levels.planes(slice(None)), steps)).numpy()
    check_parity(expected, OnnxClassifier(model).logits(levels), PARITY_TOLERANCE)
    return Exportable(run.encoding, model, dataset.classes, height, width)


def measure(parts: Exportable, dataset: Dataset, split: SplitName, description: str) -> Evaluated:
    """The run's figures on a split, through the real codec and the exported classifier."""
    return evaluate(
        parts.encoding,
        OnnxClassifier(parts.model),
        dataset.split(split),
        data=dataset.name,
        split_name=split,
        description=description,
    )


def write_bundle(
    parts: Exportable,
    expected: Evaluation,
    folder: Path,
    *,
    family: str,
    counter: int,
    min_counter: int,
    created_at: datetime,
    selftest_seed: int,
) -> Bundle:
    """Write the folder; bundle.json goes first and comes last, so a folder that has one is whole.

    Raises:
        RecipeError: family or counter is none a bundle can have.
    """
    labels = json.dumps(list(parts.labels)).encode()
    try:
        bundle = Bundle(
            family=family,
            counter=counter,
            min_counter=min_counter,
            created_at=created_at,
            input=InputGeometry(width=parts.width, height=parts.height),
            tables=parts.encoding.tables,
            settings=parts.encoding.settings,
            classifier=ClassifierRef(sha256=_sha256(parts.model), labels_sha256=_sha256(labels)),
            expected=Expected(
                bytes_p50=expected.scan.p50,
                bytes_p95=expected.scan.p95,
                accuracy=expected.accuracy,
                n=expected.n,
                data=expected.data,
            ),
            selftest=Selftest(
                seed=selftest_seed,
                sha256=selftest_sha256(parts.encoding, parts.width, parts.height, selftest_seed),
            ),
        )
    except ValidationError as error:
        fault = error.errors()[0]
        raise RecipeError(f"no bundle can have that {fault['loc'][0]}: {fault['msg']}") from error
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bundle.json").unlink(missing_ok=True)
    files = {"classifier.onnx": parts.model, "labels.json": labels, "bundle.json": bundle.to_bytes()}
    for name, content in files.items():
        _write(folder / name, content)
    return bundle


def read_bundle(folder: Path) -> tuple[Bundle, Exportable]:
    """A bundle folder back again, checked against its own digests.

    Raises:
        RunError: a file is missing or is not the one the bundle names.
    """
    try:
        bundle = Bundle.from_bytes((folder / "bundle.json").read_bytes())
        model, labels = ((folder / name).read_bytes() for name in ("classifier.onnx", "labels.json"))
    except (OSError, PeerError) as error:
        raise RunError(f"{folder} is no bundle folder: {error}") from error
    for name, content, digest in (
        ("classifier.onnx", model, bundle.classifier.sha256),
        ("labels.json", labels, bundle.classifier.labels_sha256),
    ):
        if _sha256(content) != digest:
            raise RunError(f"{folder / name} is not the file that bundle.json names")
    names = tuple(json.loads(labels))
    return bundle, Exportable(bundle.encoding, model, names, bundle.input.height, bundle.input.width)


def _write(path: Path, content: bytes) -> None:
    write_whole(path, lambda file: file.write(content))


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
