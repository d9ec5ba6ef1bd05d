"""What a recipe can be made of: how many pictures a folder has, how large they are, and what JPEG makes of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shared.jpeg import Encoder, Stream, TableSet
from shared.pictures import PictureError, load_pixels
from trainer.data.dataset import SplitName
from trainer.data.folder import TEST_SHARE, VALIDATION_SHARE
from trainer.data.picture_files import PictureFiles
from trainer.data.picture_tree import read_tree
from trainer.errors import DatasetError

SAMPLE = 64  # pictures that stand for all
COARSE_QUALITY = 10  # IJG: what is hardly more than the means of blocks


@dataclass(frozen=True)
class PictureFacts:
    """A folder's pictures in numbers.

    Args:
        train: pictures to train on, about: where splits are drawn, without those.
        side_px: the median of the pictures' shorter sides.
        coarse_bytes: by a frame's side in pixels, the mean scan bytes of JPEG of quality 10.
    """

    train: int
    classes: int
    side_px: int
    coarse_bytes: Mapping[int, float]


def picture_facts(root: Path, sides_px: Sequence[int]) -> PictureFacts:
    """Count a folder's pictures, and look at some of them.

    Args:
        sides_px: of frames that there could be.

    Raises:
        DatasetError: as in `read_tree`, or none of the pictures looked at can be read.
    """
    tree = read_tree(root)
    drawn = [TEST_SHARE] * (SplitName.TEST not in tree.splits)
    drawn += [VALIDATION_SHARE] * (SplitName.VALIDATION not in tree.splits)
    kept = float(np.prod([1 - share for share in drawn]))
    rows = np.unique(np.linspace(0, len(tree.names) - 1, SAMPLE).round().astype(np.int64))
    sample = {tree.names[row]: side for row in rows.tolist() if (side := _shorter_side(root / tree.names[row]))}
    if not sample:
        raise DatasetError(root, f"none of {len(rows)} pictures that were looked at can be read")
    return PictureFacts(
        train=round(kept * len(tree.splits[SplitName.TRAIN])),
        classes=len(tree.classes),
        side_px=int(np.median([*sample.values()])),
        coarse_bytes={side: _coarse_bytes(root, [*sample], side) for side in sides_px},
    )


def _shorter_side(path: Path) -> int | None:
    """Pixels; None where the file is no whole picture."""
    try:
        height, width, _ = load_pixels(path).shape
    except PictureError:  # the data set says which and why
        return None
    return min(int(height), int(width))


def _coarse_bytes(root: Path, names: Sequence[str], side_px: int) -> float:
    scans = Encoder(TableSet.standard(COARSE_QUALITY)).encode_batch(PictureFiles(root, names, side_px)[:], Stream.SCAN)
    return float(np.mean([len(scan) for scan in scans]))
