"""Where each exported frame belongs: its class's folder, and for training or for measuring. Pure."""

import hashlib
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

_PLAIN = re.compile(r"[a-z0-9]([a-z0-9 _-]{0,62}[a-z0-9])?")
_RESERVED = re.compile(r"con|prn|aux|nul|(com|lpt)[0-9]")
_STEM_MAX = 40
_DIGEST_CHARACTERS = 12


class Split(StrEnum):
    """What a frame is for. WAITING: its class has no second frame to be measured on yet. DETAILS: it is none."""

    TRAIN = "train"
    TEST = "test"
    WAITING = "waiting"
    DETAILS = "details"


@dataclass(frozen=True, slots=True)
class Placed:
    """A frame and its place."""

    frame_id: str
    label: str
    split: Split

    @property
    def file(self) -> str:
        """From the export's folder on."""
        return f"{self.split}/{folder_of(self.label)}/{self.frame_id}.jpg"


def folder_of(label: str) -> str:
    """A label as a folder's name, on every file system; the label alone decides.

    Plain ones (lower-case letters, digits, and spaces, underscores or dashes between them) stay as they are. Any other
    becomes what is plain in it, a tilde, and a digest, so that two labels that a file system cannot tell apart still
    have two folders. `classes.json` says the way back.
    """
    if _PLAIN.fullmatch(label) and not _RESERVED.fullmatch(label):
        return label
    stem = re.sub(r"[^a-z0-9]+", "-", label.lower())[:_STEM_MAX].strip("-") or "label"
    return f"{stem}~{hashlib.sha256(label.encode()).hexdigest()[:_DIGEST_CHARACTERS]}"


def placed(frames: Sequence[tuple[str, str]], earlier: Mapping[str, Placed], test_share: float) -> list[Placed]:
    """A place for each frame, by class; within a class a frame that had one keeps what it is for.

    Args:
        frames: (frame id, label), oldest first.
        test_share: of each class, kept away from training; at least one frame.
    """
    by_label: dict[str, list[str]] = defaultdict(list)
    for frame_id, label in frames:
        by_label[label].append(frame_id)
    return [place for label, ids in by_label.items() for place in _class(label, ids, earlier, test_share)]


def details_placed(details: Sequence[tuple[str, str, str]], frames: Mapping[str, Placed]) -> list[Placed]:
    """A place for each detail, but for those whose frame is measured on: nothing is learned from them.

    Args:
        details: (frame id, that of its frame, label).
        frames: where those are, as far as they are there.
    """
    return [
        Placed(frame_id, label, Split.DETAILS)
        for frame_id, of, label in details
        if of not in frames or frames[of].split is not Split.TEST
    ]


def _class(label: str, ids: Sequence[str], earlier: Mapping[str, Placed], test_share: float) -> list[Placed]:
    if len(ids) < 2:
        return [Placed(frame_id, label, Split.WAITING) for frame_id in ids]
    splits: dict[str, Split] = {
        frame_id: earlier[frame_id].split
        for frame_id in ids
        if frame_id in earlier and earlier[frame_id].split is not Split.WAITING
    }
    for frame_id in ids:
        if frame_id not in splits:
            splits[frame_id] = next_split([*splits.values()], test_share)
    for needed, other in ((Split.TEST, Split.TRAIN), (Split.TRAIN, Split.TEST)):
        if needed not in splits.values():  # labelling anew has taken all of them
            splits[next(frame_id for frame_id in reversed(ids) if splits[frame_id] is other)] = needed
    return [Placed(frame_id, label, splits[frame_id]) for frame_id in ids]


def next_split(there: Sequence[Split], test_share: float) -> Split:
    """What the next frame of a class is for, given those that are there."""
    tested = there.count(Split.TEST)
    if tested == 0 and there:
        return Split.TEST
    return Split.TEST if there and tested + 1 <= test_share * (len(there) + 1) else Split.TRAIN
