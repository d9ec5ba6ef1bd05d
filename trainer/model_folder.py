"""A classifier on disk: classifier.onnx and labels.json, and a description that names both by digest."""

import hashlib
import json
from pathlib import Path

from shared.bundle import ClassifierRef
from trainer.errors import RunError
from trainer.whole_file import write_whole

BUNDLE_NAME, FALLBACK_NAME = "bundle.json", "fallback.json"
MODEL_NAME, LABELS_NAME = "classifier.onnx", "labels.json"


def classifier_ref(model: bytes, labels: tuple[str, ...]) -> ClassifierRef:
    """The digests of both files."""
    return ClassifierRef(sha256=_sha256(model), labels_sha256=_sha256(_labels_json(labels)))


def write_folder(folder: Path, name: str, description: bytes, model: bytes, labels: tuple[str, ...]) -> None:
    """Write a folder; its description goes first and comes last, so a folder that has one is whole.

    Args:
        name: of the description.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in (BUNDLE_NAME, FALLBACK_NAME):
        (folder / old).unlink(missing_ok=True)
    files = {MODEL_NAME: model, LABELS_NAME: _labels_json(labels), name: description}
    for file, content in files.items():
        _write(folder / file, content)


def read_classifier(folder: Path, ref: ClassifierRef) -> tuple[bytes, tuple[str, ...]]:
    """The serialised ONNX and the labels.

    Raises:
        RunError: one is missing or is not the file that the digests name.
    """
    files = {MODEL_NAME: ref.sha256, LABELS_NAME: ref.labels_sha256}
    model, labels = (_checked(folder / name, digest) for name, digest in files.items())
    return model, tuple(json.loads(labels))


def _checked(path: Path, digest: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RunError(f"{path.parent} is not whole: {error}") from error
    if _sha256(content) != digest:
        raise RunError(f"{path} is not the file that the description beside it names")
    return content


def _labels_json(labels: tuple[str, ...]) -> bytes:
    return json.dumps(list(labels)).encode()


def _write(path: Path, content: bytes) -> None:
    write_whole(path, lambda file: file.write(content))


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
