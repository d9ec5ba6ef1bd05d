"""Labels: what classes may be called. The trainer asks before it trains, a server before it publishes."""

import json
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import Annotated

from pydantic import StringConstraints, TypeAdapter, ValidationError

from shared.bundle.canonical import BundleError
from shared.plain_text import PLAIN, is_plain

LABELS_LIMIT_BYTES = 1 << 20  # of labels.json
LABEL_LIMIT_CHARACTERS = 128
_SHOWN_CHARACTERS = 40

Label = Annotated[str, StringConstraints(min_length=1, max_length=LABEL_LIMIT_CHARACTERS, pattern=PLAIN)]
_Labels = TypeAdapter(list[str])


class LabelsError(BundleError):
    """These are no labels that a classifier's classes can have."""


def check_labels(labels: Sequence[str]) -> None:
    """Whether a classifier's classes may be called so.

    Raises:
        LabelsError: one is empty, too long, not UTF-8 text or has control characters; two are the same, or look the
            same because they differ in Unicode normalisation only; there is none; or they are too many.
    """
    if not labels:
        raise LabelsError("there must be at least one label")
    for label in labels:
        _check(label)
    counts = Counter(unicodedata.normalize("NFC", label) for label in labels)
    twice = [label for label in labels if counts[unicodedata.normalize("NFC", label)] > 1]
    if twice:
        shown = ", ".join(sorted({ascii(label) for label in twice})[:3])
        raise LabelsError(f"each label must be there once, also after Unicode normalisation (NFC); not so {shown}")
    if len(labels_to_bytes(labels)) > LABELS_LIMIT_BYTES:
        raise LabelsError(f"all labels together have at most {LABELS_LIMIT_BYTES} bytes as JSON")


def labels_to_bytes(labels: Sequence[str]) -> bytes:
    """The content of `labels.json`: a JSON list in the order of the logits, ASCII."""
    return json.dumps(list(labels)).encode()


def labels_from_bytes(data: bytes) -> tuple[str, ...]:
    """Read `labels.json`.

    Raises:
        LabelsError: too long, no JSON list of texts, or labels that no classes can have.
    """
    if len(data) > LABELS_LIMIT_BYTES:
        raise LabelsError(f"at most {LABELS_LIMIT_BYTES} bytes, not {len(data)}")
    try:
        labels = _Labels.validate_json(data)
    except ValidationError as error:
        raise LabelsError(f"must be a JSON list of strings: {error.errors()[0]['msg']}") from error
    check_labels(labels)
    return tuple(labels)


def _check(label: str) -> None:
    shown = repr(label) if len(label) <= _SHOWN_CHARACTERS else f"{label[:_SHOWN_CHARACTERS]!r}..."
    if not label:
        raise LabelsError("a label is empty")
    if len(label) > LABEL_LIMIT_CHARACTERS:
        raise LabelsError(f"label {shown} has {len(label)} characters: at most {LABEL_LIMIT_CHARACTERS}")
    if any("\ud800" <= character <= "\udfff" for character in label):
        raise LabelsError(f"label {shown} is not UTF-8 text")
    if not is_plain(label):
        raise LabelsError(f"label {shown} has control characters")
