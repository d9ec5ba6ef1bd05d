"""Pictures of a user's own through a bundle: what a camera would send, and what the classifier says of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared.jpeg import Stream
from shared.pictures import PictureError, Pixels, fitted, load_pixels
from trainer.errors import DatasetError
from trainer.export.bundle import Exportable, logits_of

TOP = 5
SOI = b"\xff\xd8"  # a JPEG file's first bytes (T.81 B.1.1.3)


@dataclass(frozen=True)
class Trial:
    """What an entry makes of one picture.

    Args:
        scan_bytes, wire_bytes, file_bytes: entropy-coded; as a camera posts it; as a whole JFIF file.
        own_jpeg_bytes: of the picture's own file, where that is a JPEG.
        likeliest: labels with their softmax, the likeliest first, five at most.
    """

    picture: Path
    scan_bytes: int
    wire_bytes: int
    file_bytes: int
    own_jpeg_bytes: int | None
    likeliest: tuple[tuple[str, float], ...]

    @property
    def saved(self) -> float | None:
        """Share of the picture's own JPEG file that need not be sent, negative where more is; None without one."""
        return None if self.own_jpeg_bytes is None else 1 - self.wire_bytes / self.own_jpeg_bytes


def classify(content: Exportable, pictures: Sequence[Path]) -> list[Trial]:
    """Encode pictures as the bundle's cameras would, decode the frames, classify what came out.

    Raises:
        DatasetError: a file is no picture.
    """
    pixels = np.stack([_pixels(picture, content) for picture in pictures])
    encoder = content.encoding.encoder()
    scans, frames, files = (
        encoder.encode_batch(pixels, stream) for stream in (Stream.SCAN, Stream.ABBREVIATED, Stream.INTERCHANGE)
    )
    odds = _softmax(logits_of(content, frames))
    return [
        Trial(
            picture, len(scan), len(frame), len(file), _own_jpeg_bytes(picture), _likeliest(of_picture, content.labels)
        )
        for picture, scan, frame, file, of_picture in zip(pictures, scans, frames, files, odds, strict=True)
    ]


def _pixels(picture: Path, content: Exportable) -> Pixels:
    """As a camera with the bundle brings the picture to its frames."""
    try:
        pixels = load_pixels(picture)
    except PictureError as error:
        raise DatasetError(picture, error.reason) from error
    return fitted(pixels, content.encoding.tables.sampling, (content.width, content.height), content.fit)


def _own_jpeg_bytes(picture: Path) -> int | None:
    with picture.open("rb") as file:
        return picture.stat().st_size if file.read(len(SOI)) == SOI else None


def _likeliest(odds: NDArray[np.float32], labels: tuple[str, ...]) -> tuple[tuple[str, float], ...]:
    return tuple((labels[index], float(odds[index])) for index in np.argsort(-odds)[:TOP].tolist())


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    powers: NDArray[np.float32] = np.exp(logits - logits.max(axis=1, keepdims=True))
    odds: NDArray[np.float32] = powers / powers.sum(axis=1, keepdims=True)
    return odds
