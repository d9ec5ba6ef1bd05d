"""Bundle folders as the trainer exports them."""

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnxruntime

from shared.bundle import (
    BUNDLE_NAME,
    GOLDEN_LOGITS_MAX,
    GOLDEN_NAME,
    INT8_NAME,
    LABELS_NAME,
    MODEL_NAME,
    REFERENCE_NAME,
    Bundle,
    ClassifierRef,
    EncoderSettings,
    Encoding,
    Expected,
    Golden,
    InputGeometry,
    Reference,
    Selftest,
    selftest_sha256,
)
from shared.jpeg import Fit, Stream, TableSet
from tests.cloud_server.harness.classifiers import LABELS, write_classifier
from tests.cloud_server.harness.frames import SIDE, picture


def write_bundle(
    folder: Path,
    family: str,
    counter: int,
    tables: TableSet,
    *,
    settings: EncoderSettings = EncoderSettings(),  # noqa: B008 (frozen)
    seed: int = 0,
    side: int = SIDE,
    min_counter: int = 1,
    copies: int = 1,
    fit: Fit = Fit(),  # noqa: B008 (frozen)
    reference: Reference | None = None,
    change: Callable[[Path], None] = lambda _path: None,
) -> Bundle:
    """A bundle folder as the trainer exports it; `copies` makes its classifier slow, `change` something else."""
    folder.mkdir(parents=True)
    write_classifier(folder / "classifier.onnx", seed=seed, side=side, copies=copies)
    change(folder / "classifier.onnx")
    (folder / "labels.json").write_text(json.dumps(LABELS))
    write_golden(folder, Encoding(tables, settings), side)
    if reference is not None:
        (folder / REFERENCE_NAME).write_bytes(reference.to_bytes())
    bundle = Bundle(
        family=family,
        counter=counter,
        min_counter=min_counter,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        input=InputGeometry(width=side, height=side),
        fit=fit,
        tables=tables,
        settings=settings,
        classifier=classifier_ref(folder),
        expected=Expected(bytes_p50=200, bytes_p95=300, accuracy=0.5, n=10, data="noise"),
        selftest=Selftest(seed=1, sha256=selftest_sha256(Encoding(tables, settings), side, side, 1)),
    )
    (folder / "bundle.json").write_bytes(bundle.to_bytes())
    return bundle


def write_golden(folder: Path, encoding: Encoding, side: int = SIDE, frames: int = 24) -> Golden:
    """golden.json of pictures 1000 onwards: what the folder's classifier.onnx really says of their frames."""
    pixels = np.stack([picture(1000 + seed, side) for seed in range(frames)])
    y, c = encoding.encoder().quantise_batch(pixels)
    session = onnxruntime.InferenceSession(str(folder / "classifier.onnx"), providers=["CPUExecutionProvider"])
    (logits,) = session.run(("logits",), {"y": y, "c": c})
    golden = Golden(
        frames=tuple(encoding.encoder().encode_batch(pixels, Stream.ABBREVIATED)),
        truth=tuple(logits.argmax(1).tolist()),
        logits=tuple(map(tuple, logits[:GOLDEN_LOGITS_MAX].tolist())),
    )
    (folder / "golden.json").write_bytes(golden.to_bytes())
    return golden


def classifier_ref(folder: Path) -> ClassifierRef:
    """The digests of a folder's files as they are now."""
    names = {
        "sha256": MODEL_NAME,
        "labels_sha256": LABELS_NAME,
        "golden_sha256": GOLDEN_NAME,
        "int8_sha256": INT8_NAME,
        "reference_sha256": REFERENCE_NAME,
    }
    return ClassifierRef.model_validate({field: _digest(folder / name) for field, name in names.items()})


def as_schema_1(bundle: Bundle) -> bytes:
    """The bytes of a bundle as trainers wrote it before schema 2."""
    fields = json.loads(bundle.to_bytes()) | {"schema": 1}
    del fields["fit"], fields["lapping"], fields["classifier"]["reference_sha256"]
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()


def _digest(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else None


def named_anew(folder: Path, bundle: Bundle) -> Bundle:
    """The folder's bundle, naming its files as they are now."""
    changed = bundle.model_copy(update={"classifier": classifier_ref(folder)})
    (folder / BUNDLE_NAME).write_bytes(changed.to_bytes())
    return changed
