"""Frames that cameras uploaded, as the coefficients and the steps that they were sent with, and never as originals.

An export's files are decoded once; the levels then lie in the cache, and what is not looked at stays out of memory. A
file that is damaged, or that no net of this size can read, is left out by its name.
"""

import fcntl
import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shared.errors import PeerError
from shared.jpeg import Coefficients, Decoder, Limits, Sampling
from trainer.data.dataset import Progress
from trainer.diff_jpeg import Planes
from trainer.diff_jpeg.transform import FREQUENCIES
from trainer.errors import DatasetError
from trainer.field.manifest import Kind, Manifest, Row, digest_of, read_manifest
from trainer.whole_file import write_whole

FORMAT = 1  # of the cache; raise it with anything that changes what is in it
CACHES_KEPT = 3
PLANES = "y.npy", "c.npy"
FILE_LIMIT_BYTES = 8 << 20
UNKNOWN_LABEL = "label that the net does not know"  # why a file is left out
PART = 1_024  # frames at a time, however many there are

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Uploads:
    """Labelled frames of the field, or their details.

    Args:
        rows: what is known of each.
        y, c: levels, int16 (n, 64, h/8, w/8) and (n, 128, h/16, w/16); on disk until they are looked at.
        tables: the steps that occur, uint8 (t, 3, 64), and `table`, int64 (n,), which of them are each frame's.
        labels: int64 (n,), indices into the classes.
    """

    rows: tuple[Row, ...]
    y: NDArray[np.int16]
    c: NDArray[np.int16]
    tables: NDArray[np.uint8]
    table: NDArray[np.int64]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def devices(self) -> NDArray[np.str_]:
        """Each frame's device, (n,)."""
        return np.array([row.device for row in self.rows], np.str_)

    @property
    def times(self) -> NDArray[np.float64]:
        """When each was taken, in seconds since 1970, (n,)."""
        return np.array([row.taken_at for row in self.rows], np.float64)

    @property
    def is_reviewed(self) -> NDArray[np.bool_]:
        """Whether people who review the fleet gave each one's label, (n,)."""
        return np.array([row.is_reviewed for row in self.rows], np.bool_)

    def steps(self, rows: Rows) -> Tensor:
        """The steps that some frames were sent with, float (n, 3, 64)."""
        return torch.from_numpy(self.tables[self.table[rows]].astype(np.float32))

    def levels(self, rows: Rows) -> Planes:
        """The levels of some frames, float."""
        return Planes(_floats(self.y[rows]), _floats(self.c[rows]))

    def dequantised(self, rows: Rows) -> Planes:
        """Levels times the steps that they were sent with: all that is known of these pictures."""
        levels, steps = self.levels(rows), self.steps(rows)
        y, c = channels_of(steps)
        return Planes(levels.y * y, levels.c * c)


@dataclass(frozen=True)
class Export:
    """An export that was read.

    Args:
        digest: SHA-256 of every file that was read, its label and its time: of all that may be learned from.
        frames, details: whole frames, and companions of them at a finer quality.
        left_out: why each other file was left out, by the file's name.
    """

    family: str
    digest: str
    frames: Uploads
    details: Uploads
    left_out: dict[str, str]

    @property
    def reasons(self) -> dict[str, int]:
        """How many files were left out for which reason."""
        return dict(Counter(self.left_out.values()))


