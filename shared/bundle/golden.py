"""Golden frames: frames with their labels and a classifier's answers, by which a server tries the classifier."""

import base64
import binascii
from typing import Annotated, ClassVar, Self

from pydantic import Field, FiniteFloat, PlainSerializer, PlainValidator, model_validator

from shared.bundle.canonical import Canonical

GOLDEN_LIMIT_BYTES = 8 * 2**20
GOLDEN_FRAMES_MAX = 512
GOLDEN_LOGITS_MAX = 16
CLASSES_MAX = 2**16


def _stream_from_json(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        raise ValueError("a frame must be base64 text")  # noqa: TRY004 - pydantic reports ValueErrors
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"a frame is not base64: {error}") from error


def _stream_to_json(stream: bytes) -> str:
    return base64.b64encode(stream).decode()


StreamField = Annotated[bytes, PlainValidator(_stream_from_json), PlainSerializer(_stream_to_json)]
LogitsField = Annotated[tuple[FiniteFloat, ...], Field(min_length=1, max_length=CLASSES_MAX)]


class Golden(Canonical):
    """Frames, their labels, and the answers that a classifier must give.

    Args:
        frames: JPEG streams, abbreviated with the bundle's tables or, for a fallback, interchange. Not parsed here.
        truth: the index of each frame's label.
        logits: one row for each of the first frames, as the float32 model gives them in ONNX Runtime.
    """

    KIND: ClassVar[str] = "list of golden frames"
    LIMIT_BYTES: ClassVar[int] = GOLDEN_LIMIT_BYTES

    frames: Annotated[tuple[StreamField, ...], Field(min_length=1, max_length=GOLDEN_FRAMES_MAX)]
    truth: Annotated[tuple[Annotated[int, Field(ge=0, lt=CLASSES_MAX)], ...], Field(max_length=GOLDEN_FRAMES_MAX)]
    logits: Annotated[tuple[LogitsField, ...], Field(min_length=1, max_length=GOLDEN_LOGITS_MAX)]

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if len(self.truth) != len(self.frames):
            raise ValueError(f"{len(self.frames)} frames have {len(self.truth)} labels")
        if len(self.logits) > len(self.frames):
            raise ValueError(f"{len(self.frames)} frames have logits for {len(self.logits)}")
        classes = {len(row) for row in self.logits}
        if len(classes) != 1 or max(self.truth) >= min(classes):
            raise ValueError(f"rows of {sorted(classes)} logits do not fit labels up to {max(self.truth)}")
        return self
