"""A classifier on disk: its ONNX file, labels and golden frames, and a description that names them by digest."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

from pydantic import ValidationError

from shared.bundle import (
    BUNDLE_NAME,
    FALLBACK_NAME,
    GOLDEN_NAME,
    INT8_NAME,
    LABELS_NAME,
    MODEL_NAME,
    REFERENCE_NAME,
    ClassifierRef,
    Golden,
    Reference,
)
from shared.errors import PeerError
from trainer.errors import RecipeError, RunError
from trainer.whole_file import write_whole

_Description = TypeVar("_Description")


@dataclass(frozen=True)
class ModelFiles:
    """The files that lie beside a description.

    Args:
        model: serialised ONNX.
        labels: in the order of its logits.
        golden: frames and what it must say of them.
        int8: the same classifier in eight bits, where that holds its accuracy.
        reference: what was measured for the server alone, if anything.
    """

    model: bytes
    labels: tuple[str, ...]
    golden: Golden
    int8: bytes | None = None
    reference: Reference | None = None

    @property
    def ref(self) -> ClassifierRef:
        """The digests of all files."""
        digests = {name: _sha256(content) for name, content in self._content().items()}
        return ClassifierRef(
            sha256=digests[MODEL_NAME],
            labels_sha256=digests[LABELS_NAME],
            golden_sha256=digests[GOLDEN_NAME],
            int8_sha256=digests.get(INT8_NAME),
            reference_sha256=digests.get(REFERENCE_NAME),
        )

    def write(self, folder: Path, name: str, description: bytes) -> None:
        """Write a folder; its description goes first and comes last, so a folder that has one is whole.

        Args:
            name: of the description.
        """
        folder.mkdir(parents=True, exist_ok=True)
        for old in (BUNDLE_NAME, FALLBACK_NAME, INT8_NAME, REFERENCE_NAME):
            (folder / old).unlink(missing_ok=True)
        for file, content in (self._content() | {name: description}).items():
            _write(folder / file, content)

    @classmethod
    def read(cls, folder: Path, ref: ClassifierRef) -> Self:
        """Read the files.

        Raises:
            RunError: one is missing or is not the file that the digests name.
        """
        content = {name: _checked(folder / name, digest) for name, digest in ref.files.items()}
        labels = tuple(json.loads(content[LABELS_NAME]))
        try:
            golden = Golden.from_bytes(content[GOLDEN_NAME])
            reference = Reference.from_bytes(content[REFERENCE_NAME]) if REFERENCE_NAME in content else None
        except PeerError as error:
            raise RunError(f"{folder}: {error}") from error
        return cls(content[MODEL_NAME], labels, golden, content.get(INT8_NAME), reference)

    def _content(self) -> dict[str, bytes]:
        labels = json.dumps(list(self.labels)).encode()
        files = {MODEL_NAME: self.model, LABELS_NAME: labels, GOLDEN_NAME: self.golden.to_bytes()}
        if self.int8 is not None:
            files[INT8_NAME] = self.int8
        if self.reference is not None:
            files[REFERENCE_NAME] = self.reference.to_bytes()
        return files


def described(make: Callable[[], _Description], kind: str) -> _Description:
    """A description of our own making.

    Args:
        kind: what it describes, for the message.

    Raises:
        RecipeError: a name or number in it is none that there can be.
    """
    try:
        return make()
    except ValidationError as error:
        fault = error.errors()[0]
        raise RecipeError(f"no {kind} can have that {fault['loc'][0]}: {fault['msg']}") from error


def read_description(path: Path, parse: Callable[[bytes], _Description], kind: str) -> _Description:
    """The description in a folder.

    Args:
        kind: what the folder should hold, for the message.

    Raises:
        RunError: it is missing or damaged.
    """
    try:
        return parse(path.read_bytes())
    except (OSError, PeerError) as error:
        raise RunError(f"{path.parent} {kind}: {error}") from error


def _checked(path: Path, digest: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RunError(f"{path.parent} is not whole: {error}") from error
    if _sha256(content) != digest:
        raise RunError(f"{path} is not the file that the description beside it names")
    return content


def _write(path: Path, content: bytes) -> None:
    write_whole(path, lambda file: file.write(content))


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
