"""Golden frames: frames with their labels and a classifier's answers, by which a server tries the classifier."""

import base64
import binascii
from typing import Annotated, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    PlainSerializer,
    PlainValidator,
    ValidationError,
    model_validator,
)

from shared.bundle.bundle import BundleError, canonical_json, first_fault

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


class Golden(BaseModel):
    """Frames, their labels, and the answers that a classifier must give.

    Args:
        frames: JPEG streams, abbreviated with the bundle's tables or, for a fallback, interchange. Not parsed here.
        truth: the index of each frame's label.
        logits: one row for each of the first frames, as the float32 model gives them in ONNX Runtime.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

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

    def to_bytes(self) -> bytes:
        """Canonical JSON: sorted keys, no spaces, ASCII.

        Raises:
            BundleError: it would be longer than `GOLDEN_LIMIT_BYTES`.
        """
        data = canonical_json(self.model_dump(mode="json"))
        _check_length(data)
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Parse canonical bytes of at most `GOLDEN_LIMIT_BYTES`.

        Raises:
            BundleError: too long, not canonical, or a field is missing, unknown or out of range; says which.
        """
        _check_length(data)
        try:
            golden = cls.model_validate_json(data)
        except ValidationError as error:
            raise BundleError(f"golden frames: {first_fault(error)}") from error
        if golden.to_bytes() != data:
            raise BundleError("the golden frames are not in canonical form (sorted keys, no spaces)")
        return golden


def _check_length(data: bytes) -> None:
    if len(data) > GOLDEN_LIMIT_BYTES:
        raise BundleError(f"golden frames have at most {GOLDEN_LIMIT_BYTES} bytes, not {len(data)}")
