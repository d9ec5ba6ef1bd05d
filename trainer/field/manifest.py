"""The list of an export of labelled frames, `manifest.json`: what is known of each frame, checked to the last value."""

import hashlib
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from trainer.errors import DatasetError

MANIFEST_NAME = "manifest.json"
LIMIT_BYTES = 256 << 20
FRAMES_MOST = 200_000

_Seconds = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]
_FRAME_ID = r"^[a-z0-9]{1,16}\.[0-9]{1,19}$"
_FILE = r"^(train|test|waiting|details)/[a-z0-9][a-z0-9 _~-]*/[a-z0-9]+\.[0-9]+\.jpg$"


class Kind(StrEnum):
    """A frame that was classified, or a finer companion of one."""

    FRAME = "frame"
    DETAIL = "detail"


class Row(BaseModel):
    """One frame of an export, as it is listed.

    Args:
        file: from the export's folder on.
        frame_id: the device and its number of the frame.
        source: who is said to have labelled it; a device may say anything.
        reviewed, audit: whether the people who review the fleet gave the label, and whether in the random audit: the
            server's word, which no device can claim.
        reason: why the server kept it.
        stored_at, received_at: when it was kept, and answered, in seconds since 1970; older exports lack the latter.
        of: the frame that a detail belongs to.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    file: str = Field(pattern=_FILE)
    frame_id: str = Field(pattern=_FRAME_ID)
    label: str = Field(max_length=128)
    source: str = Field(max_length=32)
    reason: str = Field(max_length=32)
    stored_at: _Seconds
    received_at: _Seconds | None = None
    kind: Annotated[Kind, Field(strict=False)] = Kind.FRAME
    of: str | None = Field(default=None, pattern=_FRAME_ID)
    reviewed: bool = False
    audit: bool = False

    @property
    def device(self) -> str:
        """The device's id."""
        return self.frame_id.partition(".")[0]

    @property
    def taken_at(self) -> float:
        """When the picture was taken, as far as it is known, in seconds since 1970."""
        return self.stored_at if self.received_at is None else self.received_at

    @property
    def is_reviewed(self) -> bool:
        """Whether the label stands whatever the device is."""
        return self.reviewed or self.audit


class Manifest(BaseModel):
    """All frames of an export."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    family: str = Field(max_length=64)
    frames: tuple[Row, ...] = Field(max_length=FRAMES_MOST)


def read_manifest(folder: Path) -> Manifest:
    """Read the list of an export's frames, ordered by frame id.

    Raises:
        DatasetError: it is missing, too long, or is none; says what is wrong with it.
    """
    path = folder / MANIFEST_NAME
    try:
        manifest = Manifest.model_validate_json(_content(path))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise DatasetError(path, f"is no list of an export's frames: {place}: {first['msg']}") from error
    rows = tuple(sorted(manifest.frames, key=lambda row: (row.kind, row.device, row.taken_at, row.frame_id)))
    return Manifest(family=manifest.family, frames=rows)


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(LIMIT_BYTES + 1)
    except OSError as error:
        advice = "an export of labelled frames is wanted (`dctwire samples export`)"
        raise DatasetError(path, f"{error.strerror}: {advice}") from error
    if len(content) > LIMIT_BYTES:
        raise DatasetError(path, f"is longer than {LIMIT_BYTES} bytes: export fewer frames")
    return content


def digest_of(lines: Iterable[str]) -> str:
    """SHA-256 of some lines, in hexadecimal."""
    digest = hashlib.sha256()
    for line in lines:
        digest.update(f"{line}\n".encode())
    return digest.hexdigest()