def read_export(
    folder: Path, classes: Sequence[str], size: tuple[int, int], cache: Path, progress: Progress = lambda *_: None
) -> Export:
    """Read the export that `dctwire samples export` wrote; decoded at most once a cache.

    Args:
        classes: the labels that a net knows, in its order.
        size: height and width of its frames, in pixels.
        cache: folder for what was decoded.
        progress: called with files done and in all, while decoding.

    Raises:
        DatasetError: the folder is no export, or none of its frames can be read.
    """
    manifest = read_manifest(folder)
    stamps = (f"{row.model_dump_json()} {_stamp(folder / row.file)}" for row in manifest.frames)
    key = digest_of([f"{FORMAT} {size} {list(classes)}", manifest.family, *stamps])[:32]
    cache.mkdir(parents=True, exist_ok=True)
    place = cache / f"uploads-{key}"
    with (cache / "uploads.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / "known.json").exists():
            _decode_all(folder, manifest, classes, size, place, progress)
            _prune(cache, keep=place)
        return _opened(place, manifest, size)


def channels_of(steps: Tensor) -> tuple[Tensor, Tensor]:
    """Steps (n, 3, 64) as factors of the channels of n frames: (n, 64, 1, 1) for y, (n, 128, 1, 1) for c."""
    return steps[:, 0, :, None, None], steps[:, 1:].reshape(len(steps), 2 * FREQUENCIES, 1, 1)


def _decode_all(
    folder: Path,
    manifest: Manifest,
    classes: Sequence[str],
    size: tuple[int, int],
    place: Path,
    progress: Progress,
) -> None:
    """Decode every file into a folder, whose last file says that it is complete."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    decoder = Decoder(limits=Limits(max_bytes=FILE_LIMIT_BYTES, max_pixels=size[0] * size[1]))
    label_of = {label: index for index, label in enumerate(classes)}
    tables: dict[bytes, int] = {}
    known: list[dict[str, Any]] = []
    left_out: dict[str, str] = {}
    y, c = _planes(place, len(manifest.frames), size, "w+")
    for number, row in enumerate(manifest.frames):
        found = _decoded(folder, row, decoder, label_of, size)
        if isinstance(found, str):
            left_out[row.file] = found
        else:
            content, frame = found
            y[len(known)], c[len(known)] = frame.planes[0], np.concatenate(frame.planes[1:])
            table = tables.setdefault(b"".join(frame.quant), len(tables))
            known.append({"place": number, "table": table, "label": label_of[row.label], "sha256": content})
        if number % PART == 0:
            progress(number, len(manifest.frames))
    del y, c
    for name in PLANES:
        with (place / name).open("rb") as file:
            os.fsync(file.fileno())  # the list of them says that they are there
    progress(len(manifest.frames), len(manifest.frames))
    text = json.dumps({"known": known, "tables": [list(steps) for steps in tables], "left_out": left_out})
    write_whole(place / "known.json", lambda file: file.write(text.encode()))


def _decoded(
    folder: Path, row: Row, decoder: Decoder, label_of: dict[str, int], size: tuple[int, int]
) -> tuple[str, Coefficients] | str:
    """The digest of a file and its levels, or why it is left out."""
    if row.label not in label_of:
        return UNKNOWN_LABEL
    try:
        with (folder / row.file).open("rb") as file:
            content = file.read(FILE_LIMIT_BYTES + 1)
        frame = decoder.decode(content)
    except OSError:
        return "file that cannot be read"
    except PeerError as error:
        return f"damaged or of another kind ({type(error).__name__})"
    return _misfit(frame, size) or (hashlib.sha256(content).hexdigest(), frame)


def _misfit(frame: Coefficients, size: tuple[int, int]) -> str | None:
    """Why a frame is none that the net reads."""
    if (frame.height, frame.width) != size:
        return f"another size: {frame.width} x {frame.height}"
    return None if frame.sampling is Sampling.YUV420 else f"another sampling: {frame.sampling}"


def _opened(place: Path, manifest: Manifest, size: tuple[int, int]) -> Export:
    found = json.loads((place / "known.json").read_bytes())
    y, c = _planes(place, len(manifest.frames), size, "r")
    rows = [manifest.frames[one["place"]] for one in found["known"]]
    if not any(row.kind is Kind.FRAME for row in rows):
        raise DatasetError(
            place, f"no frame of the export can be learned from: {dict(Counter(found['left_out'].values()))}"
        )
    whole = Uploads(
        tuple(rows),
        y[: len(rows)],
        c[: len(rows)],
        np.array(found["tables"], np.uint8).reshape(-1, 3, 64),
        np.array([one["table"] for one in found["known"]], np.int64),
        np.array([one["label"] for one in found["known"]], np.int64),
    )
    lines = (
        f"{row.kind} {row.frame_id} {row.label} {row.is_reviewed} {row.taken_at} {one['sha256']}"
        for row, one in zip(rows, found["known"], strict=True)
    )
    details = sum(row.kind is Kind.DETAIL for row in rows)  # which the list begins with
    return Export(
        family=manifest.family,
        digest=digest_of(lines),
        frames=_part(whole, details, len(rows)),
        details=_part(whole, 0, details),
        left_out=found["left_out"],
    )


def _part(whole: Uploads, start: int, end: int) -> Uploads:
    """A slice, whose levels stay on the disk."""
    some = slice(start, end)
    return Uploads(whole.rows[some], whole.y[some], whole.c[some], whole.tables, whole.table[some], whole.labels[some])


def _planes(place: Path, count: int, size: tuple[int, int], mode: str) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """The arrays of levels on the disk."""
    height, width = size
    shapes = (count, 64, height // 8, width // 8), (count, 128, height // 16, width // 16)
    y, c = (
        np.lib.format.open_memmap(place / name, mode=mode, dtype=np.int16, shape=shape)
        for name, shape in zip(PLANES, shapes, strict=True)
    )
    return y, c


def _floats(levels: NDArray[np.int16]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(levels, np.float32))


def _stamp(path: Path) -> str:
    """What changes where a file does."""
    try:
        stat = path.stat()
    except OSError as error:
        return str(error.strerror)
    return f"{stat.st_size} {stat.st_mtime_ns}"


def _prune(cache: Path, keep: Path) -> None:
    """Drop all but the newest; one that is still open elsewhere stays readable there."""
    others = [path for path in cache.glob("uploads-*") if path != keep and path.is_dir()]
    for path in sorted(others, key=lambda path: path.stat().st_mtime, reverse=True)[CACHES_KEPT - 1 :]:
        shutil.rmtree(path, ignore_errors=True)


def parts(count: int) -> Iterator[Rows]:
    """The rows from 0 to `count` - 1, `PART` at a time."""
    return (np.arange(start, min(start + PART, count)) for start in range(0, count, PART))
